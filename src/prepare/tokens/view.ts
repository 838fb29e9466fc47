import { setView } from '../../base/core/index.js';
import { EncodedRow, IGNORED } from './encoded.js';
import type { Tokenizer } from './tokenizer.js';

/** One token as a figure shows it. */
export interface TokenCell {
  /** Readable text of the token. */
  text: string;
  id: number;
  /** Role of the segment it begins in, or `template`. */
  role: string;
  /** Written by the template. */
  control: boolean;
  /** Of the template's tokens those that are more than text, such as `<|im_end|>`. */
  special: boolean;
  trained: boolean;
  label: number;
  weight?: number;
  /** Loss the model paid for predicting it, in nats. */
  loss?: number;
}

/** A row as plain data for `show.tokens`. */
export interface TokenView {
  title?: string;
  tokens: TokenCell[];
  /** Index of the token before which text was cut out; the number of tokens where the end was cut. Absent when nothing was. */
  cutAt?: number;
}

/**
 * A row for display: every token with its role, whether it is trained and, given `losses`, what it cost.
 * @param options.tokenizer defaults to the one the row was encoded with.
 * @param options.losses loss of each token, aligned with `row.ids` (NaN where there is none), as `model.tokenLosses` gives it.
 */
export function tokenView(
  row: EncodedRow,
  options: { tokenizer?: Tokenizer; losses?: readonly number[]; title?: string } = {},
): TokenView {
  const { tokenizer = row.tokenizer, losses, title } = options;
  const { ids, labels, weights, segments, segmentOf } = row;
  const tokens = ids.map((id, i): TokenCell => {
    const { role, control } = segments[segmentOf[i]!]!;
    const special = control && tokenizer.isSpecial(id);
    const cell: TokenCell = {
      text: tokenizer.textOf(id),
      id,
      role,
      control,
      special,
      trained: labels[i] !== IGNORED,
      label: labels[i]!,
    };
    if (weights) cell.weight = weights[i]!;
    const loss = losses?.[i];
    if (loss !== undefined && Number.isFinite(loss)) cell.loss = loss;
    return cell;
  });
  const view: TokenView = title === undefined ? { tokens } : { title, tokens };
  if (row.truncated) view.cutAt = row.gap ?? ids.length;
  return view;
}

// An encoded row shows itself as its tokens: as the last line of a cell, and in show.tokens.
setView(EncodedRow, row => ({ kind: 'tokens', data: tokenView(row) }));

import { type EncodedRow, IGNORED } from './encoded.js';
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
}

/**
 * A row for display: every token with its role, whether it is trained and, given `losses`, what it cost.
 * @param options.losses loss of each token, aligned with `row.ids` (NaN where there is none), as `model.tokenLosses` gives it.
 */
export function tokenView(
  row: EncodedRow,
  options: { tokenizer: Tokenizer; losses?: readonly number[]; title?: string },
): TokenView {
  const { tokenizer, losses, title } = options;
  const { ids, labels, weights, segments, segmentOf } = row;
  const tokens = ids.map((id, i): TokenCell => {
    const { role, control } = segments[segmentOf[i]!]!;
    const cell: TokenCell = { text: tokenizer.textOf(id), id, role, control, trained: labels[i] !== IGNORED, label: labels[i]! };
    if (weights) cell.weight = weights[i]!;
    const loss = losses?.[i];
    if (loss !== undefined && Number.isFinite(loss)) cell.loss = loss;
    return cell;
  });
  return title === undefined ? { tokens } : { title, tokens };
}

import { BadInput, quote } from '../../base/core/index.js';
import type { DecoderConfig } from './config.js';

/** Rows as a model takes them: rectangular with a mask (1 real, 0 padding), or ragged without one. */
export interface ModelInput {
  ids: number[][];
  attentionMask?: number[][];
}

/** Rows to train on, ragged, without padding. */
export interface TrainBatch {
  ids: number[][];
  /** As long as `ids` and unshifted: `labels[t]` is what position t − 1 must predict; −100 where nothing is trained. */
  labels: number[][];
  /** Factor of every token's loss; 1 where absent. */
  weights?: number[][];
}

/** The positions of a batch that predict a labelled token, in order. */
export interface Targets {
  /** Where each stands among the tokens of all rows. */
  keep: Int32Array;
  labels: Int32Array;
  weights: Float32Array;
  /** Sum of the weights. */
  denominator: number;
}

/** Rows without their padding. */
export interface Unpadded {
  rows: number[][];
  /** The slot row · time + t that each real token came from. */
  slots: Int32Array;
  /** Length of the longest row as given. */
  time: number;
}

/** Find the positions that predict a labelled token. Throws BadInput where labels or weights do not fit the ids. */
export function targets({ ids, labels, weights }: TrainBatch, { vocabSize }: DecoderConfig): Targets {
  const keep: number[] = [];
  const wanted: number[] = [];
  const factors: number[] = [];
  let start = 0;
  let denominator = 0;
  ids.forEach((row, b) => {
    const [label, weight] = [labels[b], weights?.[b]];
    if (label?.length !== row.length || (weights && weight?.length !== row.length))
      throw new BadInput({
        problem: `Row ${b} has not one label${weights ? ' and weight' : ''} a token`,
        expected: `${row.length}`,
        found: `${label?.length ?? 'no'} labels${weights ? ` and ${weight?.length ?? 'no'} weights` : ''}`,
      });
    for (let t = 1; t < row.length; t++) {
      const id = label[t]!;
      if (id === -100) continue;
      if (!(Number.isInteger(id) && id >= 0 && id < vocabSize))
        throw new BadInput({
          problem: `Row ${b} has a label that is no token, at position ${t}`,
          expected: `-100 or an integer from 0 to ${vocabSize - 1}`,
          found: quote(id),
        });
      keep.push(start + t - 1);
      wanted.push(id);
      const factor = weight?.[t] ?? 1;
      factors.push(factor);
      denominator += factor;
    }
    start += row.length;
  });
  return { keep: Int32Array.from(keep), labels: Int32Array.from(wanted), weights: Float32Array.from(factors), denominator };
}

/** Take padding out. Throws BadInput for a mask that does not fit and for rows without tokens. */
export function unpad(ids: number[][], mask?: number[][]): Unpadded {
  if (ids.length === 0) throw new BadInput({ problem: 'The batch has no rows', expected: 'at least one row of token ids' });
  const time = Math.max(...ids.map(row => row.length));
  const slots: number[] = [];
  const rows = ids.map((row, b) => {
    const real = mask?.[b];
    if (mask && real?.length !== row.length)
      throw new BadInput({
        problem: `Row ${b} of the attention mask is not as long as its row of ids`,
        expected: `${row.length}`,
        found: `${real?.length ?? 'no row'}`,
      });
    const kept = row.filter((_, t) => real?.[t] !== 0);
    if (kept.length === 0)
      throw new BadInput({
        problem: `Row ${b} has no tokens`,
        expected: 'at least one token that is not padding',
        fix: 'begin an empty prompt with the bos or eos token',
      });
    row.forEach((_, t) => {
      if (real?.[t] !== 0) slots.push(b * time + t);
    });
    return kept;
  });
  return { rows, slots: Int32Array.from(slots), time };
}

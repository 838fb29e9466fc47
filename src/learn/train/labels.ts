import type { TrainRow } from './types.js';

/** The labelled tokens of rows, in the order in which a model's pass has them (`pass.hidden`, `pass.labels`). */
export interface LabelledTokens {
  /** Index of the row each belongs to. */
  row: number[];
  /** Where it stands in its row: `rows[row].labels[at]`. */
  at: number[];
  /** Its weight. */
  weight: number[];
}

/** Find the labelled tokens of rows, also those of weight 0. */
export function labelledTokens(rows: readonly TrainRow[], seq2seq: boolean): LabelledTokens {
  const found: LabelledTokens = { row: [], at: [], weight: [] };
  rows.forEach((row, index) => {
    for (let at = seq2seq ? 0 : 1; at < row.labels.length; at++) {
      if (!isLabelled(row, at)) continue;
      found.row.push(index);
      found.at.push(at);
      found.weight.push(row.weights?.[at] ?? 1);
    }
  });
  return found;
}

/**
 * Labelled tokens. What begins a row or a segment has no token before it that could predict it; the decoder of an
 * encoder–decoder (`seq2seq`) predicts its first label too.
 */
export function countLabels(row: TrainRow, seq2seq: boolean = false): number {
  let count = 0;
  for (let i = seq2seq ? 0 : 1; i < row.labels.length; i++) if (isLabelled(row, i) && (row.weights?.[i] ?? 1) > 0) count++;
  return count;
}

function isLabelled({ labels, segmentIds }: TrainRow, at: number): boolean {
  return labels[at] !== -100 && segmentIds?.[at] === segmentIds?.[at - 1];
}

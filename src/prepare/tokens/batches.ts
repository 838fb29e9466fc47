import { BadInput, Random } from '../../base/core/index.js';

/** A row as a model takes it. */
export interface TrainableRow {
  ids: readonly number[];
  labels: readonly number[];
  weights?: readonly number[];
}

/** Rows of one step, ragged: nothing is padded here, the model layer does what it needs. */
export interface Batch {
  ids: number[][];
  labels: number[][];
  weights?: number[][];
  /** Indices of the rows in the data set. */
  rows: number[];
  /** Where to go on after this batch: pass it as `from`. */
  next: BatchPosition;
}

/** A place in the order of batches; plain JSON, for checkpoints. */
export interface BatchPosition {
  epoch: number;
  /** Rows of this epoch already given. */
  row: number;
}

export interface BatchOptions {
  batchSize: number;
  seed?: number | string;
  /** A new order every epoch. Defaults to true. */
  shuffle?: boolean;
  /** Passes over the data. Defaults to 1; `Infinity` never ends. */
  epochs?: number;
  from?: BatchPosition;
}

/**
 * Batches in an order that depends on seed and epoch alone, so that going on from a saved position gives the batches
 * an uninterrupted run would have had. The last batch of an epoch may be smaller.
 */
export function* batches(rows: readonly TrainableRow[], options: BatchOptions): Generator<Batch> {
  const { batchSize, seed = 0, shuffle = true, epochs = 1, from = { epoch: 0, row: 0 } } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1 || rows.length === 0) {
    throw new BadInput({
      problem: 'no batches can be made',
      expected: 'at least one row and a batchSize ≥ 1',
      found: `${rows.length} rows, batchSize ${batchSize}`,
      fix: 'check both',
    });
  }
  const order = [...rows.keys()];
  for (let { epoch, row } = from; epoch < epochs; epoch++, row = 0) {
    const shuffled = shuffle ? new Random(`batches/${seed}/${epoch}`).shuffle(order) : order;
    for (; row < rows.length; row += batchSize) {
      const chosen = shuffled.slice(row, row + batchSize);
      const picked = chosen.map(i => rows[i]!);
      const after = row + batchSize;
      const batch: Batch = {
        ids: picked.map(r => [...r.ids]),
        labels: picked.map(r => [...r.labels]),
        rows: chosen,
        next: after >= rows.length ? { epoch: epoch + 1, row: 0 } : { epoch, row: after },
      };
      if (picked.some(r => r.weights)) batch.weights = picked.map(r => [...(r.weights ?? r.labels.map(l => (l < 0 ? 0 : 1)))]);
      yield batch;
    }
  }
}

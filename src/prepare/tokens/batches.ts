import { BadInput, Random } from '../../base/core/index.js';
import { type Bucket, bucketed, bucketWindow, paddingShare } from './order.js';

/** A row as a model takes it. */
export interface TrainableRow {
  ids: readonly number[];
  labels: readonly number[];
  weights?: readonly number[];
  /** Of a packed row ({@link pack}), the segment of every token. */
  segmentIds?: readonly number[];
}

/** Rows as a model takes them, ragged: nothing is padded here, the model layer does what it needs. */
export interface RowsOfBatch {
  ids: number[][];
  labels: number[][];
  weights?: number[][];
  segmentIds?: number[][];
  /** The share of a padded rectangle of these rows that would hold padding. */
  padding: number;
}

/** Rows of one step. */
export interface Batch extends RowsOfBatch {
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
  /**
   * Batches of rows of like length: the (shuffled) rows are sorted by length within windows, 50 batches long unless told in
   * rows, and the batches are shuffled. The model layer computes nothing on padding, so what it saves is attention's work on
   * rows of unequal length. Defaults to false.
   */
  bucket?: Bucket;
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
  const window = bucketWindow(options.bucket, batchSize);
  const order = [...rows.keys()];
  for (let { epoch, row } = from; epoch < epochs; epoch++, row = 0) {
    let current = shuffle ? new Random(`batches/${seed}/${epoch}`).shuffle(order) : order;
    if (window) {
      const random = new Random(`buckets/${seed}/${shuffle ? epoch : 0}`);
      current = bucketed(current, i => rows[i]!.ids.length, { batchSize, window, random });
    }
    for (; row < rows.length; row += batchSize) {
      const chosen = current.slice(row, row + batchSize);
      const after = row + batchSize;
      yield {
        ...batchOf(chosen.map(i => rows[i]!)),
        rows: chosen,
        next: after >= rows.length ? { epoch: epoch + 1, row: 0 } : { epoch, row: after },
      };
    }
  }
}

/** Put rows together as a model takes them. */
export function batchOf(rows: readonly TrainableRow[]): RowsOfBatch {
  const batch: RowsOfBatch = {
    ids: rows.map(r => [...r.ids]),
    labels: rows.map(r => [...r.labels]),
    padding: paddingShare(rows.map(r => r.ids.length)),
  };
  if (rows.some(r => r.weights)) batch.weights = rows.map(r => [...(r.weights ?? r.labels.map(l => (l < 0 ? 0 : 1)))]);
  // A row without segment ids among packed ones is one segment.
  if (rows.some(r => r.segmentIds)) batch.segmentIds = rows.map(r => [...(r.segmentIds ?? r.ids.map(() => 1))]);
  return batch;
}

import { BadInput } from '../../base/core/index.js';
import type { Row } from '../data/index.js';
import { type EncodeOptions, encode } from './encode.js';
import type { EncodedRow } from './encoded.js';
import { Tokenizer, type TokenizerConfig, type TokenizerOptions } from './tokenizer.js';

/** What a thread is made with. */
export interface WorkerSetUp {
  tokenizer: { json: object; config: TokenizerConfig; options: TokenizerOptions };
  options: Omit<EncodeOptions, 'tokenizer'>;
}

/** Encoded rows on their way between threads: all of them in three flat arrays. */
export interface FlatRows {
  ids: Int32Array;
  labels: Int32Array;
  /** Empty when no row has weights. */
  weights: Float64Array;
  rows: { index: number; length: number; weighted: boolean; straddling: number; truncated: boolean; gap?: number }[];
  dropped: { index: number; reason: string }[];
}

/** Encode a part of a data set; what is dropped is listed with its index in the whole. */
export function encodeFlat(rows: readonly Row[], first: number, options: EncodeOptions): FlatRows {
  const made: { row: EncodedRow; index: number }[] = [];
  const dropped: FlatRows['dropped'] = [];
  for (const [i, row] of rows.entries()) {
    const index = first + i;
    try {
      const encoded = encode(row, options).compact();
      if (encoded.trained > 0) made.push({ row: encoded, index });
      else if (encoded.truncated)
        dropped.push({ index, reason: `no token to train on is left within maxLength ${options.maxLength}` });
      else dropped.push({ index, reason: 'it has no token to train on' });
    } catch (error) {
      if (!(error instanceof BadInput)) throw error;
      dropped.push({ index, reason: error.message });
    }
  }
  const total = made.reduce((n, { row }) => n + row.length, 0);
  const anyWeight = made.some(({ row }) => row.weights);
  const flat: FlatRows = {
    ids: new Int32Array(total),
    labels: new Int32Array(total),
    weights: new Float64Array(anyWeight ? total : 0),
    rows: [],
    dropped,
  };
  let at = 0;
  for (const { row, index } of made) {
    const { ids, labels, weights, length, straddling, truncated, gap } = row;
    flat.ids.set(ids, at);
    flat.labels.set(labels, at);
    if (weights) flat.weights.set(weights, at);
    flat.rows.push({
      index,
      length,
      weighted: weights !== undefined,
      straddling,
      truncated,
      ...(gap === undefined ? {} : { gap }),
    });
    at += length;
  }
  return flat;
}

/** The side of a thread: waits for parts of the data set and answers with their rows. Started by `encodeRowsParallel`. */
export async function serve(): Promise<void> {
  const { parentPort, workerData } = await import('node:worker_threads');
  const { tokenizer, options } = workerData as WorkerSetUp;
  const full: EncodeOptions = {
    ...options,
    tokenizer: Tokenizer.fromJSON(tokenizer.json, tokenizer.config, tokenizer.options),
  };
  parentPort!.on('message', ({ rows, first }: { rows: Row[]; first: number }) => {
    const flat = encodeFlat(rows, first, full);
    parentPort!.postMessage(flat, [flat.ids.buffer, flat.labels.buffer, flat.weights.buffer] as ArrayBuffer[]);
  });
}

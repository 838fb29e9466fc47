import * as tf from '@tensorflow/tfjs-core';
import { BadInput, Interrupted, quote, Random } from '../../base/core/index.js';
import { causalAttention, matmul, rope } from '../../base/ops/index.js';
import { KeyValueCache } from './cache.js';
import { decode, headName } from './decoder.js';
import type { Model } from './model.js';
import { pack } from './packed.js';
import { type SamplingOptions, sampleToken } from './sampling.js';

/** Options of {@link Model.generate}. */
export interface GenerateOptions extends SamplingOptions {
  /** Upper bound of new tokens a row; 64 unless told. */
  maxNewTokens?: number;
  /** Seed of the sampling; every row has its own stream, so that a row's text does not depend on its neighbours. */
  seed?: number;
  /** Tokens that end a row; the model's own ({@link Model.stopIds}) unless told. The one that ended a row is part of its ids. */
  stopIds?: readonly number[];
  /** 1 real, 0 padding; for rows that are padded. */
  attentionMask?: number[][];
  signal?: AbortSignal;
}

/** What {@link Model.generate} returns. */
export interface Generated {
  /** Prompt as given and continuation, row by row. Rows differ in length. */
  ids: number[][];
  /** Why every row ended: at a stop token, or at the length asked for (or at the end of the model's context). */
  finish: ('stop' | 'length')[];
}

/**
 * Batched generation with a key-value cache: the prompts once in full, then one token a row and step. `rows` are the
 * prompts without padding, `prompts` as the caller gave them.
 */
export async function generate(
  model: Model,
  rows: number[][],
  prompts: number[][],
  options: GenerateOptions,
): Promise<Generated> {
  checkOptions(options);
  const { maxNewTokens = 64, seed = 0, stopIds = model.stopIds, signal } = options;
  const random = new Random(seed);
  const streams = rows.map((_, row) => random.fork(`row ${row}`));
  const stops = new Set(stopIds);
  const ids = prompts.map(row => row.slice());
  const lengths = rows.map(row => row.length);
  const finish: ('stop' | 'length')[] = rows.map(() => 'length');
  const running = rows.map(() => maxNewTokens > 0);
  const cache = new KeyValueCache(model.config, lengths);
  let feed: number[] | undefined;
  try {
    for (let step = 0; step < maxNewTokens; step++) {
      lengths.forEach((length, row) => {
        if (length >= model.config.maxPositionEmbeddings + 1) running[row] = false;
      });
      if (!running.includes(true)) break;
      if (signal?.aborted) throw new Interrupted({ problem: 'Generation was stopped', cause: signal.reason });
      const chosen = nextTokens(feed ? advance(model, cache, feed) : prefill(model, cache, rows), options, streams);
      chosen.forEach((token, row) => {
        if (!running[row]) return;
        ids[row]!.push(token);
        lengths[row]!++;
        if (!stops.has(token)) return;
        finish[row] = 'stop';
        running[row] = false;
      });
      feed = chosen;
      // Timers, sockets and a notebook's interrupt get their turn at every token.
      await new Promise(resolve => setImmediate(resolve));
    }
  } finally {
    cache.dispose();
  }
  return { ids, finish };
}

/** Logits after the prompts: [rows, vocabSize]. Fills the cache. */
function prefill(model: Model, cache: KeyValueCache, rows: number[][]): tf.Tensor2D {
  return tf.tidy(() => {
    const packed = pack(rows, model.config, { shared: false });
    const weights = model.readWeights();
    const last = tf.tensor1d(
      packed.starts.map((start, row) => start + rows[row]!.length - 1),
      'int32',
    );
    const attend = (q: tf.Tensor2D, k: tf.Tensor2D, v: tf.Tensor2D, layer: number) => {
      const turned = rope(k, packed.keyRope);
      cache.fill(layer, turned, v, packed.layout);
      return causalAttention(rope(q, packed.queryRope), turned, v, packed.layout, 1);
    };
    const hidden = decode(packed.ids, weights, model.config, attend, last);
    return matmul(hidden, weights.get(headName(model.config)) as tf.Tensor2D, false, true);
  });
}

/** Logits after one more token a row. */
function advance(model: Model, cache: KeyValueCache, tokens: number[]): tf.Tensor2D {
  return tf.tidy(() => {
    const weights = model.readWeights();
    const step = cache.step();
    const hidden = decode(tf.tensor1d(tokens, 'int32'), weights, model.config, step);
    return matmul(hidden, weights.get(headName(model.config)) as tf.Tensor2D, false, true);
  });
}

function nextTokens(logits: tf.Tensor2D, options: GenerateOptions, streams: Random[]): number[] {
  try {
    if (!options.temperature) return Array.from(tf.tidy(() => tf.argMax(logits, 1).dataSync()));
    const [rows, vocabulary] = logits.shape;
    const values = logits.dataSync();
    return Array.from({ length: rows }, (_, row) =>
      sampleToken(values.subarray(row * vocabulary, (row + 1) * vocabulary), options, streams[row]!),
    );
  } finally {
    logits.dispose();
  }
}

function checkOptions({ maxNewTokens, temperature, topK, topP }: GenerateOptions): void {
  const check = (key: string, value: number | undefined, good: (v: number) => boolean, expected: string) => {
    if (value !== undefined && !(typeof value === 'number' && good(value)))
      throw new BadInput({ problem: 'This generation option cannot be used', where: { key }, expected, found: quote(value) });
  };
  check('maxNewTokens', maxNewTokens, v => Number.isInteger(v) && v >= 0, 'an integer from 0');
  check('temperature', temperature, v => v >= 0 && v < Number.POSITIVE_INFINITY, 'a number from 0');
  check('topK', topK, v => Number.isInteger(v) && v >= 1, 'an integer from 1');
  check('topP', topP, v => v > 0 && v <= 1, 'a number above 0, at most 1');
}

import * as tf from '@tensorflow/tfjs-core';
import { gather, gatherRows } from '../../../base/ops/index.js';
import type { T5Config } from './config.js';

const f32 = Math.fround;

/**
 * The bucket of a distance, key position − query position (Raffel et al. 2020). The decoder looks back only; the encoder has
 * half of the buckets for either direction. Of a direction's n buckets one half holds the distances below n/2 one by one,
 * the other all up to the largest distance in steps that grow logarithmically; what is farther is in the last.
 *
 * The logarithm is taken in float32, as transformers does: at the borders of buckets float64 would give others.
 */
export function relativeBucket(
  distance: number,
  { relativeAttentionNumBuckets, relativeAttentionMaxDistance }: T5Config,
  bidirectional: boolean,
): number {
  const buckets = bidirectional ? Math.floor(relativeAttentionNumBuckets / 2) : relativeAttentionNumBuckets;
  const first = bidirectional && distance > 0 ? buckets : 0;
  const far = bidirectional ? Math.abs(distance) : Math.max(0, -distance);
  const exact = Math.floor(buckets / 2);
  if (far < exact) return first + far;
  const log = f32(Math.log(f32(far / exact)));
  const steps = f32(f32(log / f32(Math.log(relativeAttentionMaxDistance / exact))) * (buckets - exact));
  return first + Math.min(exact + Math.trunc(steps), buckets - 1);
}

/** Buckets of every query against every key, both from position 0 on, by rows: int32 [queries · keys]. */
export function relativeBuckets(queries: number, keys: number, config: T5Config, bidirectional: boolean): tf.Tensor1D {
  // Only differences count: every one is looked up once.
  const byDistance = Int32Array.from({ length: queries + keys - 1 }, (_, i) =>
    relativeBucket(i - queries + 1, config, bidirectional),
  );
  const buckets = new Int32Array(queries * keys);
  for (let q = 0; q < queries; q++) buckets.set(byDistance.subarray(queries - 1 - q, queries - 1 - q + keys), q * keys);
  return tf.tensor1d(buckets, 'int32');
}

/**
 * The bias of every head for these buckets: [heads, queries, keys]. Gradients flow into the table.
 *
 * @param table [buckets, heads]
 */
export function relativeBias(table: tf.Tensor2D, buckets: tf.Tensor1D, queries: number, keys: number): tf.Tensor3D {
  const heads = table.shape[1];
  return tf.transpose(tf.reshape(gatherRows(table, buckets), [queries, keys, heads]), [2, 0, 1]);
}

/**
 * The decoder's bias of one query a row against keys at positions 0 … slots − 1: [rows, heads, slots], or [1, heads, slots] where
 * all queries stand at one position. What comes behind a query is for a mask to hide. Not differentiable.
 */
export function biasAtPositions(table: tf.Tensor2D, positions: readonly number[], slots: number, config: T5Config): tf.Tensor3D {
  const different = positions.every(position => position === positions[0]) ? positions.slice(0, 1) : positions;
  const buckets = different.flatMap(position =>
    Array.from({ length: slots }, (_, slot) => relativeBucket(slot - position, config, false)),
  );
  const biases = gather(table, tf.tensor1d(buckets, 'int32'));
  return tf.transpose(tf.reshape(biases, [different.length, slots, table.shape[1]]), [0, 2, 1]);
}

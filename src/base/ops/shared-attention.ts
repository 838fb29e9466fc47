import * as tf from '@tensorflow/tfjs-core';
import { native } from '../backend/index.js';
import { batchMatmul } from './matmul.js';
import { sharedAttentionFused } from './native/fused.js';
import { MASKED } from './ragged.js';
import { softcapped } from './softcap.js';

/** Attention to some of a query's keys, and what is needed for it to go on over others: the softmax is over all of them. */
export interface AttentionPart {
  /** [tokens, heads · headDim] */
  out: tf.Tensor2D;
  /** log Σ exp of the scores, [tokens, heads]. */
  logSum: tf.Tensor2D;
}

/** Keys and values that every query of a pass has before its own. */
export interface SharedKeys {
  /** [keyHeads, count, headDim] */
  keys: tf.Tensor3D;
  /** [keyHeads, count, headDim] */
  values: tf.Tensor3D;
}

/** Scores in work at the same time where there is no kernel: 16 MB of them. */
const SCORES = 2 ** 22;

/**
 * Attention that began with every query's own keys goes on over shared ones that come before those: with l and l′ the log Σ exp
 * of the scores on both sides, O = O_own + σ(l′ − l) · (O_shared − O_own), which is the softmax over all keys. What rows have in
 * common is so read, and multiplied, once for all of them. Not differentiable.
 *
 * @param q [tokens, heads · headDim], scaled
 * @param own attention to the keys behind the shared ones
 * @param positions every query's, counted from the first shared key
 * @param options `window`: as in {@link AttentionOptions}
 * @returns [tokens, heads · headDim]
 */
export function sharedAttention(
  q: tf.Tensor2D,
  own: AttentionPart,
  { keys, values }: SharedKeys,
  positions: readonly number[],
  { heads, window, softcap }: { heads: number; window?: number; softcap?: number },
): tf.Tensor2D {
  const [keyHeads, count, headDim] = keys.shape;
  const [tokens] = q.shape;
  // A window that reaches from the last query to the first key hides nothing.
  const hides = window !== undefined && Math.max(...positions) >= window;
  const door = native();
  if (door?.fused && !softcap) {
    const at = tf.tensor1d([...positions], 'int32');
    const shape = { heads, keyHeads, window: hides ? window : 0 };
    return sharedAttentionFused(door, [q, own.out, own.logSum, keys, values], at, shape);
  }
  const most = Math.max(1, Math.floor(SCORES / (heads * count)));
  if (tokens > most) {
    const parts = Array.from({ length: Math.ceil(tokens / most) }, (_, i) => {
      const [first, size] = [i * most, Math.min(most, tokens - i * most)];
      const cut = (x: tf.Tensor2D) => tf.slice(x, [first, 0], [size, -1]);
      const part = { out: cut(own.out), logSum: cut(own.logSum) };
      const there = positions.slice(first, first + size);
      return tf.tidy(() => sharedAttention(cut(q), part, { keys, values }, there, { heads, window, softcap }));
    });
    return tf.concat(parts, 0);
  }
  const group = heads / keyHeads;
  // All queries that look at a key head below each other: [keyHeads, tokens · group, headDim].
  const queries = tf.reshape(tf.transpose(tf.reshape(q, [tokens, keyHeads, group, headDim]), [1, 0, 2, 3]), [
    keyHeads,
    tokens * group,
    headDim,
  ]) as tf.Tensor3D;
  const scores = softcapped(batchMatmul(queries, keys, false, true), softcap);
  const shared = weighted(hides ? tf.add(scores, windowMask(positions, window, group, count)) : scores, values);
  const back = (x: tf.Tensor3D, width: number): tf.Tensor3D =>
    tf.reshape(tf.transpose(tf.reshape(x, [keyHeads, tokens, group, width]), [1, 0, 2, 3]), [tokens, heads, width]);
  const before = tf.reshape(own.out, [tokens, heads, headDim]);
  const share = tf.sigmoid(tf.sub(back(shared.logSum, 1), tf.reshape(own.logSum, [tokens, heads, 1])));
  const joined = tf.add(before, tf.mul(share, tf.sub(back(shared.out, headDim), before)));
  return tf.reshape(joined, [tokens, heads * headDim]);
}

/**
 * softmax(scores) · values, and log Σ exp of the scores.
 * @param scores [batch, queries, keys]
 * @param values [batch, keys, headDim]
 * @returns [batch, queries, headDim] and [batch, queries, 1]
 */
export function weighted(scores: tf.Tensor3D, values: tf.Tensor3D): { out: tf.Tensor3D; logSum: tf.Tensor3D } {
  const high = tf.max(scores, 2, true);
  const p = tf.exp(tf.sub(scores, high)) as tf.Tensor3D;
  const sum = tf.sum(p, 2, true);
  return { out: tf.div(batchMatmul(p, values), sum), logSum: tf.add(high, tf.log(sum)) as tf.Tensor3D };
}

/** 0 where a query sees a shared key, a large negative number elsewhere: [queries · group, count]. */
function windowMask(positions: readonly number[], window: number, group: number, count: number): tf.Tensor2D {
  const mask = new Float32Array(positions.length * group * count);
  positions.forEach((position, i) => {
    const hidden = Math.min(count, Math.max(0, position - window + 1));
    for (let g = 0; g < group; g++) mask.fill(MASKED, (i * group + g) * count, (i * group + g) * count + hidden);
  });
  return tf.tensor2d(mask, [positions.length * group, count]);
}

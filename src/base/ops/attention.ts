import * as tf from '@tensorflow/tfjs-core';
import { type NativeOps, native } from '../backend/index.js';
import { fused } from './fused.js';
import { gather } from './gather.js';
import { batchMatmul } from './matmul.js';
import { type AttentionShape, attentionFused, attentionGradFused, cachedAttentionFused } from './native/fused.js';
import type { RaggedLayout } from './ragged.js';
import { type AttentionPart, weighted } from './shared-attention.js';
import { softcapped } from './softcap.js';

/** Options of {@link causalAttention}. */
export interface AttentionOptions {
  /** Factor of the scores. 1/√headDim unless told; 1 when the rotation of the queries has it already ({@link ropeTable}). */
  scale?: number;
  /** A query sees the keys less than this many tokens back. All before it unless told. */
  window?: number;
  softcap?: number;
}

/**
 * Causal self-attention over rows of different lengths (Vaswani et al. 2017), grouped queries (Ainslie et al. 2023)
 * without repeating keys: the queries of a group stand below each other against their one key head.
 *
 * P = softmax(scale · Q Kᵀ + mask), O = P V.
 *
 * Gradient: dV = Pᵀ dO; dS = P ∘ (dO Vᵀ − Σ(dO ∘ O)); dQ = scale · dS K; dK = scale · dSᵀ Q. The row sums of dP ∘ P are
 * those of dO ∘ O (Dao et al. 2022), a head's width to add up instead of a row's length. With a soft cap c (Gemma 2) scores S
 * become c · tanh(S / c) before the mask, and dS is multiplied by 1 − tanh².
 *
 * @param q [tokens, heads · headDim]
 * @param k [tokens, keyHeads · headDim]
 * @param v [tokens, keyHeads · headDim]
 * @param layout where the rows lie, see {@link RaggedLayout}
 * @returns [tokens, heads · headDim]
 */
export function causalAttention(
  q: tf.Tensor2D,
  k: tf.Tensor2D,
  v: tf.Tensor2D,
  layout: RaggedLayout,
  options: AttentionOptions = {},
): tf.Tensor2D {
  const { tokens, heads, keyHeads } = layout;
  const headDim = q.shape[1] / heads;
  const { scale = 1 / Math.sqrt(headDim), window, softcap } = options;
  const door = native();
  if (door?.fused && !softcap) return attentionByKernel(door, times(q, scale), k, v, layout, window);
  return fused<tf.Tensor2D>([q, k, v], save => {
    const keys = besideKeys(k, layout);
    const values = besideKeys(v, layout);
    const queries = times(besideQueries(q, layout), scale);
    const scores = softcapped(batchMatmul(queries, keys, false, true), softcap);
    const p = tf.softmax(tf.add(scores, layout.windowed(window ?? Number.POSITIVE_INFINITY))) as tf.Tensor3D;
    const out = batchMatmul(p, values);
    if (softcap) save(queries, keys, values, p, out, scores);
    else save(queries, keys, values, p, out);
    return {
      value: back(out, layout.queryBack, [tokens, heads * headDim]),
      gradient: (dy, saved) => {
        const [queries, keys, values, p, out, scores] = saved as tf.Tensor3D[];
        const dOut = besideQueries(dy, layout);
        const dValues = batchMatmul(p!, dOut, true, false);
        const paid = tf.sum(tf.mul(dOut, out!), 2, true);
        let dScores = tf.mul(p!, tf.sub(batchMatmul(dOut, values!, false, true), paid)) as tf.Tensor3D;
        if (softcap) dScores = tf.mul(dScores, tf.sub(1, tf.square(tf.div(scores!, softcap))));
        const dQueries = times(batchMatmul(dScores, keys!), scale);
        const dKeys = batchMatmul(dScores, queries!, true, false);
        return [
          back(dQueries, layout.queryBack, [tokens, heads * headDim]),
          back(dKeys, layout.keyBack, [tokens, keyHeads * headDim]),
          back(dValues, layout.keyBack, [tokens, keyHeads * headDim]),
        ];
      },
    };
  });
}

/** {@link causalAttention} that can go on over other keys. Not differentiable. */
export function causalAttentionPart(
  q: tf.Tensor2D,
  k: tf.Tensor2D,
  v: tf.Tensor2D,
  layout: RaggedLayout,
  { scale = 1 / Math.sqrt(q.shape[1] / layout.heads), window, softcap }: AttentionOptions = {},
): AttentionPart {
  const { tokens, heads } = layout;
  const door = native();
  if (door?.fused && !softcap) return attentionFused(door, [times(q, scale), k, v], layout.starts, kernelShape(layout, window));
  const queries = times(besideQueries(q, layout), scale);
  const scores = softcapped(batchMatmul(queries, besideKeys(k, layout), false, true), softcap);
  const mask = layout.windowed(window ?? Number.POSITIVE_INFINITY);
  const { out, logSum } = weighted(tf.add(scores, mask), besideKeys(v, layout));
  return { out: back(out, layout.queryBack, q.shape), logSum: back(logSum, layout.queryBack, [tokens, heads]) };
}

/** By the fused kernel, which keeps one number a query for the gradient in place of all the scores. */
function attentionByKernel(
  door: NativeOps,
  q: tf.Tensor2D,
  k: tf.Tensor2D,
  v: tf.Tensor2D,
  layout: RaggedLayout,
  window?: number,
): tf.Tensor2D {
  const { starts } = layout;
  const shape = kernelShape(layout, window);
  return fused<tf.Tensor2D>([q, k, v], save => {
    const { out, logSum } = attentionFused(door, [q, k, v], starts, shape);
    save(q, k, v, out, logSum);
    return { value: out, gradient: (dy, saved) => attentionGradFused(door, [dy, ...saved], starts, shape) };
  });
}

function kernelShape({ heads, keyHeads, time }: RaggedLayout, window: number | undefined): AttentionShape {
  // A window as long as the longest row hides nothing.
  return { heads, keyHeads, window: window === undefined || window >= time ? 0 : window };
}

/**
 * Attention of one new token a row to the keys and values of its row, where the fused kernels are in use; undefined elsewhere.
 * Not differentiable.
 *
 * @param q [rows, heads · headDim], scaled
 * @param keys [rows · keyHeads, slots, headDim]
 * @param values [rows · keyHeads, slots, headDim]
 * @param positions slot of every row's new token, whose key and value stand there already: int32 [rows]
 * @returns for every row, in `out` [rows, heads · headDim]
 */
export function cachedAttention(
  q: tf.Tensor2D,
  keys: tf.Tensor3D,
  values: tf.Tensor3D,
  positions: tf.Tensor1D,
  options: { heads: number; keyHeads: number; window?: number },
): AttentionPart | undefined {
  const door = native();
  if (!door?.fused) return undefined;
  const { heads, keyHeads, window } = options;
  const hides = window !== undefined && window < keys.shape[1];
  return cachedAttentionFused(door, q, keys, values, positions, { heads, keyHeads, window: hides ? window : 0 });
}

function times<T extends tf.Tensor>(x: T, scale: number): T {
  return scale === 1 ? x : tf.mul(x, scale);
}

/** Flat keys or values laid lane beside lane: [lanes · keyHeads, time, headDim]. Not differentiable by itself. */
export function besideKeys(flat: tf.Tensor2D, layout: RaggedLayout): tf.Tensor3D {
  const { tokens, keyHeads, lanes, time } = layout;
  const headDim = flat.shape[1] / keyHeads;
  const slices = gather(tf.reshape(flat, [tokens * keyHeads, headDim]), layout.keyIndex);
  return tf.reshape(slices, [lanes * keyHeads, time, headDim]);
}

/** Flat queries laid lane beside lane, the heads of a group below each other: [lanes · keyHeads, group · time, headDim]. */
function besideQueries(flat: tf.Tensor2D, layout: RaggedLayout): tf.Tensor3D {
  const { tokens, heads, keyHeads, lanes, time } = layout;
  const headDim = flat.shape[1] / heads;
  const slices = gather(tf.reshape(flat, [tokens * heads, headDim]), layout.queryIndex);
  return tf.reshape(slices, [lanes * keyHeads, (heads / keyHeads) * time, headDim]);
}

function back(beside: tf.Tensor, index: tf.Tensor1D, shape: [number, number]): tf.Tensor2D {
  const headDim = beside.shape[2]!;
  return tf.reshape(gather(tf.reshape(beside, [-1, headDim]), index), shape);
}

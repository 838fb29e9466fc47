import * as tf from '@tensorflow/tfjs-core';
import { fused } from './fused.js';
import { gather } from './gather.js';
import type { LaneLayout } from './lanes.js';
import { batchMatmul } from './matmul.js';

/**
 * Attention with a bias that is added to the scores of every head, as T5's relative positions are (Raffel et al. 2020), between
 * rows of queries and rows of keys that may have other lengths.
 *
 * P = softmax(scale · Q Kᵀ + bias + mask), O = P V.
 *
 * Gradient: dV = Pᵀ dO; dS = P ∘ (dO Vᵀ − Σ(dO ∘ O)); dQ = scale · dS K; dK = scale · dSᵀ Q; dbias = Σ_rows dS.
 *
 * @param q [query tokens, heads · headDim]
 * @param k [key tokens, heads · headDim]
 * @param v [key tokens, heads · headDim]
 * @param layout where the rows lie, see {@link LaneLayout}
 * @param options `bias`: [heads, queryTime, keyTime], the same for all rows; `frozen`: it is a constant; `scale`: 1 unless told
 * @returns [query tokens, heads · headDim]
 */
export function biasedAttention(
  q: tf.Tensor2D,
  k: tf.Tensor2D,
  v: tf.Tensor2D,
  layout: LaneLayout,
  options: { bias?: tf.Tensor3D; frozen?: boolean; scale?: number } = {},
): tf.Tensor2D {
  const { rows, heads, queryTime, keyTime, queryTokens, keyTokens } = layout;
  const { bias, scale = 1 } = options;
  const width = q.shape[1];
  const learned = bias !== undefined && !options.frozen;
  const times = (x: tf.Tensor3D) => (scale === 1 ? x : tf.mul(x, scale)) as tf.Tensor3D;
  return fused<tf.Tensor2D>(learned ? [q, k, v, bias] : [q, k, v], save => {
    const queries = times(besideQueries(q, layout));
    const keys = besideKeysOf(k, layout);
    const values = besideKeysOf(v, layout);
    const p = tf.softmax(seen(batchMatmul(queries, keys, false, true), layout, bias)) as tf.Tensor3D;
    const out = batchMatmul(p, values);
    save(queries, keys, values, p, out);
    return {
      value: back(out, layout.queryBack, [queryTokens, width]),
      gradient: (dy, saved) => {
        const [queries, keys, values, p, out] = saved as tf.Tensor3D[];
        const dOut = realOnly(besideQueries(dy, layout), layout);
        const dValues = batchMatmul(p!, dOut, true, false);
        const paid = tf.sum(tf.mul(dOut, out!), 2, true);
        const dScores = tf.mul(p!, tf.sub(batchMatmul(dOut, values!, false, true), paid)) as tf.Tensor3D;
        const gradients: tf.Tensor[] = [
          back(times(batchMatmul(dScores, keys!)), layout.queryBack, [queryTokens, width]),
          back(batchMatmul(dScores, queries!, true, false), layout.keyBack, [keyTokens, width]),
          back(dValues, layout.keyBack, [keyTokens, width]),
        ];
        if (learned) gradients.push(tf.sum(tf.reshape(dScores, [rows, heads, queryTime, keyTime]), 0));
        return gradients;
      },
    };
  });
}

/** Scores with bias and mask, [rows · heads, queryTime, keyTime]. */
function seen(scores: tf.Tensor3D, layout: LaneLayout, bias: tf.Tensor3D | undefined): tf.Tensor3D {
  const { rows, heads, queryTime, keyTime, mask } = layout;
  if (!bias && !mask) return scores;
  let sum = tf.reshape(scores, [rows, heads, queryTime, keyTime]) as tf.Tensor;
  if (bias) sum = tf.add(sum, bias);
  if (mask) sum = tf.add(sum, mask);
  return tf.reshape(sum, scores.shape);
}

/** Zero on the padding of queries, which see real keys and must not give them a gradient. */
function realOnly(beside: tf.Tensor3D, { rows, heads, queryTime, real }: LaneLayout): tf.Tensor3D {
  if (!real) return beside;
  return tf.reshape(tf.mul(tf.reshape(beside, [rows, heads, queryTime, -1]), real), beside.shape);
}

function besideQueries(flat: tf.Tensor2D, { rows, heads, queryTime, queryTokens, queryIndex }: LaneLayout): tf.Tensor3D {
  return beside(flat, queryIndex, queryTokens * heads, [rows * heads, queryTime]);
}

/** Flat keys or values laid row beside row: [rows · heads, keyTime, headDim]. Not differentiable by itself. */
export function besideKeysOf(flat: tf.Tensor2D, { rows, heads, keyTime, keyTokens, keyIndex }: LaneLayout): tf.Tensor3D {
  return beside(flat, keyIndex, keyTokens * heads, [rows * heads, keyTime]);
}

function beside(flat: tf.Tensor2D, index: tf.Tensor1D, slices: number, [lanes, time]: [number, number]): tf.Tensor3D {
  const headDim = flat.size / slices;
  return tf.reshape(gather(tf.reshape(flat, [slices, headDim]), index), [lanes, time, headDim]);
}

function back(beside: tf.Tensor3D, index: tf.Tensor1D, shape: [number, number]): tf.Tensor2D {
  return tf.reshape(gather(tf.reshape(beside, [-1, beside.shape[2]]), index), shape);
}

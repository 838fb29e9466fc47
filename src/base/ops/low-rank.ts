import * as tf from '@tensorflow/tfjs-core';
import { type Dropping, keepMask } from './dropout.js';
import { fused } from './fused.js';
import { matmul } from './matmul.js';

/**
 * A low-rank update of what a linear module gives (LoRA, Hu et al. 2021): z = y + s · (x̃ · Aᵀ) · Bᵀ, where x̃ is x after
 * dropout.
 *
 * Gradient, with h = s · x̃ · Aᵀ: dy = dz, dB = dzᵀ · h, g = s · dz · B, dA = gᵀ · x̃, dx = (g · A) after dropout. Kept for the
 * backward pass: x, which others keep too, h of [tokens, rank], and A and B. The base's weight does not appear: nothing of its
 * size is computed or kept.
 *
 * @param y [tokens, out], what the module gives without the update
 * @param x [tokens, in]
 * @param a [rank, in]
 * @param b [out, rank]
 * @param scale s, α/rank
 * @param dropping dropout on x, inverted
 */
export function lowRank(
  y: tf.Tensor2D,
  x: tf.Tensor2D,
  a: tf.Tensor2D,
  b: tf.Tensor2D,
  scale: number,
  dropping?: Dropping,
): tf.Tensor2D {
  // Dropout's factor is folded into the scale: it is then a factor of [tokens, rank] instead of [tokens, in].
  const s = dropping ? scale / (1 - dropping.rate) : scale;
  const kept = (t: tf.Tensor2D): tf.Tensor2D => (dropping ? tf.mul(t, keepMask(t.shape, dropping)) : t);
  return fused<tf.Tensor2D>([y, x, a, b], save => {
    const h = tf.mul(matmul(kept(x), a, false, true), s) as tf.Tensor2D;
    save(x, a, b, h);
    return {
      value: tf.add(y, matmul(h, b, false, true)),
      gradient: (dz, saved) => {
        const [x, a, b, h] = saved as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
        const g = tf.mul(matmul(dz, b), s) as tf.Tensor2D;
        // A clone, because the tape frees what it is given for each input by itself.
        return [tf.clone(dz), kept(matmul(g, a)), matmul(g, kept(x), true, false), matmul(dz, h, true, false)];
      },
    };
  });
}

/**
 * The same update of a whole weight: V = W + s · B · A, or its transpose for weights that lie as [in, out]: V = W + s · (B · A)ᵀ.
 * For modules whose weight is used as a matrix, such as embeddings.
 *
 * Gradient, with D = dV (transposed where W is): dW = dV, dB = s · D · Aᵀ, dA = s · Bᵀ · D.
 */
export function lowRankWeight(
  weight: tf.Tensor2D,
  a: tf.Tensor2D,
  b: tf.Tensor2D,
  scale: number,
  transposed: boolean,
): tf.Tensor2D {
  return fused<tf.Tensor2D>([weight, a, b], save => {
    save(a, b);
    // The factor goes on the small matrix.
    const scaled = tf.mul(b, scale) as tf.Tensor2D;
    return {
      value: tf.add(weight, transposed ? matmul(a, scaled, true, true) : matmul(scaled, a)),
      gradient: (dv, saved) => {
        const [a, b] = saved as [tf.Tensor2D, tf.Tensor2D];
        const db = matmul(dv, a, transposed, true);
        const da = transposed ? matmul(b, dv, true, true) : matmul(b, dv, true, false);
        return [tf.clone(dv), tf.mul(da, scale), tf.mul(db, scale)];
      },
    };
  });
}

import * as tf from '@tensorflow/tfjs-core';
import { fused } from './fused.js';
import { matmul } from './matmul.js';

/**
 * Root-mean-square norm (Zhang & Sennrich 2019): y = w ∘ x̂ with x̂ = x · r and r = (mean(x²) + ε)^−½ over the last axis.
 *
 * Gradient, with g = dy ∘ w: dx = r · (g − x̂ · mean(g ∘ x̂)), dw = Σ_rows dy ∘ x̂.
 *
 * @param x [tokens, width]
 * @param weight [width]
 */
export function rmsNorm(x: tf.Tensor2D, weight: tf.Tensor1D, epsilon: number): tf.Tensor2D {
  const width = x.shape[1];
  return fused<tf.Tensor2D>([x, weight], save => {
    const r = tf.rsqrt(tf.add(tf.mean(tf.mul(x, x), 1, true), epsilon));
    const normed = tf.mul(x, r);
    save(normed, r, weight);
    return {
      value: tf.mul(normed, weight),
      gradient: (dy, [normed, r, weight]) => {
        const paid = tf.mul(dy, normed!);
        const dw = tf.sum(paid, 0);
        const g = tf.mul(dy, weight!);
        // mean(g ∘ x̂) = paid · w / width: a product instead of a pass over the matrix and a sum.
        const along = tf.div(matmul(paid as tf.Tensor2D, tf.reshape(weight!, [width, 1])), width);
        return [tf.mul(tf.sub(g, tf.mul(normed!, along)), r!), dw];
      },
    };
  });
}

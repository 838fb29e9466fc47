import * as tf from '@tensorflow/tfjs-core';
import { type NativeOps, native } from '../backend/index.js';
import { fused } from './fused.js';
import { matmul } from './matmul.js';
import { rmsNormFused, rmsNormGradFused } from './native/fused.js';
import { inverseRmsKernel } from './native/kernels.js';

/** Options of the norms. */
export interface NormOptions {
  /** The weight (and bias) are constants: their gradients are never computed. */
  frozen?: boolean;
}

/**
 * Root-mean-square norm (Zhang & Sennrich 2019): y = (o + w) ∘ x̂ with x̂ = x · r and r = (mean(x²) + ε)^−½ over the last axis.
 *
 * Gradient, with g = dy ∘ (o + w): dx = r · (g − x̂ · mean(g ∘ x̂)), dw = Σ_rows dy ∘ x̂.
 *
 * @param x [tokens, width]
 * @param weight [width]
 * @param options `offset` o: 1 where weights are stored as differences from one (Gemma), else 0
 */
export function rmsNorm(
  x: tf.Tensor2D,
  weight: tf.Tensor1D,
  epsilon: number,
  options: NormOptions & { offset?: 0 | 1 } = {},
): tf.Tensor2D {
  const door = native();
  if (door?.fused) return rmsNormByKernel(door, x, weight, epsilon, options);
  const width = x.shape[1];
  return fused<tf.Tensor2D>(options.frozen ? [x] : [x, weight], save => {
    const r = door ? inverseRmsKernel(door, x, epsilon) : tf.rsqrt(tf.add(tf.mean(tf.mul(x, x), 1, true), epsilon));
    const normed = tf.mul(x, r);
    const factor = options.offset ? tf.add(weight, 1) : weight;
    save(normed, r, factor);
    return {
      value: tf.mul(normed, factor),
      gradient: (dy, [normed, r, factor]) => {
        const paid = tf.mul(dy, normed!);
        const g = tf.mul(dy, factor!);
        // mean(g ∘ x̂) = paid · w / width: a product instead of a pass over the matrix and a sum.
        const along = tf.div(matmul(paid as tf.Tensor2D, tf.reshape(factor!, [width, 1])), width);
        const dx = tf.mul(tf.sub(g, tf.mul(normed!, along)), r!);
        return options.frozen ? [dx] : [dx, tf.sum(paid, 0)];
      },
    };
  });
}

function rmsNormByKernel(
  door: NativeOps,
  x: tf.Tensor2D,
  weight: tf.Tensor1D,
  epsilon: number,
  { frozen = false, offset = 0 }: NormOptions & { offset?: 0 | 1 },
): tf.Tensor2D {
  return fused<tf.Tensor2D>(frozen ? [x] : [x, weight], save => {
    const { y, r } = rmsNormFused(door, x, weight, epsilon, offset);
    save(x, weight, r);
    return { value: y, gradient: (dy, [x, weight, r]) => rmsNormGradFused(door, dy, x!, weight!, r!, { offset, frozen }) };
  });
}

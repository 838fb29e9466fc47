import * as tf from '@tensorflow/tfjs-core';
import { type NativeOps, native } from '../backend/index.js';
import { fused } from './fused.js';
import { layerNormFused, layerNormGradFused } from './native/fused.js';
import type { NormOptions } from './rms-norm.js';

/**
 * Layer norm (Ba et al. 2016): y = w ∘ x̂ + b with x̂ = (x − mean(x)) · r and r = (var(x) + ε)^−½ over the last axis, the
 * variance without Bessel's correction.
 *
 * Gradient, with g = dy ∘ w: dx = r · (g − mean(g) − x̂ · mean(g ∘ x̂)), dw = Σ_rows dy ∘ x̂, db = Σ_rows dy.
 *
 * @param x [tokens, width]
 * @param weight [width]
 * @param bias [width]
 */
export function layerNorm(
  x: tf.Tensor2D,
  weight: tf.Tensor1D,
  bias: tf.Tensor1D,
  epsilon: number,
  options: NormOptions = {},
): tf.Tensor2D {
  const door = native();
  if (door?.fused) return layerNormByKernel(door, [x, weight, bias], epsilon, options);
  return fused<tf.Tensor2D>(options.frozen ? [x] : [x, weight, bias], save => {
    const centred = tf.sub(x, tf.mean(x, 1, true));
    const r = tf.rsqrt(tf.add(tf.mean(tf.mul(centred, centred), 1, true), epsilon));
    const normed = tf.mul(centred, r);
    save(normed, r, weight);
    return {
      value: tf.add(tf.mul(normed, weight), bias),
      gradient: (dy, [normed, r, weight]) => {
        const g = tf.mul(dy, weight!);
        const along = tf.mean(tf.mul(g, normed!), 1, true);
        const dx = tf.mul(tf.sub(tf.sub(g, tf.mean(g, 1, true)), tf.mul(normed!, along)), r!);
        return options.frozen ? [dx] : [dx, tf.sum(tf.mul(dy, normed!), 0), tf.sum(dy, 0)];
      },
    };
  });
}

function layerNormByKernel(
  door: NativeOps,
  [x, weight, bias]: [tf.Tensor2D, tf.Tensor1D, tf.Tensor1D],
  epsilon: number,
  { frozen = false }: NormOptions,
): tf.Tensor2D {
  return fused<tf.Tensor2D>(frozen ? [x] : [x, weight, bias], save => {
    const { y, mean, r } = layerNormFused(door, x, weight, bias, epsilon);
    save(x, weight, mean, r);
    return { value: y, gradient: (dy, saved) => layerNormGradFused(door, [dy, ...saved], frozen) };
  });
}

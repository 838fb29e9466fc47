import * as tf from '@tensorflow/tfjs-core';
import { fused } from './fused.js';
import { matmul } from './matmul.js';

/**
 * y = x · Wᵀ + b, with W in Hugging Face's layout [out, in].
 *
 * Gradient: dx = dy · W, dW = dyᵀ · x, db = Σ_rows dy.
 *
 * @param x [tokens, in]
 * @param weight [out, in]
 * @param bias [out]
 * @param options `frozen`: the weight and bias are constants, their gradients are never computed.
 * @returns [tokens, out]
 */
export function linear(x: tf.Tensor2D, weight: tf.Tensor2D, bias?: tf.Tensor1D, options: { frozen?: boolean } = {}): tf.Tensor2D {
  const inputs: tf.Tensor[] = options.frozen ? [x] : bias ? [x, weight, bias] : [x, weight];
  return fused<tf.Tensor2D>(inputs, save => {
    const product = matmul(x, weight, false, true);
    if (options.frozen) save(weight);
    else save(weight, x);
    return {
      value: bias ? tf.add(product, bias) : product,
      gradient: (dy, [w, saved]) => {
        const dx = matmul(dy, w as tf.Tensor2D);
        if (options.frozen) return [dx];
        const dw = matmul(dy, saved as tf.Tensor2D, true, false);
        return bias ? [dx, dw, tf.sum(dy, 0)] : [dx, dw];
      },
    };
  });
}

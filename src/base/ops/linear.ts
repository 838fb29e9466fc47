import * as tf from '@tensorflow/tfjs-core';
import { fused } from './fused.js';
import { matmul } from './matmul.js';

/** Options of {@link linear}. */
export interface LinearOptions {
  /** The weight and bias are constants: their gradients are never computed. */
  frozen?: boolean;
  /** The weight is stored [in, out], as GPT-2's Conv1D has it. */
  transposed?: boolean;
}

/**
 * y = x · Wᵀ + b, with W in Hugging Face's layout [out, in].
 *
 * Gradient: dx = dy · W, dW = dyᵀ · x, db = Σ_rows dy.
 *
 * @param x [tokens, in]
 * @param weight [out, in]; [in, out] when `transposed`
 * @param bias [out]
 * @returns [tokens, out]
 */
export function linear(x: tf.Tensor2D, weight: tf.Tensor2D, bias?: tf.Tensor1D, options: LinearOptions = {}): tf.Tensor2D {
  const { frozen = false, transposed = false } = options;
  const inputs: tf.Tensor[] = frozen ? [x] : bias ? [x, weight, bias] : [x, weight];
  return fused<tf.Tensor2D>(inputs, save => {
    const product = matmul(x, weight, false, !transposed);
    if (frozen) save(weight);
    else save(weight, x);
    return {
      value: bias ? tf.add(product, bias) : product,
      gradient: (dy, [w, saved]) => {
        const dx = matmul(dy, w as tf.Tensor2D, false, transposed);
        if (frozen) return [dx];
        const x = saved as tf.Tensor2D;
        const dw = transposed ? matmul(x, dy, true, false) : matmul(dy, x, true, false);
        return bias ? [dx, dw, tf.sum(dy, 0)] : [dx, dw];
      },
    };
  });
}

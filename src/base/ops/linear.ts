import * as tf from '@tensorflow/tfjs-core';
import { fusedMany } from './fused.js';
import { matmul } from './matmul.js';

/** Options of {@link linear}. */
export interface LinearOptions {
  /** The weight and bias are constants: their gradients are never computed. */
  frozen?: boolean;
  /** The weight is stored [in, out], as GPT-2's Conv1D has it. */
  transposed?: boolean;
}

/** One of the modules of {@link linears}. */
export interface LinearWeights extends LinearOptions {
  /** [out, in]; [in, out] when `transposed`. */
  weight: tf.Tensor2D;
  /** [out]. */
  bias?: tf.Tensor1D;
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
  return linears(x, [{ weight, bias, ...options }])[0]!;
}

/** {@link linear} of one x by several modules: their gradients of x are added up at once. */
export function linears(x: tf.Tensor2D, modules: readonly LinearWeights[]): tf.Tensor2D[] {
  const learnt = modules.filter(({ frozen }) => !frozen);
  const inputs = [x, ...learnt.flatMap(({ weight, bias }): tf.Tensor[] => (bias ? [weight, bias] : [weight]))];
  return fusedMany<tf.Tensor2D>(inputs, save => {
    save(...modules.map(({ weight }) => weight), ...(learnt.length > 0 ? [x] : []));
    return {
      values: modules.map(({ weight, bias, transposed = false }) => {
        const product = matmul(x, weight, false, !transposed);
        return bias ? (tf.add(product, bias) as tf.Tensor2D) : product;
      }),
      gradient: (dys, saved) => {
        const x = saved[modules.length] as tf.Tensor2D;
        const parts = dys.map((dy, i) => matmul(dy, saved[i] as tf.Tensor2D, false, modules[i]!.transposed));
        const dx = parts.length === 1 ? parts[0]! : tf.addN(parts);
        if (parts.length > 1) tf.dispose(parts);
        const rest = modules.flatMap(({ bias, frozen, transposed }, i): tf.Tensor[] => {
          if (frozen) return [];
          const dy = dys[i]!;
          const dw = transposed ? matmul(x, dy, true, false) : matmul(dy, x, true, false);
          return bias ? [dw, tf.sum(dy, 0)] : [dw];
        });
        return [dx, ...rest];
      },
    };
  });
}

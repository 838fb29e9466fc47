import * as tf from '@tensorflow/tfjs-core';
import { fused } from './fused.js';

/**
 * y = body(inputs), with nothing of the inside kept for the gradient: the backward pass computes it again, with its
 * intermediates, and differentiates that (Chen et al. 2016, gradient checkpointing). Memory for time: one more forward pass.
 *
 * @param inputs all tensors to differentiate by; the body must give the same result each time
 */
export function recomputed(inputs: tf.Tensor[], body: (...inputs: tf.Tensor[]) => tf.Tensor2D): tf.Tensor2D {
  return fused<tf.Tensor2D>(inputs, save => {
    save(...inputs);
    return {
      value: body(...inputs),
      gradient: (dy, saved) => {
        const engine = tf.engine();
        // A tape within the backward pass of another: tfjs has room for one, and clears it when it is done.
        const outer = engine.state.activeTape;
        try {
          const { grads } = engine.gradients(() => body(...saved), saved, dy, true);
          return saved.map((x, i) => grads[i] ?? tf.zerosLike(x));
        } finally {
          engine.state.activeTape = outer;
        }
      },
    };
  });
}

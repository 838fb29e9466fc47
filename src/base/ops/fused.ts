import * as tf from '@tensorflow/tfjs-core';

/** tfjs's own type for it is not exported. */
type Saver = (tensors: tf.Tensor[]) => void;

/** The forward result of a {@link fused} op and the function that turns dL/d(value) into the gradient of every input. */
export interface FusedResult<T extends tf.Tensor> {
  value: T;
  gradient: (dy: T, saved: tf.Tensor[]) => tf.Tensor[];
}

/**
 * A differentiable op with a hand-written gradient: `tf.customGrad` that frees what it saved as soon as the backward pass
 * has consumed it. tfjs would hold every saved activation until the whole pass is over; at training sizes that doubles
 * the peak and makes the allocator touch fresh memory all the time.
 *
 * `inputs` are the tensors to differentiate by; whatever is constant (indices, tables, frozen weights) is captured by the
 * closure instead, and costs no gradient. Tensors to keep for the backward pass go through `save`.
 */
export function fused<T extends tf.Tensor>(
  inputs: tf.Tensor[],
  forward: (save: (...tensors: tf.Tensor[]) => void) => FusedResult<T>,
): T {
  // Without a gradient to come nothing needs to be saved.
  if (!tf.engine().isTapeOn()) return tf.tidy(() => forward(() => {}).value);
  const op = tf.customGrad((...args: (tf.Tensor | Saver)[]) => {
    const save = args[args.length - 1] as Saver;
    const { value, gradient } = forward((...tensors) => save(tensors));
    return {
      value,
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const gradients = tf.tidy(() => gradient(dy as T, saved));
        tf.dispose(saved);
        return gradients;
      },
    };
  });
  return op(...inputs) as T;
}

import * as tf from '@tensorflow/tfjs-core';

/** Keeps tensors for the backward pass. */
export type Save = (...tensors: tf.Tensor[]) => void;

/** The forward result of a {@link fused} op and the function that turns dL/d(value) into the gradient of every input. */
export interface FusedResult<T extends tf.Tensor> {
  value: T;
  gradient: (dy: T, saved: tf.Tensor[]) => tf.Tensor[];
}

/** The same of an op with several results. */
export interface FusedResults<T extends tf.Tensor> {
  values: T[];
  gradient: (dys: T[], saved: tf.Tensor[]) => tf.Tensor[];
}

/** What of tfjs's engine `tf.customGrad` stands on; there an op may have several results. */
interface Engine {
  runKernelFunc(op: {
    inputs: Record<string, tf.Tensor>;
    forwardFunc(backend: unknown, save: (tensors: tf.Tensor[]) => void): tf.Tensor[];
    backwardsFunc(dy: tf.Tensor | tf.Tensor[], saved: tf.Tensor[]): Record<string, () => tf.Tensor>;
  }): tf.Tensor[];
}

/**
 * A differentiable op with a hand-written gradient: `tf.customGrad` that frees what it saved, and the gradient it was given, as
 * soon as the backward pass has consumed them. tfjs would hold every saved activation and every activation's gradient until
 * the whole pass is over; at training sizes that doubles the peak and makes the allocator touch fresh memory all the time.
 *
 * `inputs` are the tensors to differentiate by; whatever is constant (indices, tables, frozen weights) is captured by the
 * closure instead, and costs no gradient. Tensors to keep for the backward pass go through `save`.
 */
export function fused<T extends tf.Tensor>(inputs: tf.Tensor[], forward: (save: Save) => FusedResult<T>): T {
  return fusedMany<T>(inputs, save => {
    const { value, gradient } = forward(save);
    return { values: [value], gradient: ([dy], saved) => gradient(dy!, saved) };
  })[0]!;
}

/** {@link fused} for an op with several results: the gradient is given those of all of them. */
export function fusedMany<T extends tf.Tensor>(inputs: tf.Tensor[], forward: (save: Save) => FusedResults<T>): T[] {
  const engine = tf.engine();
  // Without a gradient to come nothing needs to be saved.
  if (!engine.isTapeOn()) return tf.tidy(() => forward(() => {}).values);
  let gradient: FusedResults<T>['gradient'];
  return (engine as unknown as Engine).runKernelFunc({
    inputs: Object.fromEntries(inputs.entries()),
    forwardFunc(_, save) {
      const result = forward((...tensors) => save(tensors));
      gradient = result.gradient;
      return result.values;
    },
    backwardsFunc(dy, saved) {
      const dys = (Array.isArray(dy) ? dy : [dy]) as T[];
      const gradients = tf.tidy(() => gradient(dys, saved));
      for (const tensor of saved) tensor.dispose();
      for (const dy of dys) if (isPassing(dy) && !gradients.includes(dy)) dy.dispose();
      return Object.fromEntries(gradients.map((gradient, i) => [i, () => gradient]));
    },
  }) as T[];
}

/**
 * Whether a gradient was made by the backward pass that is under way: the one op whose output it belongs to is its only reader. One
 * that a caller gave to `tf.grads`, or that belongs to a pass around this one, is not ours to free.
 */
function isPassing(dy: tf.Tensor): boolean {
  return !dy.kept && dy.scopeId === tf.engine().state.activeScope?.id;
}

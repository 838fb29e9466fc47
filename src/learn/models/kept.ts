import * as tf from '@tensorflow/tfjs-core';

/**
 * Do something that differentiates, and free what the backward pass would have used when it throws: tfjs keeps those tensors
 * beyond every scope and forgets them when a loss fails half-way (a hook's error, memory that runs out).
 */
export function freeingKept<T>(work: () => T): T {
  const engine = tf.engine();
  const kept: tf.Tensor[] = [];
  const { keep } = engine;
  engine.keep = tensor => {
    kept.push(tensor);
    return keep.call(engine, tensor) as typeof tensor;
  };
  try {
    return work();
  } catch (error) {
    for (const tensor of kept) if (!tensor.isDisposed) tensor.dispose();
    throw error;
  } finally {
    engine.keep = keep;
  }
}

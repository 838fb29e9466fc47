import { tfjs } from './gradients.js';

/** What tensors and parameters hold. */
export interface Memory {
  /** Live tensors that tfjs knows, without those that are views of a resource. */
  tensors: number;
  /** Bytes of their data. */
  tensorBytes: number;
  /** Bytes of parameters held outside tfjs, as TensorFlow resources (counted by {@link countBytes}). */
  resourceBytes: number;
  /** Sum of both. */
  bytes: number;
}

let resourceBytes = 0;

/** Count bytes held outside tfjs: positive when allocated, negative when freed. Returns the new total. */
export function countBytes(delta: number): number {
  resourceBytes += delta;
  return resourceBytes;
}

const views = { tensors: 0, bytes: 0 };

/** Count a tensor of tfjs that is a view of memory counted by {@link countBytes}: positive numbers when made, negative when dropped. */
export function countView(tensors: number, bytes: number): void {
  views.tensors += tensors;
  views.bytes += bytes;
}

/**
 * Memory held by tensors and by TensorFlow resources, which `tf.memory()` does not see. A public call must leave both where it
 * found them, plus what it returned (contract 9).
 */
export function memory(): Memory {
  const tf = tfjs();
  const { numTensors, numBytes } = tf.engine().backendName ? tf.memory() : { numTensors: 0, numBytes: 0 };
  const tensorBytes = numBytes - views.bytes;
  return { tensors: numTensors - views.tensors, tensorBytes, resourceBytes, bytes: tensorBytes + resourceBytes };
}

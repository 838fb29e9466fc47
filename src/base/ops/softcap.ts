import * as tf from '@tensorflow/tfjs-core';

/** cap · tanh(z / cap) (Gemma 2), or z itself without a cap. Its slope is 1 − (result / cap)². */
export function softcapped<T extends tf.Tensor>(z: T, cap: number | undefined): T {
  return cap ? (tf.mul(tf.tanh(tf.div(z, cap)), cap) as T) : z;
}

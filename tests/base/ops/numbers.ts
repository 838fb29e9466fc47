import * as tf from '@tensorflow/tfjs-core';
import { Random } from '../../../src/base/core/index.js';

/** Normal random numbers. */
export function draw<R extends tf.Rank = tf.Rank.R2>(shape: number[], seed: string): tf.Tensor<R> {
  const random = new Random(seed);
  const size = shape.reduce((a, b) => a * b, 1);
  const made: tf.Tensor = tf.tensor(
    Float32Array.from({ length: size }, () => random.normal()),
    shape,
  );
  return made as tf.Tensor<R>;
}

export const values = (x: tf.Tensor) => x.dataSync<'float32'>();

/** Largest difference; infinite for another length or a NaN. */
export function off(ours: ArrayLike<number>, theirs: ArrayLike<number>): number {
  let most = ours.length === theirs.length ? 0 : Number.POSITIVE_INFINITY;
  for (let i = 0; i < theirs.length; i++) {
    const distance = Math.abs(ours[i]! - theirs[i]!);
    if (!(distance <= most)) most = Number.isNaN(distance) ? Number.POSITIVE_INFINITY : distance;
  }
  return most;
}

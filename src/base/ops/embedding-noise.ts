import * as tf from '@tensorflow/tfjs-core';
import { native } from '../backend/index.js';
import { randomUniformKernel } from './native/kernels.js';
import { randomWords } from './random-words.js';

/**
 * NEFTune's noise on embeddings (Jain et al. 2023): uniform in ± alpha / √(length · width), each row (or segment) by its own
 * length. Seeded: the same numbers again on one backend, not across backends.
 *
 * @param lengths tokens of each row, which lie one after the other
 * @returns [tokens, width], a constant: what it is added to passes its gradient through
 */
export function embeddingNoise(lengths: readonly number[], width: number, alpha: number, seed: number): tf.Tensor2D {
  const magnitudes = lengths.flatMap(length => new Array<number>(length).fill(alpha / Math.sqrt(length * width)));
  // Apart from the seeds of dropout, which count places from 0.
  const place = 0x6e656674;
  return tf.tidy(() => {
    const unit = uniform([magnitudes.length, width], [seed, place]);
    return tf.mul(tf.sub(tf.mul(unit, 2), 1), tf.tensor2d(magnitudes, [magnitudes.length, 1]));
  });
}

/** Uniform in [0, 1). */
function uniform(shape: [number, number], seed: readonly [number, number]): tf.Tensor {
  const door = native();
  if (door) return randomUniformKernel(door, shape, seed);
  const words = randomWords(shape[0] * shape[1], seed);
  // 24 bits are what a float32 holds exactly.
  return tf.tensor2d(
    Float32Array.from(words, word => (word >>> 8) / 0x1000000),
    shape,
  );
}

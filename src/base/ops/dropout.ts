import * as tf from '@tensorflow/tfjs-core';
import { native } from '../backend/index.js';
import { fused } from './fused.js';
import { randomUniformKernel } from './native/kernels.js';
import { randomWords } from './random-words.js';

/** Which numbers a dropout drops: equal settings and shapes drop the same ones, so that nothing need be kept for the backward pass. */
export interface Dropping {
  /** Share that is dropped, from 0 to below 1. */
  rate: number;
  /** Two 32-bit integers: the pass and the place. */
  seed: readonly [number, number];
}

/**
 * 1 for what stays and 0 for what is dropped, [rows, columns]. The numbers come from TensorFlow's counter-based generator on
 * native and cuda, from a generator in JavaScript elsewhere: seeded alike they repeat on one backend, not across backends.
 */
export function keepMask(shape: [number, number], { rate, seed }: Dropping): tf.Tensor2D {
  const door = native();
  if (door) return tf.cast(tf.greaterEqual(randomUniformKernel(door, shape, seed), rate), 'float32') as tf.Tensor2D;
  const limit = Math.floor(rate * 0x1_0000_0000);
  const mask = Float32Array.from(randomWords(shape[0] * shape[1], seed), word => (word >= limit ? 1 : 0));
  return tf.tensor2d(mask, shape);
}

/**
 * Dropout (Srivastava et al. 2014), inverted as PyTorch's: y = x ∘ keep / (1 − rate). Gradient: dx = dy ∘ keep / (1 − rate).
 */
export function dropout(x: tf.Tensor2D, dropping: Dropping): tf.Tensor2D {
  const scale = 1 / (1 - dropping.rate);
  const dropped = (t: tf.Tensor2D): tf.Tensor2D => tf.mul(tf.mul(t, keepMask(t.shape, dropping)), scale);
  return fused<tf.Tensor2D>([x], () => ({ value: dropped(x), gradient: dy => [dropped(dy)] }));
}

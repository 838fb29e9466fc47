import * as tf from '@tensorflow/tfjs-core';
import { type NativeOps, native } from '../backend/index.js';
import { adamWFused, placeFused, sumsOfSquaresFused } from './native/fused.js';

/** Σ x² of every tensor: [tensors]. One call for all of them where the fused kernels are, one pass a tensor elsewhere. */
export function sumsOfSquares(tensors: readonly tf.Tensor[]): tf.Tensor1D {
  const door = native();
  if (tensors.length === 0) return tf.tensor1d([]);
  if (door?.fused) return sumsOfSquaresFused(door, tensors);
  return tf.tidy(() => {
    if (!door) return tf.stack(tensors.map(x => tf.sum(tf.square(x)))) as tf.Tensor1D;
    // L2Loss is Σ x² / 2.
    const attributes = [door.attr.type('T', 'float32')];
    return tf.mul(tf.stack(tensors.map(x => door.execute('L2Loss', attributes, [x]))), 2) as tf.Tensor1D;
  });
}

/** The numbers of one step of AdamW, whatever weights it is for. */
export interface AdamWStep {
  /** Factor of the gradients. */
  scale: number;
  beta1: number;
  beta2: number;
  eps: number;
  /** Updates so far, this one included: t. */
  updates: number;
}

/** A weight's memory, which is written in place, and how it is updated. */
export interface AdamWTarget {
  weight: tf.Tensor;
  mean: tf.Tensor;
  square: tf.Tensor;
  gradient: tf.Tensor;
  learningRate: number;
  weightDecay: number;
}

/**
 * AdamW (Loshchilov & Hutter 2019) on all weights at once, in one pass over their memory. With g the scaled gradient and
 * cᵢ = 1 − βᵢᵗ:
 *
 *     m ← m + (1−β₁) (g − m)         v ← β₂ v + (1−β₂) g²
 *     p ← p (1 − lr·wd) − lr/c₁ · m / (√(v/c₂) + ε)
 *
 * Weights and moments are written where they lie: whatever shares their memory changes too.
 */
export function adamWInPlace(
  door: NativeOps,
  { scale, beta1, beta2, eps, updates }: AdamWStep,
  targets: readonly AdamWTarget[],
): void {
  if (targets.length === 0) return;
  const [correction1, correction2] = [1 - beta1 ** updates, 1 - beta2 ** updates];
  tf.tidy(() => {
    const settings = tf.tensor1d([scale, 1 - beta1, beta2, 1 - beta2, 1 / Math.sqrt(correction2), eps]);
    const rates = targets.flatMap(({ learningRate, weightDecay }) => [
      1 - learningRate * weightDecay,
      learningRate / correction1,
    ]);
    adamWFused(door, settings, tf.tensor2d(rates, [targets.length, 2]), targets);
  });
}

/**
 * Write values into a tensor from element `index · size` on, where it lies, without keeping their memory: for pieces of a weight that come
 * one after the other. Only where the fused kernels are in use.
 */
export function placeValues(door: NativeOps, target: tf.Tensor, values: Float32Array, index: number, size: number): void {
  const piece = tf.tensor1d(values, 'float32');
  try {
    placeFused(door, target, piece, index, size);
  } finally {
    piece.dispose();
  }
}

import * as tf from '@tensorflow/tfjs-core';
import { native } from '../../../base/backend/index.js';

/** Scalars whose values times `factor` are the Σ x² of each tensor: one fused pass a tensor on native (L2Loss is Σ x² / 2). */
export function sumsOfSquares(tensors: readonly tf.Tensor[]): { scalars: tf.Tensor[]; factor: number } {
  const door = native();
  if (!door) return { scalars: tensors.map(x => tf.tidy(() => tf.sum(tf.square(x)))), factor: 1 };
  const attributes = [door.attr.type('T', 'float32')];
  return { scalars: tensors.map(x => door.execute('L2Loss', attributes, [x])), factor: 2 };
}

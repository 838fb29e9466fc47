import type * as tf from '@tensorflow/tfjs-core';
import type { Parameter } from '../../../base/core/index.js';
import { createParameter } from '../../models/index.js';

/** Optimizer memory of a parameter's shape, zeros at first. It lives where weights live, so that a fused op can update both in place. */
export function zerosLike(parameter: Parameter<tf.Tensor>): Parameter<tf.Tensor> {
  const slot = createParameter(parameter.name, parameter.shape, new Float32Array(parameter.size));
  slot.trainable = false;
  return slot;
}

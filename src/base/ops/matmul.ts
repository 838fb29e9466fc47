import * as tf from '@tensorflow/tfjs-core';
import { native } from '../backend/index.js';
import { batchMatMulKernel, matMulKernel } from './native/kernels.js';

/** op(a) · op(b) for matrices, where op transposes when asked. On native TensorFlow's `MatMul`, which transposes while packing. */
export function matmul(a: tf.Tensor2D, b: tf.Tensor2D, transposeA = false, transposeB = false): tf.Tensor2D {
  const door = native();
  return door ? matMulKernel(door, a, b, transposeA, transposeB) : tf.matMul(a, b, transposeA, transposeB);
}

/** The same for stacks of matrices [batch, rows, columns]. */
export function batchMatmul(a: tf.Tensor3D, b: tf.Tensor3D, transposeA = false, transposeB = false): tf.Tensor3D {
  const door = native();
  return door ? batchMatMulKernel(door, a, b, transposeA, transposeB) : tf.matMul(a, b, transposeA, transposeB);
}

import * as tf from '@tensorflow/tfjs-core';
import type { NativeOps } from '../../backend/index.js';
import { matMulFused, productsFused } from './fused.js';

/**
 * TensorFlow kernels that do in one call what takes several tfjs ops. Each takes the door (`native()`), so that a caller
 * asks once whether it is there. None is seen by the gradient tape: they belong inside ops that bring their own gradient.
 */

/** Rows up to which our own kernel is the faster one, which reads a matrix once and as it lies, [out, in]; and [in, out]. */
export const FEW_ROWS = 24;
const FEW_ROWS_TRANSPOSED = 8;

/** Elements from which a transposed right factor is a matter for the batched kernel. */
const BROAD = 250_000;

/**
 * op(a) · op(b) for matrices; transposes while packing. On CPUs `MatMul` is slow where a weight [out, in] meets a few rows
 * (16 rows on [1536, 576]: 0.9 ms, the batched kernel 0.35) and on vocabularies (640 rows on [8192, 256]: 14 ms and 7); for one
 * row and for small weights it is the faster one.
 */
export function matMulKernel(
  door: NativeOps,
  a: tf.Tensor2D,
  b: tf.Tensor2D,
  transposeA: boolean,
  transposeB: boolean,
): tf.Tensor2D {
  if (door.fused && !transposeA && a.shape[0] <= (transposeB ? FEW_ROWS : FEW_ROWS_TRANSPOSED))
    return productsFused(door, a, { matrices: [b], transposed: !transposeB });
  if (door.fused) return matMulFused(door, a, b, transposeA, transposeB);
  const { attr } = door;
  if (transposeB && !transposeA && !door.gpu && a.shape[0] > 1 && b.size >= BROAD)
    return batchMatMulKernel(door, a, b, transposeA, transposeB);
  const attrs = [attr.type('T', 'float32'), attr.bool('transpose_a', transposeA), attr.bool('transpose_b', transposeB)];
  return door.execute('MatMul', attrs, [a, b]) as tf.Tensor2D;
}

/** The same for stacks of matrices, or for two matrices. */
export function batchMatMulKernel<T extends tf.Tensor2D | tf.Tensor3D>(
  door: NativeOps,
  a: T,
  b: T,
  transposeA: boolean,
  transposeB: boolean,
): T {
  const { attr } = door;
  const attrs = [attr.type('T', 'float32'), attr.bool('adj_x', transposeA), attr.bool('adj_y', transposeB)];
  return door.execute('BatchMatMulV2', attrs, [a, b]) as T;
}

/** dy · s · (1 − s). */
export function sigmoidGradKernel(door: NativeOps, s: tf.Tensor, dy: tf.Tensor): tf.Tensor {
  return door.execute('SigmoidGrad', [door.attr.type('T', 'float32')], [s, dy]);
}

/** Loss logsumexp(z) − z[label] of every row and its gradient softmax(z) − onehot(label), in one kernel. */
export function softmaxCrossEntropyKernel(
  door: NativeOps,
  z: tf.Tensor2D,
  labels: tf.Tensor1D,
): { loss: tf.Tensor1D; gradient: tf.Tensor2D } {
  const attrs = [door.attr.type('T', 'float32'), door.attr.type('Tlabels', 'int32')];
  const [loss, gradient] = door.executeMany('SparseSoftmaxCrossEntropyWithLogits', attrs, [z, labels], 2);
  return { loss: loss as tf.Tensor1D, gradient: gradient as tf.Tensor2D };
}

/** Uniform numbers in [0, 1) that depend on the seed alone, float32 of this shape. */
export function randomUniformKernel(door: NativeOps, shape: readonly number[], seed: readonly [number, number]): tf.Tensor {
  const { attr } = door;
  const attrs = [attr.type('dtype', 'float32'), attr.type('T', 'int32'), attr.type('Tseed', 'int32')];
  return tf.tidy(() =>
    door.execute('StatelessRandomUniform', attrs, [tf.tensor1d([...shape], 'int32'), tf.tensor1d([...seed], 'int32')]),
  );
}

/** (mean(x²) + ε)^−½ of every row: [rows, 1]. */
export function inverseRmsKernel(door: NativeOps, x: tf.Tensor2D, epsilon: number): tf.Tensor2D {
  const { attr } = door;
  const T = attr.type('T', 'float32');
  return tf.tidy(() => {
    const square = door.execute('Square', [T], [x]);
    const reduce = [T, attr.type('Tidx', 'int32'), attr.bool('keep_dims', true)];
    const mean = door.execute('Mean', reduce, [square, tf.scalar(1, 'int32')]);
    return door.execute('Rsqrt', [T], [door.execute('AddV2', [T], [mean, tf.scalar(epsilon)])]) as tf.Tensor2D;
  });
}

import * as tf from '@tensorflow/tfjs-core';
import { fused } from './fused.js';
import { gather } from './gather.js';

/**
 * Rows of a matrix by index: an embedding look-up, or the labelled positions of a batch. y_i = x_{rows_i}.
 *
 * Gradient: dx_r = Σ_{i: rows_i = r} dy_i.
 *
 * @param x [rows, width]
 * @param rows int32 [count]
 */
export function gatherRows(x: tf.Tensor2D, rows: tf.Tensor1D): tf.Tensor2D {
  const count = x.shape[0];
  return fused<tf.Tensor2D>([x], save => {
    save(rows);
    return {
      value: gather(x, rows),
      gradient: (dy, [rows]) => [tf.unsortedSegmentSum(dy, rows as tf.Tensor1D, count)],
    };
  });
}

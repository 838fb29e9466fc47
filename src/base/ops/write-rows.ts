import * as tf from '@tensorflow/tfjs-core';
import { native } from '../backend/index.js';
import { heapBackend } from './wasm/heap.js';

/**
 * Write rows of a matrix in place: x_{index_i} = values_i. Every tensor that shares x's data changes with it, so x must be
 * the caller's own. Where a backend cannot write in place the changed matrix is returned and x stays as it was.
 *
 * @param x [rows, width], float32
 * @param index int32 [count], all different
 * @param values [count, width]
 * @returns undefined when x was changed in place, else the new matrix
 */
export function writeRows(x: tf.Tensor2D, index: tf.Tensor1D, values: tf.Tensor2D): tf.Tensor2D | undefined {
  const door = native();
  if (door) {
    // The op returns its input under another name.
    door.execute('InplaceUpdate', [door.attr.type('T', 'float32')], [x, index, values]).dispose();
    return undefined;
  }
  const width = x.shape[1];
  const heap = heapBackend();
  if (heap || tf.getBackend() === 'cpu') {
    const [to, rows, from] = heap
      ? [x, index, values].map(t => heap.typedArrayFromHeap(t))
      : // The cpu backend hands out the very array that holds the data.
        [x, index, values].map(t => t.dataSync() as Float32Array);
    for (let i = 0; i < rows!.length; i++) to!.set(from!.subarray(i * width, (i + 1) * width), rows![i]! * width);
    return undefined;
  }
  return tf.tensorScatterUpdate(x, tf.expandDims(index, 1), values) as tf.Tensor2D;
}

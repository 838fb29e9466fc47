import * as tf from '@tensorflow/tfjs-core';
import { gatherOnHeap, heapBackend } from './wasm/heap.js';

/** y_i = x_{index_i} for the rows of a matrix. Not differentiable by itself: for use inside ops with their own gradient. */
export function gather(x: tf.Tensor2D, index: tf.Tensor1D): tf.Tensor2D {
  const heap = heapBackend();
  return heap ? gatherOnHeap(heap, x, index) : tf.gather(x, index);
}

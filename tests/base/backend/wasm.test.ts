import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { use } from '../../../src/base/backend/index.js';

beforeAll(async () => {
  await use('wasm');
});

test('oneHot writes ones, not their bits', () => {
  const hot = tf.oneHot(tf.tensor1d([1, 0, -1, 5], 'int32'), 3, 1, 0, 'float32');
  expect(Array.from(hot.dataSync())).toEqual([0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
});

test('unsortedSegmentSum drops ids outside the range and takes ids of rank 1', () => {
  const sums = tf.unsortedSegmentSum(tf.tensor2d([1, 2, 3, 4, 5, 6], [3, 2]), tf.tensor1d([1, -1, 1], 'int32'), 2);
  expect(Array.from(sums.dataSync())).toEqual([0, 0, 6, 8]);
});

test('products of empty and one-element matrices', () => {
  expect(tf.matMul(tf.zeros([0, 3]), tf.ones([3, 2])).shape).toEqual([0, 2]);
  expect(Array.from(tf.matMul(tf.zeros([2, 0]), tf.zeros([0, 2])).dataSync())).toEqual([0, 0, 0, 0]);
  expect(Array.from(tf.matMul(tf.tensor2d([[3]]), tf.tensor2d([[4]])).dataSync())).toEqual([12]);
});

test('a reduction over nothing gives what TensorFlow gives, not what lay in memory', () => {
  for (let i = 0; i < 20; i++) tf.tidy(() => void tf.square(tf.fill([8], 7)));
  const nothing = tf.zeros([0, 3]);
  const of = (t: tf.Tensor) => [t.shape, Array.from(t.dataSync())];
  expect(of(tf.sum(nothing))).toEqual([[], [0]]);
  expect(of(tf.sum(nothing, 0, true))).toEqual([
    [1, 3],
    [0, 0, 0],
  ]);
  expect(of(tf.sum(nothing, -1))).toEqual([[0], []]);
  expect(of(tf.mean(nothing))).toEqual([[], [Number.NaN]]);
  expect(of(tf.prod(nothing, 0))).toEqual([[3], [1, 1, 1]]);
  expect(of(tf.max(nothing))).toEqual([[], [Number.NEGATIVE_INFINITY]]);
  expect(of(tf.min(nothing))).toEqual([[], [Number.POSITIVE_INFINITY]]);
  expect(of(tf.any(tf.cast(nothing, 'bool')))).toEqual([[], [0]]);
  expect(of(tf.all(tf.cast(nothing, 'bool')))).toEqual([[], [1]]);
  // And what there is to reduce is reduced as before.
  expect(
    of(
      tf.sum(
        tf.tensor2d([
          [1, 2],
          [3, 4],
        ]),
        0,
      ),
    ),
  ).toEqual([[2], [4, 6]]);
});

test('a right-hand side that is written anew is not remembered by its packed copy', () => {
  const a = tf.ones([2, 4]);
  const weight = tf.variable(tf.ones<tf.Rank.R2>([4, 3]));
  const first = tf.matMul(a, weight as tf.Tensor2D);
  weight.assign(tf.fill([4, 3], 2));
  const second = tf.matMul(a, weight as tf.Tensor2D);
  expect(first.dataSync()[0]).toBe(4);
  expect(second.dataSync()[0]).toBe(8);
});

test('the wasm heap does not grow over many products: slices and packed copies are freed', () => {
  const heap = () => (tf.backend() as unknown as { wasm: { HEAPU8: Uint8Array } }).wasm.HEAPU8.byteLength;
  const [a, b] = [tf.ones([16, 64, 64]), tf.ones([16, 64, 64])];
  const step = () => tf.tidy(() => tf.matMul(tf.matMul(a, b, false, true), b, true).dataSync()[0]);
  for (let i = 0; i < 5; i++) step();
  const before = { heap: heap(), tensors: tf.memory().numTensors };
  for (let i = 0; i < 300; i++) expect(step()).toBe(64 * 64);
  expect({ heap: heap(), tensors: tf.memory().numTensors }).toEqual(before);
});

test('mismatched shapes and types are refused', () => {
  expect(() => tf.matMul(tf.ones([2, 3]), tf.ones([2, 3]))).toThrow(/inner/i);
  expect(() => tf.matMul(tf.ones([2, 3], 'int32'), tf.ones([3, 2], 'int32'))).toThrow(/float32/);
});

test('fused products with every activation', () => {
  const [a, b, bias] = [
    tf.tensor2d([[1, -2]]),
    tf.tensor2d([
      [1, -1],
      [0.5, 2],
    ]),
    tf.tensor1d([0.25, -0.5]),
  ];
  const plain = [0.25, -5.5];
  const expected: Record<string, number[]> = {
    linear: plain,
    relu: [0.25, 0],
    relu6: [0.25, 0],
    sigmoid: plain.map(x => 1 / (1 + Math.exp(-x))),
    elu: [0.25, Math.exp(-5.5) - 1],
    leakyrelu: [0.25, -1.1],
    prelu: [0.25, -2.75],
  };
  for (const [activation, values] of Object.entries(expected)) {
    const out = tf.fused.matMul({
      a,
      b,
      bias,
      activation: activation as 'relu',
      leakyreluAlpha: 0.2,
      preluActivationWeights: activation === 'prelu' ? tf.tensor1d([0.5, 0.5]) : undefined,
    });
    out.dataSync().forEach((value, i) => {
      expect(value, activation).toBeCloseTo(values[i]!, 5);
    });
  }
});

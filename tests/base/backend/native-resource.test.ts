import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import {
  assignResource,
  borrowResource,
  createResource,
  destroyResource,
  memory,
  native,
  ownResource,
  readResource,
} from '../../../src/base/backend/index.js';
import { missing } from './need.js';

const reason = await missing('native');

describe.skipIf(reason)('TensorFlow variables', () => {
  test('hold a value of their own, give it back, and leave no bytes behind', () => {
    const before = memory();
    const first = tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3]);
    const a = createResource(first);
    const b = createResource(first);
    first.dispose();
    expect(memory().resourceBytes - before.resourceBytes).toBe(48);

    const other = tf.fill([2, 3], 7);
    assignResource(b, other);
    const [va, vb] = [readResource(a), readResource(b)];
    expect(Array.from(va.dataSync())).toEqual([1, 2, 3, 4, 5, 6]);
    expect(Array.from(vb.dataSync())).toEqual([7, 7, 7, 7, 7, 7]);
    expect(va.shape).toEqual([2, 3]);
    for (const t of [other, va, vb]) t.dispose();
    destroyResource(a);
    destroyResource(b);
    destroyResource(b);
    expect(memory()).toEqual(before);
  });

  test('a value read before an update keeps its numbers', () => {
    const one = tf.ones([4]);
    const theta = createResource(one);
    const old = readResource(theta);
    const half = tf.fill([4], 0.5);
    native()!.executeMany('AssignSubVariableOp', [native()!.attr.type('dtype', 'float32')], [theta.handle, half], 0);
    half.dispose();
    const now = readResource(theta);
    expect(Array.from(old.dataSync())).toEqual([1, 1, 1, 1]);
    expect(Array.from(now.dataSync())).toEqual([0.5, 0.5, 0.5, 0.5]);
    for (const t of [one, old, now]) t.dispose();
    destroyResource(theta);
  });

  /** Write 5 into the memory of a tensor, as our own kernels do. */
  function overwrite(weight: tf.Tensor) {
    const rest = tf.tidy(() => tf.zerosLike(weight));
    const gradient = tf.tidy(() => tf.sub(weight, 5));
    // p - 1 * g / (0 + 1) with g = p - 5.
    const [mean, square] = [tf.clone(rest), tf.zeros(weight.shape)];
    const settings = tf.tensor1d([1, 1, 0, 0, 1, 1]);
    const rates = tf.tensor2d([[1, 1]]);
    native()!.executeMany('TunebookAdamW', [native()!.attr.int('N', 1)], [settings, rates, weight, mean, square, gradient], 0);
    tf.dispose([rest, gradient, mean, square, settings, rates]);
  }

  test('memory of its own is the variable, and what others hold of it is not', context => {
    if (!native()!.fused) context.skip('the fused kernels are not there');
    const before = memory();
    const start = tf.tensor1d([1, 2, 3]);
    const theta = createResource(start);
    const read = readResource(theta);
    overwrite(ownResource(theta));
    const now = readResource(theta);
    expect([start, read, now].map(t => Array.from(t.dataSync()))).toEqual([
      [1, 2, 3],
      [1, 2, 3],
      [5, 5, 5],
    ]);
    assignResource(theta, start);
    overwrite(ownResource(theta));
    expect(Array.from(start.dataSync())).toEqual([1, 2, 3]);
    expect(Array.from(now.dataSync())).toEqual([5, 5, 5]);
    // Once its own it stays so, without a copy: what is borrowed sees the change.
    const [own, borrowed] = [ownResource(theta), borrowResource(theta)];
    expect(borrowed.id).toBe(own.id);
    // Values of start, read, now and the variable, and its handle; the view is not counted again.
    expect(memory().bytes - before.bytes).toBe(4 * 12);
    expect(memory().tensors - before.tensors).toBe(4);
    for (const t of [start, read, now]) t.dispose();
    destroyResource(theta);
    expect(memory()).toEqual(before);
  });

  test('what is borrowed ends when TensorFlow is given the handle, which then updates in place', () => {
    const before = memory();
    const start = tf.ones([4]);
    const theta = createResource(start);
    const borrowed = borrowResource(theta);
    expect(Array.from(borrowed.dataSync())).toEqual([1, 1, 1, 1]);
    const half = tf.fill([4], 0.5);
    native()!.executeMany('AssignSubVariableOp', [native()!.attr.type('dtype', 'float32')], [theta.handle, half], 0);
    expect(borrowed.isDisposed).toBe(true);
    expect(Array.from(borrowResource(theta).dataSync())).toEqual([0.5, 0.5, 0.5, 0.5]);
    for (const t of [start, half]) t.dispose();
    destroyResource(theta);
    expect(memory()).toEqual(before);
  });

  test('gradients flow to the tensor that was read', () => {
    const start = tf.tensor1d([1, 2, 3]);
    const theta = createResource(start);
    const value = readResource(theta);
    const grad = tf.grad(x => tf.sum(tf.square(x)))(value);
    expect(Array.from(grad.dataSync())).toEqual([2, 4, 6]);
    for (const t of [start, value, grad]) t.dispose();
    destroyResource(theta);
  });

  test('a value of another shape or type is refused and changes nothing', () => {
    const start = tf.tensor1d([1, 2, 3]);
    const theta = createResource(start);
    const bad = [tf.ones([4]), tf.ones([3, 1]), tf.tensor1d([1, 2, 3], 'int32')];
    for (const value of bad) expect(() => assignResource(theta, value)).toThrow(/Expected float32 \[3\]/);
    const kept = readResource(theta);
    expect(Array.from(kept.dataSync())).toEqual([1, 2, 3]);
    for (const t of [start, kept, ...bad]) t.dispose();
    destroyResource(theta);
  });

  test('the door runs any TensorFlow op', () => {
    const door = native()!;
    const { attr } = door;
    const logits = tf.tensor2d([0, 0, 0, 1, 2, 3], [2, 3]);
    const labels = tf.tensor1d([1, 2], 'int32');
    const [loss, gradient] = door.executeMany(
      'SparseSoftmaxCrossEntropyWithLogits',
      [attr.type('T', 'float32'), attr.type('Tlabels', 'int32')],
      [logits, labels],
      2,
    );
    expect(loss!.dataSync()[0]).toBeCloseTo(Math.log(3), 5);
    expect(gradient!.dataSync()[1]).toBeCloseTo(1 / 3 - 1, 5);
    expect(() => door.execute('NoSuchOp', [], [])).toThrow(/NoSuchOp/);
    for (const t of [logits, labels, loss!, gradient!]) t.dispose();
  });
});

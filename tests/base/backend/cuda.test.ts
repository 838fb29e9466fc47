import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { available, native, nvidiaDriver, use } from '../../../src/base/backend/index.js';
import { missing } from './need.js';

// A process of its own: it can hold only one TensorFlow build.
const reason = await missing('cuda');

describe.skipIf(reason)('the CUDA build of TensorFlow', () => {
  test('says whether it sees a GPU, and computes and differentiates either way', async () => {
    const info = await use('cuda');
    expect(info).toMatchObject({ name: 'cuda', tfjsName: 'tensorflow', version: '2.21.0' });
    const words = info.details.join('\n');
    if (native()!.gpu) expect(words).toContain('computes on the GPU');
    else expect(words).toMatch('missing' in nvidiaDriver() ? /computes on the CPU: no NVIDIA driver/ : /computes on the CPU: \S/);
    const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    const y = tf.clone(x);
    const gradient = tf.grad(a => tf.sum(tf.square(tf.matMul(a as tf.Tensor2D, y))))(x);
    // 2 (x·y) yᵀ
    expect(Array.from(gradient.dataSync())).toEqual([54, 122, 118, 266]);
    tf.dispose([x, y, gradient]);
  });

  test('the probe says the same', async () => {
    const row = (await available()).find(({ name }) => name === 'cuda');
    expect(row).toMatchObject({ works: true, version: '2.21.0' });
    expect(row?.reason).toMatch(native()!.gpu ? /on the GPU/ : /no GPU is seen, computes on the CPU: \S/);
  });
});

import { spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  available,
  current,
  dispose,
  matmulSpeed,
  memory,
  native,
  nvidiaDriver,
  tfjsCopies,
  use,
} from '../../../src/base/backend/index.js';
import { BadInput, Unavailable } from '../../../src/base/core/index.js';
import { scratch } from './install/fakes.js';
import { missing } from './need.js';

const noNative = await missing('native');

afterEach(() => {
  vi.unstubAllEnvs();
});

/** A user without any installation. */
async function emptyCache(): Promise<void> {
  vi.stubEnv('TUNEBOOK_CACHE', await scratch());
}

test('a name that is no backend is bad input, also from TUNEBOOK_BACKEND', async () => {
  await expect(use('gpu' as 'cpu')).rejects.toThrow(BadInput);
  await expect(use('gpu' as 'cpu')).rejects.toThrow(/auto, cuda, native, webgpu, wasm, cpu.*"gpu"/);
  vi.stubEnv('TUNEBOOK_BACKEND', 'nativ');
  await expect(use('auto')).rejects.toThrow(/TUNEBOOK_BACKEND/);
});

test('a backend that cannot be had is refused with its remedy, and the one in use stays', async () => {
  await use('cpu');
  await emptyCache();
  await expect(use('webgpu')).rejects.toThrow(Unavailable);
  await expect(use('webgpu')).rejects.toThrow(/webgpu is not installed.*npm install/);
  await expect(use('cuda')).rejects.toThrow(Unavailable);
  expect(current()?.name).toBe('cpu');
  expect(tf.getBackend()).toBe('cpu');
  expect(tf.tidy(() => tf.add(1, 2).dataSync()[0])).toBe(3);
});

test('switching moves the active backend; the same again is cheap; calls at once take turns', async () => {
  const infos = await Promise.all([use('wasm'), use('cpu'), use('wasm')]);
  expect(infos.map(info => info.name)).toEqual(['wasm', 'cpu', 'wasm']);
  expect(tf.getBackend()).toBe('wasm');
  expect((await use()).name).toBe('wasm');
  const info = await use('wasm');
  expect(info.reason).toBe('asked for');
  expect(native()).toBeUndefined();
});

test('a tensor made on one backend can be used on the next', async () => {
  await use('cpu');
  const x = tf.tensor1d([1, 2, 3]);
  await use('wasm');
  const y = tf.mul(x, 2);
  expect(Array.from(y.dataSync())).toEqual([2, 4, 6]);
  tf.dispose([x, y]);
});

test('TUNEBOOK_BACKEND decides what auto means', async () => {
  vi.stubEnv('TUNEBOOK_BACKEND', 'cpu');
  const info = await use('auto');
  expect(info).toMatchObject({ name: 'cpu', reason: 'TUNEBOOK_BACKEND=cpu' });
  expect((await use('wasm')).name).toBe('wasm');
});

test('auto without native falls back to wasm and says why, without downloading', async () => {
  await use('cpu');
  vi.stubEnv('TUNEBOOK_BACKEND', '');
  await emptyCache();
  // A pip that would be called leaves a trace.
  vi.stubEnv('PYTHON', '/nowhere/python');
  const info = await use('auto');
  expect(info.name).toBe('wasm');
  expect(info.reason).toMatch(/best that works here.*cuda: no.*native: not installed.*webgpu: .*not installed/);
});

test('smoke: a backend that computes wrongly is refused and the old one stays', async () => {
  await use('cpu');
  const { kernelFunc } = tf.getKernel('BatchMatMul', 'cpu');
  await use('wasm');
  tf.unregisterKernel('BatchMatMul', 'cpu');
  tf.registerKernel({
    kernelName: 'BatchMatMul',
    backendName: 'cpu',
    kernelFunc: call => {
      const out = kernelFunc(call) as tf.TensorInfo;
      (call.backend as unknown as { data: Map<object, { values: Float32Array }> }).data.get(out.dataId)!.values[0]! += 1;
      return out;
    },
  });
  try {
    await expect(use('cpu')).rejects.toThrow(/cpu backend computes a matrix product wrongly/);
  } finally {
    tf.unregisterKernel('BatchMatMul', 'cpu');
    tf.registerKernel({ kernelName: 'BatchMatMul', backendName: 'cpu', kernelFunc });
  }
  expect((await use('cpu')).name).toBe('cpu');
});

test('dispose lets go of a backend, and it can be used again', async () => {
  for (const name of ['wasm', 'cpu'] as const) {
    await use(name);
    await dispose();
    await dispose();
    expect(current()).toBeUndefined();
    await use(name);
    expect(tf.tidy(() => tf.matMul(tf.ones([2, 2]), tf.ones([2, 2])).dataSync()[0])).toBe(2);
  }
});

test('nothing is left behind by use, speed and probing', async () => {
  await use('wasm');
  const before = memory();
  expect(await matmulSpeed()).toBeGreaterThan(0);
  expect(await matmulSpeed()).toBe(await matmulSpeed());
  expect(memory()).toEqual(before);
});

describe.skipIf(noNative)('native', () => {
  test('is what auto chooses here, and the door is open', async () => {
    await use('cpu');
    vi.stubEnv('TUNEBOOK_BACKEND', '');
    const info = await use('auto');
    expect(info).toMatchObject({ name: 'native', tfjsName: 'tensorflow', version: '2.21.0' });
    expect(info.reason).toMatch(/cuda: /);
    expect(native()).toBeDefined();
    await use('wasm');
    expect(native()).toBeUndefined();
  });

  test('the other TensorFlow build is refused in the same process', async () => {
    await use('native');
    await expect(use('cuda')).rejects.toThrow(/cannot load the cuda build beside it.*new process/);
    expect(current()?.name).toBe('native');
  });

  test('a damaged cache is said to be damaged', async () => {
    const folder = join(await scratch(), 'native-2.21.0-linux-x64-tfjs4.22.0');
    await mkdir(folder);
    await writeFile(join(folder, 'manifest.json'), JSON.stringify({ format: 1, files: [{ path: 'lib', size: 5, sha256: '' }] }));
    vi.stubEnv('TUNEBOOK_CACHE', join(folder, '..'));
    const row = (await available()).find(({ name }) => name === 'native');
    expect(row).toMatchObject({
      works: false,
      reason: expect.stringContaining('lib is missing'),
      remedy: expect.stringContaining('backend install native'),
    });
  });
});

test('the probe table has every backend with a reason, and changes nothing', async () => {
  await use('cpu');
  const seen: string[] = [];
  const table = await available({ onProbe: name => seen.push(name) });
  expect(table.map(({ name }) => name)).toEqual(['cuda', 'native', 'webgpu', 'wasm', 'cpu']);
  expect(seen).toEqual(table.map(({ name }) => name));
  for (const { works, reason } of table) expect([typeof works, reason.length > 0]).toEqual(['boolean', true]);
  expect(table.find(({ name }) => name === 'wasm')?.works).toBe(true);
  expect(table.find(({ name }) => name === 'webgpu')).toMatchObject({
    works: false,
    remedy: expect.stringContaining('npm install'),
  });
  expect(tf.getBackend()).toBe('cpu');
});

test('the NVIDIA driver is read from the kernel', async () => {
  const root = await scratch();
  expect(nvidiaDriver(root)).toHaveProperty('missing');
  await mkdir(join(root, 'proc/driver/nvidia'), { recursive: true });
  const text = 'NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19\nGCC version: 12\n';
  await writeFile(join(root, 'proc/driver/nvidia/version'), text);
  expect(nvidiaDriver(root)).toEqual({ version: '535.129.03' });
  const open = 'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build\n';
  await writeFile(join(root, 'proc/driver/nvidia/version'), open);
  expect(nvidiaDriver(root)).toEqual({ version: '570.86.15' });
});

test('this project has exactly one tfjs-core; a nested second one is found', async () => {
  expect(tfjsCopies().length).toBe(1);
  const root = await scratch();
  for (const folder of ['node_modules/@tensorflow/tfjs-core', 'node_modules/danfojs-node/node_modules/@tensorflow/tfjs-core']) {
    await mkdir(join(root, folder), { recursive: true });
    await writeFile(join(root, folder, 'package.json'), '{"version": "4.22.0"}');
  }
  expect(tfjsCopies([root]).length).toBe(2);
});

test('one copy is what tfjs-node and the layers package resolve to as well', () => {
  const script = `const {createRequire} = require('node:module'); const at = n => createRequire(require.resolve(n + '/package.json')).resolve('@tensorflow/tfjs-core');
    console.log(new Set(['@tensorflow/tfjs-node', '@tensorflow/tfjs-layers', '@tensorflow/tfjs-backend-wasm', '@tensorflow/tfjs'].map(at)).size)`;
  expect(spawnSync(process.execPath, ['-e', script]).stdout.toString().trim()).toBe('1');
});

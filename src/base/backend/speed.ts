import type * as Tf from '@tensorflow/tfjs-core';
import { Unavailable } from '../core/index.js';
import { tfjs } from './gradients.js';
import { current } from './use.js';

const measured = new Map<string, number>();

/**
 * Speed of a large float32 matrix product on the backend in use, in GFLOP/s (2·n³ operations): the best of several within about
 * 0.3 s, measured once per process and backend. An upper bound for training, which is mostly matrix products.
 */
export async function matmulSpeed(): Promise<number> {
  const backend = current();
  if (!backend) throw new Unavailable({ problem: 'no backend is in use yet', fix: 'await backend.use() first' });
  const known = measured.get(backend.name);
  if (known !== undefined) return known;
  const tf = tfjs();
  const n = { cpu: 128, wasm: 512, native: 1024, webgpu: 1024, cuda: 2048 }[backend.name];
  const [a, b] = [0, 1].map(() => tf.randomUniform([n, n])) as [Tf.Tensor, Tf.Tensor];
  let best = Number.POSITIVE_INFINITY;
  const start = performance.now();
  for (let round = 0; round < 3 || (performance.now() - start < 300 && round < 50); round++) {
    const from = performance.now();
    const product = tf.matMul(a, b);
    // Reading waits for devices that compute asynchronously.
    const corner = tf.slice(product, [0, 0], [1, 1]);
    await corner.data();
    best = Math.min(best, performance.now() - from);
    tf.dispose([product, corner]);
  }
  tf.dispose([a, b]);
  const speed = (2 * n ** 3) / best / 1e6;
  measured.set(backend.name, speed);
  return speed;
}

import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { native, use } from '../../../src/base/backend/index.js';
import { Random } from '../../../src/base/core/index.js';
import {
  cachedAttention,
  causalAttention,
  gatedUnit,
  layerNorm,
  nonlinear,
  raggedLayout,
  rmsNorm,
} from '../../../src/base/ops/index.js';
import { usable } from '../../helpers/backends.js';

function draw(shape: [number, number], seed: string, scale: number = 1): tf.Tensor2D {
  const random = new Random(seed);
  return tf.tensor2d(
    Float32Array.from({ length: shape[0] * shape[1] }, () => scale * random.normal()),
    shape,
  );
}

/** One head's attention and its gradients in float64. */
function exact(q: Float32Array, k: Float32Array, v: Float32Array, dy: Float32Array, n: number, width: number, window: number) {
  const [out, dq, dk, dv] = Array.from({ length: 4 }, () => new Float64Array(n * width)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const dot = (a: Float32Array, i: number, b: Float32Array, j: number) => {
    let sum = 0;
    for (let d = 0; d < width; d++) sum += a[i * width + d]! * b[j * width + d]!;
    return sum;
  };
  for (let i = 0; i < n; i++) {
    const first = Math.max(0, i - window + 1);
    const scores = Array.from({ length: i - first + 1 }, (_, j) => dot(q, i, k, first + j));
    const most = Math.max(...scores);
    const e = scores.map(s => Math.exp(s - most));
    const total = e.reduce((a, b) => a + b, 0);
    const dp = e.map((_, j) => dot(dy, i, v, first + j));
    const paid = dp.reduce((sum, x, j) => sum + (x * e[j]!) / total, 0);
    e.forEach((x, at) => {
      const j = first + at;
      const ds = (x / total) * (dp[at]! - paid);
      for (let d = 0; d < width; d++) {
        out[i * width + d]! += (x / total) * v[j * width + d]!;
        dv[j * width + d]! += (x / total) * dy[i * width + d]!;
        dq[i * width + d]! += ds * k[j * width + d]!;
        dk[j * width + d]! += ds * q[i * width + d]!;
      }
    });
  }
  return [out, dq, dk, dv];
}

function relative(ours: ArrayLike<number>, theirs: ArrayLike<number>): number {
  let [most, off] = [1e-12, 0];
  for (let i = 0; i < theirs.length; i++) {
    most = Math.max(most, Math.abs(theirs[i]!));
    off = Math.max(off, Math.abs(theirs[i]! - ours[i]!));
  }
  return off / most;
}

const here = (await usable('native'))[0]!.here;
describe.skipIf(!here)('fused kernels', () => {
  beforeAll(async () => {
    await use('native');
    expect(native()?.fused).toBe(true);
  });

  it.each([
    [512, 64, Number.POSITIVE_INFINITY],
    [300, 80, 100],
    [65, 24, 7],
    [70, 5, 33],
  ])('attention over %i tokens, heads of %i, window %d: value and gradients are those of float64, every time', (n, w, window) => {
    tf.tidy(() => {
      const inputs = [draw([n, w], 'q', 1.5 / Math.sqrt(w)), draw([n, w], 'k'), draw([n, w], 'v')];
      const dy = draw([n, w], 'dy');
      const layout = raggedLayout([n], 1, 1);
      const f = (...x: tf.Tensor[]) => {
        const [q, k, v] = x as tf.Tensor2D[];
        return causalAttention(q!, k!, v!, layout, { scale: 1, window });
      };
      const run = () => [f(...inputs), ...tf.grads(f)(inputs, dy)].map(x => x.dataSync<'float32'>().slice());
      const ours = run();
      const [q, k, v, d] = [...inputs, dy].map(x => x.dataSync<'float32'>()) as [
        Float32Array,
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      for (const [i, theirs] of exact(q, k, v, d, n, w, window).entries()) expect(relative(ours[i]!, theirs)).toBeLessThan(2e-6);
      expect(run()).toEqual(ours);
      layout.dispose();
    });
  });

  it.each([
    [1, 9, 3, undefined],
    [3, 4, 4, 5],
    [2, 40, 1, undefined],
  ])('cached attention, %i rows of %i heads: that of the last token of every row', (rows, heads, keyHeads, window) => {
    tf.tidy(() => {
      const [w, slots] = [16, 11];
      const lengths = Array.from({ length: rows }, (_, i) => slots - 3 * i);
      const tokens = lengths.reduce((a, b) => a + b);
      const [q, k, v] = [
        draw([tokens, heads * w], 'q'),
        draw([tokens, keyHeads * w], 'k'),
        draw([tokens, keyHeads * w], 'v'),
      ] as const;
      const layout = raggedLayout(lengths, heads, keyHeads);
      const all = causalAttention(q, k, v, layout, { scale: 1, window });
      let end = 0;
      const last = tf.tensor1d(
        lengths.map(n => {
          end += n;
          return end - 1;
        }),
        'int32',
      );
      // What stands behind a row's end is not looked at, whatever it is.
      const lanes = (x: tf.Tensor2D) => {
        let start = 0;
        const parts = lengths.map(n => {
          const part = tf.slice(x, [start, 0], [n, keyHeads * w]);
          start += n;
          const rest = tf.fill([slots - n, keyHeads * w], Number.NaN);
          return tf.transpose(tf.reshape(tf.concat([part, rest], 0), [slots, keyHeads, w]), [1, 0, 2]);
        });
        return tf.concat(parts, 0) as tf.Tensor3D;
      };
      const positions = tf.tensor1d(
        lengths.map(n => n - 1),
        'int32',
      );
      const got = cachedAttention(tf.gather(q, last), lanes(k), lanes(v), positions, { heads, keyHeads, window })!.out;
      expect(relative(got.dataSync(), tf.gather(all, last).dataSync())).toBeLessThan(1e-6);
      const beyond = tf.tensor1d(new Array(rows).fill(slots), 'int32');
      expect(() => cachedAttention(tf.gather(q, last), lanes(k), lanes(v), beyond, { heads, keyHeads })).toThrow(/do not fit/);
      layout.dispose();
    });
  });

  it('a NaN in any input is one in the value', () => {
    tf.tidy(() => {
      const layout = raggedLayout([37], 1, 1);
      const vector = (x: tf.Tensor) => tf.reshape(tf.slice(x, [0, 0], [1, x.shape[1]!]), [-1]) as tf.Tensor1D;
      const ops: [string, (a: tf.Tensor2D, b: tf.Tensor2D, c: tf.Tensor2D) => tf.Tensor, number][] = [
        ['attention', (a, b, c) => causalAttention(a, b, c, layout), 3],
        ['rmsNorm', (a, b) => rmsNorm(a, vector(b), 1e-6), 2],
        ['layerNorm', (a, b, c) => layerNorm(a, vector(b), vector(c), 1e-6), 3],
        ...(['silu', 'quick_gelu', 'gelu_new', 'gelu'] as const).flatMap(
          kind =>
            [
              [`gated ${kind}`, (a, b) => gatedUnit(a, b, kind), 2],
              [kind, a => nonlinear(a, kind), 1],
            ] as [string, (a: tf.Tensor2D, b: tf.Tensor2D, c: tf.Tensor2D) => tf.Tensor, number][],
        ),
      ];
      const lost: string[] = [];
      for (const [name, op, count] of ops)
        for (let which = 0; which < count; which++)
          for (const at of [0, 16, 22]) {
            const inputs = ['a', 'b', 'c'].map((seed, i) => {
              const values = draw([37, 23], seed).dataSync<'float32'>().slice();
              if (i === which) values[at] = Number.NaN;
              return tf.tensor2d(values, [37, 23]);
            });
            const f = (...x: tf.Tensor[]) => op(x[0] as tf.Tensor2D, x[1] as tf.Tensor2D, x[2] as tf.Tensor2D);
            if (!Number.isNaN(tf.sum(f(...inputs)).dataSync()[0])) lost.push(`${name}, input ${which}, place ${at}`);
          }
      expect(lost).toEqual([]);
      layout.dispose();
    });
  });
});

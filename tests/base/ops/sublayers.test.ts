import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { native, use } from '../../../src/base/backend/index.js';
import {
  causalAttention,
  gatedUnit,
  gatherRows,
  linear,
  linears,
  matmul,
  raggedLayout,
  residual,
  rmsNorm,
  rope,
  ropeTable,
  type SublayerWeight,
  sublayerOps,
} from '../../../src/base/ops/index.js';
import { usable } from '../../helpers/backends.js';
import { draw, off, values } from './numbers.js';

const here = (await usable('native')).every(({ here }) => here);

/** Largest difference as a share of the largest number. */
function relative(ours: tf.Tensor, theirs: tf.Tensor): number {
  expect(ours.shape).toEqual(theirs.shape);
  const most = values(theirs).reduce((m, x) => Math.max(m, Math.abs(x)), 1e-12);
  return off(values(ours), values(theirs)) / most;
}

const frozen = (weights: tf.Tensor[], which: number[]): SublayerWeight[] =>
  weights.map((value, i) => ({ value, frozen: which.includes(i) }));

/** Value and gradients, of x and the weights that are not frozen. */
function both(
  make: (x: tf.Tensor2D, weights: tf.Tensor[]) => tf.Tensor2D,
  x: tf.Tensor2D,
  weights: tf.Tensor[],
  which: number[],
) {
  const learnt = weights.filter((_, i) => !which.includes(i));
  const forward = (x: tf.Tensor, ...given: tf.Tensor[]) => {
    const left = given.slice();
    return make(
      x as tf.Tensor2D,
      weights.map((weight, i) => (which.includes(i) ? weight : left.shift()!)),
    );
  };
  const y = forward(x, ...learnt);
  const dy = draw(y.shape, 'dy');
  return [y, ...tf.grads(forward)([x, ...learnt], dy)];
}

describe.skipIf(!here)('products and sub-layers by the fused kernels', () => {
  beforeAll(async () => {
    await use('native');
    expect(native()?.fused).toBe(true);
  });

  it.each([
    [25, 33, 700],
    [61, 31, 1],
    [26, 1, 600],
    [100, 257, 65],
    [30, 8, 1100],
    [900, 40, 12],
    [25, 130, 17],
  ])('a product of %i × %i over %i is that of float64, transposed or not, and has the same bits every time', (m, n, k) => {
    for (const [ta, tb] of [
      [false, false],
      [false, true],
      [true, false],
      [true, true],
    ] as const)
      tf.tidy(() => {
        const [a, b] = [draw(ta ? [k, m] : [m, k], 'a'), draw(tb ? [n, k] : [k, n], 'b')] as [tf.Tensor2D, tf.Tensor2D];
        const [x, w] = [values(a), values(b)];
        const exact = new Float64Array(m * n);
        for (let i = 0; i < m; i++)
          for (let j = 0; j < n; j++)
            for (let t = 0; t < k; t++) exact[i * n + j]! += x[ta ? t * m + i : i * k + t]! * w[tb ? j * k + t : t * n + j]!;
        const ours = matmul(a, b, ta, tb);
        expect(ours.shape).toEqual([m, n]);
        expect(off(values(ours), exact)).toBeLessThan(2e-6 * k ** 0.5 * 4);
        expect(values(matmul(a, b, ta, tb))).toEqual(values(ours));
      });
  });

  it('a product of nothing is zeros, and of no rows is empty', () =>
    tf.tidy(() => {
      expect([...values(matmul(tf.zeros([30, 0]), tf.zeros([0, 3])))]).toEqual(new Array(90).fill(0));
      expect(matmul(tf.zeros([30, 5]), tf.zeros([0, 5]), false, true).shape).toEqual([30, 0]);
    }));

  it('factors that do not fit are refused, not read', () => {
    expect(() => matmul(tf.zeros([30, 5]), tf.zeros([6, 30]))).toThrow(/inner sizes/);
  });

  for (const { heads, keyHeads, window, keep, offset, without } of [
    { heads: 4, keyHeads: 4, window: undefined, keep: undefined, offset: 0, without: [] },
    { heads: 6, keyHeads: 2, window: 5, keep: [3, 3, 0, 30], offset: 1, without: [0, 2] },
    { heads: 2, keyHeads: 1, window: 100, keep: [35], offset: 0, without: [1, 2, 3, 4] },
    { heads: 3, keyHeads: 3, window: undefined, keep: [1, 2], offset: 0, without: [0, 1, 2, 3, 4] },
  ] as const) {
    const name = `${heads} heads on ${keyHeads}, window ${window}, kept ${keep ?? 'all'}, frozen ${without.join() || 'none'}`;
    it(`attention's half is what its parts give: ${name}`, () => {
      const before = tf.memory().numTensors;
      const lengths = [17, 1, 12, 6];
      const [width, headDim] = [40, 12];
      const layout = raggedLayout(lengths, heads, keyHeads);
      const positions = lengths.flatMap(n => Array.from({ length: n }, (_, t) => t));
      const turns = [1, 0.3, 0.09, 0.027];
      // A head of 12 of which 8 are turned.
      const tables = {
        query: ropeTable(positions, turns, heads, headDim ** -0.5, { headDim }),
        key: ropeTable(positions, turns, keyHeads, 1, { headDim }),
      };
      tf.tidy(() => {
        const x = draw([layout.tokens, width], 'x') as tf.Tensor2D;
        const [wide, narrow] = [heads * headDim, keyHeads * headDim];
        const shapes = [[width], [wide, width], [narrow, width], [narrow, width], [width, wide]];
        const weights = shapes.map((shape, i) => tf.mul(draw(shape, `w${i}`), shape.length > 1 ? width ** -0.5 : 1));
        const kept = keep && tf.tensor1d([...keep], 'int32');
        const whole = (x: tf.Tensor2D, given: tf.Tensor[]) => {
          const [norm, query, key, value, output] = frozen(given, [...without]) as [
            SublayerWeight,
            SublayerWeight,
            SublayerWeight,
            SublayerWeight,
            SublayerWeight,
          ];
          const parts = { norm, query, key, value, output, rope: tables, layout, window, keep: kept, epsilon: 1e-5, offset };
          return sublayerOps(x.shape[0])!.attention(x, parts);
        };
        const apart = (x: tf.Tensor2D, [norm, query, key, value, output]: tf.Tensor[]) => {
          const h = rmsNorm(x, norm as tf.Tensor1D, 1e-5, { offset });
          const [q, k, v] = linears(
            h,
            [query, key, value].map(weight => ({ weight: weight as tf.Tensor2D })),
          ) as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D];
          const out = causalAttention(rope(q, tables.query), rope(k, tables.key), v, layout, { scale: 1, window });
          const some = (rows: tf.Tensor2D) => (kept ? gatherRows(rows, kept) : rows);
          return residual(some(x), linear(some(out), output as tf.Tensor2D));
        };
        const [ours, theirs] = [both(whole, x, weights, [...without]), both(apart, x, weights, [...without])];
        expect(ours.length).toBe(theirs.length);
        theirs.forEach((their, i) => {
          expect(relative(ours[i]!, their)).toBeLessThan(5e-6);
        });
      });
      layout.dispose();
      tables.query.dispose();
      tables.key.dispose();
      expect(tf.memory().numTensors).toBe(before);
    });
  }

  for (const activation of ['silu', 'gelu_new'] as const)
    for (const without of [[], [0, 3], [1, 2], [0, 1, 2, 3]])
      it(`the feed-forward half is what its parts give: ${activation}, frozen ${without.join() || 'none'}`, () =>
        tf.tidy(() => {
          const x = draw([70, 24], 'x') as tf.Tensor2D;
          const shapes = [[24], [50, 24], [50, 24], [24, 50]];
          const weights = shapes.map((shape, i) => tf.mul(draw(shape, `w${i}`), shape.length > 1 ? 24 ** -0.5 : 1));
          const whole = (x: tf.Tensor2D, given: tf.Tensor[]) => {
            const [norm, gate, up, down] = frozen(given, without) as [
              SublayerWeight,
              SublayerWeight,
              SublayerWeight,
              SublayerWeight,
            ];
            return sublayerOps(x.shape[0])!.feedForward(x, { norm, gate, up, down, activation, epsilon: 1e-5, offset: 0 });
          };
          const apart = (x: tf.Tensor2D, [norm, gate, up, down]: tf.Tensor[]) => {
            const h = rmsNorm(x, norm as tf.Tensor1D, 1e-5);
            const inner = gatedUnit(linear(h, gate as tf.Tensor2D), linear(h, up as tf.Tensor2D), activation);
            return residual(x, linear(inner, down as tf.Tensor2D));
          };
          const [ours, theirs] = [both(whole, x, weights, without), both(apart, x, weights, without)];
          expect(ours.length).toBe(theirs.length);
          theirs.forEach((their, i) => {
            expect(relative(ours[i]!, their)).toBeLessThan(5e-6);
          });
        }));
});

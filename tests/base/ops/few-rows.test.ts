import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { use } from '../../../src/base/backend/index.js';
import { type FewRowsOps, fewRowsOps, matmul, type ProductParts } from '../../../src/base/ops/index.js';
import { usable, without } from '../../helpers/backends.js';
import { draw, off, values } from './numbers.js';

/** x · W in float64. */
function product(x: tf.Tensor, w: tf.Tensor, transposed: boolean): Float64Array {
  const [m, k] = x.shape as [number, number];
  const n = transposed ? w.shape[1]! : w.shape[0]!;
  const [a, b] = [values(x), values(w)];
  const y = new Float64Array(m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++)
      for (let t = 0; t < k; t++) y[i * n + j]! += a[i * k + t]! * (transposed ? b[t * n + j]! : b[j * k + t]!);
  return y;
}

const here = (await usable('native'))[0]!.here;
describe.skipIf(!here)('ops on few rows', () => {
  let ops: FewRowsOps;
  beforeAll(async () => {
    await use('native');
    ops = fewRowsOps(16)!;
    expect(ops).toBeDefined();
  });

  it('are there for few rows, and where the fused kernels are in use', () => {
    expect(fewRowsOps(1)).toBeDefined();
    expect(fewRowsOps(25)).toBeUndefined();
    expect(without(() => fewRowsOps(1))).toBeUndefined();
  });

  const shapes = [1, 2, 3, 4, 5, 7, 16].flatMap(m =>
    [
      [1, 1],
      [3, 5],
      [64, 16],
      [33, 31],
      [576, 203],
      [130, 1027],
    ].map(([k, n]) => [m, k, n] as [number, number, number]),
  );
  it.each([false, true])('products of any shape are those of float64 (matrix [in, out]: %s)', transposed => {
    const wrong = shapes.filter(([m, k, n]) =>
      tf.tidy(() => {
        const x = draw([m, k], 'x');
        const w = draw(transposed ? [k, n] : [n, k], 'w');
        const y = ops.products(x, { matrices: [w], transposed });
        expect(y.shape).toEqual([m, n]);
        return !(off(values(y), product(x, w, transposed)) < 4e-6 * Math.sqrt(k));
      }),
    );
    expect(wrong).toEqual([]);
  });

  it('a row has the same bits whatever rows stand beside it, and however wide the matrix is', () => {
    for (const transposed of [false, true])
      tf.tidy(() => {
        const x = draw([16, 577], 'x');
        const w = draw(transposed ? [577, 900] : [900, 577], 'w');
        const all = ops.products(x, { matrices: [w], transposed });
        for (const m of [1, 2, 3, 7, 16]) {
          const some = ops.products(tf.slice(x, [16 - m, 0], [m, 577]) as tf.Tensor2D, { matrices: [w], transposed });
          expect(values(some)).toEqual(values(tf.slice(all, [16 - m, 0], [m, 900])));
        }
        const narrow = tf.slice(w, [0, 0], transposed ? [577, 48] : [48, 577]) as tf.Tensor2D;
        expect(values(ops.products(x, { matrices: [narrow], transposed }))).toEqual(values(tf.slice(all, [0, 0], [16, 48])));
      });
  });

  it('a product of few rows goes to the kernel, transposed or not, and agrees with TensorFlow', () => {
    tf.tidy(() => {
      const x = draw([3, 50], 'x');
      for (const transposed of [false, true]) {
        const w = draw(transposed ? [70, 50] : [50, 70], 'w');
        const ours = values(matmul(x, w, false, transposed));
        expect(ours).toEqual(values(ops.products(x, { matrices: [w], transposed: !transposed })));
        expect(off(ours, values(without(() => matmul(x, w, false, transposed))))).toBeLessThan(2e-5);
      }
    });
  });

  it.each([1, 5, 16])('%i rows: norm, several matrices, biases, unit and residual are the ops one after the other', rows => {
    tf.tidy(() => {
      const x = draw([rows, 40], 'x');
      const [weight, bias] = [draw<tf.Rank.R1>([40], 'weight'), draw<tf.Rank.R1>([40], 'bias')];
      const rms = { weight, epsilon: 1e-5, offset: 1 } as const;
      const layer = { weight, bias, epsilon: 1e-5 };
      const matrices = [draw([36, 40], 'a'), draw([12, 40], 'b'), draw([48, 40], 'c')];
      const biases = [36, 12, 48].map((n, i) => draw<tf.Rank.R1>([n], `bias ${i}`));
      const residual = draw([rows, 96], 'residual');
      const half = draw([rows, 48], 'half');
      const cases: ProductParts[] = [
        { matrices },
        { matrices, biases },
        { matrices, norm: rms },
        { matrices, norm: layer, biases, residual },
        { matrices, unit: { kind: 'gelu_new', gated: false }, residual },
        { matrices, norm: rms, biases, unit: { kind: 'silu', gated: true }, residual: half },
        {
          matrices: matrices.map(w => tf.transpose(w)),
          transposed: true,
          norm: rms,
          biases,
          unit: { kind: 'gelu', gated: true },
        },
      ];
      for (const parts of cases) {
        const ours = ops.products(x, parts);
        const theirs = tf.tidy(() => {
          let h: tf.Tensor = x;
          if (parts.norm?.bias) {
            const { mean, variance } = tf.moments(h, 1, true);
            h = tf.add(tf.mul(tf.mul(tf.sub(h, mean), tf.rsqrt(tf.add(variance, 1e-5))), weight), bias);
          } else if (parts.norm)
            h = tf.mul(tf.mul(h, tf.rsqrt(tf.add(tf.mean(tf.mul(h, h), 1, true), 1e-5))), tf.add(weight, parts.norm.offset ?? 0));
          const all = tf.concat([...parts.matrices] as tf.Tensor2D[], parts.transposed ? 1 : 0);
          h = without(() => tf.matMul(h as tf.Tensor2D, all, false, !parts.transposed));
          if (parts.biases) h = tf.add(h, tf.concat([...parts.biases] as tf.Tensor1D[], 0));
          const { unit } = parts;
          if (unit) {
            const [gate, up] = unit.gated ? tf.split(h, 2, 1) : [h];
            h = f(gate!, unit.kind);
            if (up) h = tf.mul(h, up);
          }
          return parts.residual ? tf.add(h, parts.residual) : h;
        });
        expect(ours.shape).toEqual(theirs.shape);
        expect(off(values(ours), values(theirs))).toBeLessThan(2e-5 * Math.max(...values(tf.abs(theirs))));
      }
    });
  });

  /** The units in tfjs's own ops. */
  function f(x: tf.Tensor, kind: string): tf.Tensor {
    if (kind === 'silu') return tf.mul(x, tf.sigmoid(x));
    if (kind === 'gelu') return tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.div(x, Math.SQRT2)), 1));
    const u = tf.mul(tf.add(x, tf.mul(tf.pow(x, 3), 0.044715)), Math.sqrt(2 / Math.PI));
    return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(u), 1));
  }

  it('no rows and no columns give none; sums over nothing are 0', () => {
    tf.tidy(() => {
      expect(ops.products(tf.zeros([0, 8]), { matrices: [tf.zeros([3, 8])] }).shape).toEqual([0, 3]);
      expect(ops.products(tf.zeros([2, 8]), { matrices: [tf.zeros([0, 8])] }).shape).toEqual([2, 0]);
      expect([...values(ops.products(tf.zeros([2, 0]), { matrices: [tf.zeros([3, 0])] }))]).toEqual([0, 0, 0, 0, 0, 0]);
    });
  });

  it('a NaN is found in the columns and rows that it belongs to, and nowhere else', () => {
    for (const transposed of [false, true])
      for (const [k, at] of [
        [64, 3],
        [37, 36],
      ] as const)
        tf.tidy(() => {
          const x = values(draw([3, k], 'x')).slice();
          x[k + at] = Number.NaN;
          const y = ops.products(tf.tensor2d(x, [3, k]), { matrices: [draw(transposed ? [k, 9] : [9, k], 'w')], transposed });
          const nan = [...values(tf.sum(y, 1))].map(Number.isNaN);
          expect(nan).toEqual([false, true, false]);
          const w = values(draw([9, k], 'w')).slice();
          w[8 * k + at] = Number.NaN;
          const whole = tf.tensor2d(w, [9, k]);
          const matrix = transposed ? tf.transpose(whole) : whole;
          const z = ops.products(draw([3, k], 'x'), { matrices: [matrix], transposed });
          expect([...values(tf.sum(z, 0))].map(Number.isNaN)).toEqual([...Array(8).fill(false), true]);
        });
  });

  it('parts that do not fit are an error', () => {
    tf.tidy(() => {
      const x = draw([2, 8], 'x');
      const matrices = [draw([6, 8], 'w')];
      const wrong: ProductParts[] = [
        { matrices: [draw([6, 7], 'w')] },
        { matrices, transposed: true },
        { matrices: [] },
        { matrices, norm: { weight: draw<tf.Rank.R1>([7], 'n'), epsilon: 1e-5 } },
        { matrices, biases: [draw<tf.Rank.R1>([5], 'b')] },
        { matrices, residual: draw([2, 5], 'r') },
        { matrices: [draw([5, 8], 'w')], unit: { kind: 'silu', gated: true } },
      ];
      for (const parts of wrong) expect(() => ops.products(x, parts)).toThrow(/do not fit|need matrices/);
    });
  });
});

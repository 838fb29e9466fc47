import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { use } from '../../../src/base/backend/index.js';
import { Random } from '../../../src/base/core/index.js';
import { dropout, keepMask, lowRank, lowRankWeight, rescale } from '../../../src/base/ops/index.js';
import { usable } from '../../helpers/backends.js';
import { leftBehind, NOTHING } from '../../helpers/leak.js';

const [T, IN, OUT, R, S] = [7, 5, 6, 3, 0.7];
const DROPPING = { rate: 0.4, seed: [3, -9] as const };

interface Case {
  shapes: number[][];
  op: (...x: tf.Tensor[]) => tf.Tensor;
  /** The formula in plain tfjs ops, differentiated by tfjs. */
  plain: (...x: tf.Tensor[]) => tf.Tensor;
}

const m = (x: tf.Tensor | undefined) => x as tf.Tensor2D;
const v = (x: tf.Tensor | undefined) => x as tf.Tensor1D;
const product = (x: tf.Tensor, a: tf.Tensor, b: tf.Tensor) =>
  tf.mul(tf.matMul(tf.matMul(m(x), m(a), false, true), m(b), false, true), S);
const UPDATE = [
  [T, OUT],
  [T, IN],
  [R, IN],
  [OUT, R],
];
const NORM = [1, 2, 3, 0.5, 4, 1.5];

const CASES: Record<string, Case> = {
  lowRank: {
    shapes: UPDATE,
    op: (y, x, a, b) => lowRank(m(y), m(x), m(a), m(b), S),
    plain: (y, x, a, b) => tf.add(y!, product(x!, a!, b!)),
  },
  'lowRank with dropout': {
    shapes: UPDATE,
    op: (y, x, a, b) => lowRank(m(y), m(x), m(a), m(b), S, DROPPING),
    plain: (y, x, a, b) => tf.add(y!, product(tf.div(tf.mul(x!, keepMask([T, IN], DROPPING)), 0.6), a!, b!)),
  },
  lowRankWeight: {
    shapes: [
      [OUT, IN],
      [R, IN],
      [OUT, R],
    ],
    op: (w, a, b) => lowRankWeight(m(w), m(a), m(b), S, false),
    plain: (w, a, b) => tf.add(w!, tf.mul(tf.matMul(m(b), m(a)), S)),
  },
  'lowRankWeight, transposed': {
    shapes: [
      [IN, OUT],
      [R, IN],
      [OUT, R],
    ],
    op: (w, a, b) => lowRankWeight(m(w), m(a), m(b), S, true),
    plain: (w, a, b) => tf.add(w!, tf.mul(tf.transpose(tf.matMul(m(b), m(a))), S)),
  },
  rescale: { shapes: [[T, OUT], [OUT]], op: (y, l) => rescale(m(y), v(l)), plain: (y, l) => tf.mul(y!, l!) },
  'rescale relative to norms, around a constant': {
    shapes: [[T, OUT], [OUT]],
    op: (y, l) => rescale(m(y), v(l), { norm: () => tf.tensor1d(NORM), constant: tf.tensor1d([1, 2, 3, 4, 5, 6]) }),
    plain: (y, l) => {
      const c = tf.tensor1d([1, 2, 3, 4, 5, 6]);
      return tf.add(tf.mul(tf.sub(y!, c), tf.div(l!, tf.tensor1d(NORM))), c);
    },
  },
  'rescale around a learnt constant': {
    shapes: [[T, OUT], [OUT], [OUT]],
    op: (y, l, c) => rescale(m(y), v(l), { norm: () => tf.tensor1d(NORM), constant: v(c), learnt: true }),
    plain: (y, l, c) => tf.add(tf.mul(tf.sub(y!, c!), tf.div(l!, tf.tensor1d(NORM))), c!),
  },
  'rescale of rows': {
    shapes: [[OUT, T], [OUT]],
    op: (y, l) => rescale(m(y), v(l), { norm: () => tf.tensor1d(NORM), rows: true }),
    plain: (y, l) => tf.mul(y!, tf.expandDims(tf.div(l!, tf.tensor1d(NORM)), 1)),
  },
  dropout: {
    shapes: [[T, IN]],
    op: x => dropout(m(x), DROPPING),
    plain: x => tf.div(tf.mul(x!, keepMask([T, IN], DROPPING)), 0.6),
  },
};

function draw(shape: readonly number[], random: Random): tf.Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return tf.tensor(
    Float32Array.from({ length: size }, () => random.normal()),
    [...shape],
  );
}

function off(ours: tf.Tensor, theirs: tf.Tensor): number {
  expect(ours.shape).toEqual(theirs.shape);
  return tf.tidy(() => (tf.div(tf.max(tf.abs(tf.sub(ours, theirs))), tf.max(tf.abs(theirs))) as tf.Scalar).dataSync()[0]!);
}

for (const { backend, here } of await usable('cpu', 'wasm', 'native'))
  describe.skipIf(!here)(`on ${backend}`, () => {
    beforeAll(async () => {
      await use(backend);
    });

    it.each(Object.entries(CASES))('%s: value and gradient are those of the formula', (name, { shapes, op, plain }) => {
      tf.tidy(() => {
        const random = new Random(name);
        const inputs = shapes.map(shape => draw(shape, random));
        const value = op(...inputs);
        expect(off(value, plain(...inputs))).toBeLessThan(2e-6);
        const mix = draw(value.shape, random);
        const scalar =
          (f: Case['op']) =>
          (...x: tf.Tensor[]) =>
            tf.sum(tf.mul(f(...x), mix)) as tf.Scalar;
        const theirs = tf.grads(scalar(plain))(inputs);
        tf.grads(scalar(op))(inputs).forEach((gradient, i) => {
          expect(off(gradient, theirs[i]!)).toBeLessThan(1e-5);
        });
      });
    });

    it.each(Object.entries(CASES))('%s: leaves no tensor behind', async (_, { shapes, op }) => {
      const random = new Random('leak');
      const inputs = shapes.map(shape => draw(shape, random));
      const left = await leftBehind(() => {
        const gradients = tf.grads((...x: tf.Tensor[]) => tf.sum(op(...x)) as tf.Scalar)(inputs);
        tf.dispose(gradients);
      });
      expect(left).toEqual(NOTHING);
      tf.dispose(inputs);
    });

    it('a mask depends on its seed alone, drops the share it is told and differs between seeds', () => {
      const mask = (seed: readonly [number, number], rate = 0.25) =>
        tf.tidy(() => [...keepMask([200, 100], { rate, seed }).dataSync()]);
      const first = mask([1, 2]);
      expect(mask([1, 2])).toEqual(first);
      expect(new Set(first)).toEqual(new Set([0, 1]));
      const kept = first.reduce((a, b) => a + b) / first.length;
      // Five standard deviations of a share of 20,000.
      expect(Math.abs(kept - 0.75)).toBeLessThan(5 * Math.sqrt((0.25 * 0.75) / 20_000));
      for (const other of [mask([2, 1]), mask([1, 3]), mask([-1, 2])]) {
        const same = other.filter((value, i) => value === first[i]).length / first.length;
        // Independent masks agree in 0.75² + 0.25² of places.
        expect(Math.abs(same - 0.625)).toBeLessThan(5 * Math.sqrt((0.625 * 0.375) / 20_000));
      }
    });
  });

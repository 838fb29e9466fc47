import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { use } from '../../../src/base/backend/index.js';
import { Random } from '../../../src/base/core/index.js';
import { biasedAttention, type LaneLayout, type LaneOptions, laneLayout } from '../../../src/base/ops/index.js';
import { usable } from '../../helpers/backends.js';
import { leftBehind, NOTHING } from '../../helpers/leak.js';

const HEADS = 2;
const HEAD_DIM = 3;
const WIDTH = HEADS * HEAD_DIM;

interface Case {
  queries: number[];
  keys: number[];
  options?: LaneOptions;
  bias: boolean;
  scale?: number;
}

const CASES: Record<string, Case> = {
  'causal, ragged, with a bias': { queries: [4, 1, 3], keys: [4, 1, 3], options: { causal: true }, bias: true },
  'in both directions, ragged, with a bias': { queries: [2, 5], keys: [2, 5], bias: true },
  'between rows of other lengths': { queries: [3, 1, 2], keys: [2, 6, 4], bias: false },
  'rows of one length, scaled': { queries: [3, 3], keys: [2, 2], bias: true, scale: 0.5 },
  'keys hidden in the midst of a row': {
    queries: [3, 2],
    keys: [4, 3],
    options: { hidden: [[false, true, true, false], []] },
    bias: true,
  },
};

/** Attention row by row, head by head, as the formula has it. */
function plain(
  { queries, keys, options = {}, scale = 1 }: Case,
  q: tf.Tensor,
  k: tf.Tensor,
  v: tf.Tensor,
  bias?: tf.Tensor,
): tf.Tensor {
  let [from, keyFrom] = [0, 0];
  const rows = queries.map((n, row) => {
    const m = keys[row]!;
    const part = (x: tf.Tensor, start: number, count: number, head: number) =>
      tf.slice(x as tf.Tensor2D, [start, head * HEAD_DIM], [count, HEAD_DIM]);
    const unseen = (i: number, j: number) => (options.causal && j > i) || options.hidden?.[row]?.[j] === true;
    const mask = tf.tensor2d(
      Array.from({ length: n }, (_, i) => Array.from({ length: m }, (_, j) => (unseen(i, j) ? -1e30 : 0))),
      [n, m],
    );
    const heads = Array.from({ length: HEADS }, (_, h) => {
      let scores: tf.Tensor = tf.mul(tf.matMul(part(q, from, n, h), part(k, keyFrom, m, h), false, true), scale);
      if (bias) scores = tf.add(scores, tf.squeeze(tf.slice(bias as tf.Tensor3D, [h, 0, 0], [1, n, m]), [0]));
      return tf.matMul(tf.softmax(tf.add(scores, mask)) as tf.Tensor2D, part(v, keyFrom, m, h));
    });
    from += n;
    keyFrom += m;
    return tf.concat(heads, 1);
  });
  return tf.concat(rows, 0);
}

const draw = (shape: number[], random: Random) =>
  tf.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
    shape,
  );
const worst = (a: tf.Tensor, b: tf.Tensor) => tf.tidy(() => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]!);
const sum = (xs: number[]) => xs.reduce((a, b) => a + b, 0);

for (const { backend, here } of await usable('native', 'wasm', 'cpu'))
  describe.skipIf(!here).each(Object.entries(CASES))(`biasedAttention on ${backend}: %s`, (_, which) => {
    const { queries, keys, options, bias, scale } = which;
    let inputs: tf.Tensor[];
    let paid: tf.Tensor;
    let layout: LaneLayout;

    beforeAll(async () => {
      await use(backend);
      const random = new Random(`biased ${queries} ${keys}`);
      layout = laneLayout(queries, keys, HEADS, options);
      inputs = [draw([sum(queries), WIDTH], random), draw([sum(keys), WIDTH], random), draw([sum(keys), WIDTH], random)];
      if (bias) inputs.push(draw([HEADS, layout.queryTime, layout.keyTime], random));
      paid = draw([sum(queries), WIDTH], random);
    });
    afterAll(() => {
      tf.dispose([...inputs, paid]);
      layout.dispose();
    });

    const ours = (...[q, k, v, b]: tf.Tensor[]) =>
      biasedAttention(q as tf.Tensor2D, k as tf.Tensor2D, v as tf.Tensor2D, layout, { bias: b as tf.Tensor3D, scale });
    const theirs = (...[q, k, v, b]: tf.Tensor[]) => plain(which, q!, k!, v!, b);
    const weighed =
      (op: (...x: tf.Tensor[]) => tf.Tensor) =>
      (...x: tf.Tensor[]) =>
        tf.sum(tf.mul(op(...x), paid)) as tf.Scalar;

    it('is the formula', () => {
      expect(tf.tidy(() => worst(ours(...inputs), theirs(...inputs)))).toBeLessThan(1e-5);
    });

    it('has the gradient that tfjs finds for the formula', () => {
      tf.tidy(() => {
        const got = tf.grads(weighed(ours))(inputs);
        tf.grads(weighed(theirs))(inputs).forEach((want, i) => {
          expect(got[i]!.shape).toEqual(want.shape);
          expect(worst(got[i]!, want), `input ${i}`).toBeLessThan(2e-5);
        });
      });
    });

    it('has the gradient that differences show', () => {
      const [step, random] = [1e-2, new Random('direction')];
      inputs.forEach((x, i) => {
        tf.tidy(() => {
          const way = draw(x.shape, random);
          const at = (sign: number) =>
            weighed(ours)(...inputs.map((y, j) => (j === i ? tf.add(y, tf.mul(way, sign * step)) : y))).dataSync()[0]!;
          const along = tf.sum(tf.mul(tf.grads(weighed(ours))(inputs)[i]!, way)).dataSync()[0]!;
          expect((at(1) - at(-1)) / (2 * step), `input ${i}`).toBeCloseTo(along, 1);
        });
      });
    });

    it('differentiates a frozen bias not at all, and leaves nothing behind', async () => {
      const frozen = (...[q, k, v]: tf.Tensor[]) =>
        biasedAttention(q as tf.Tensor2D, k as tf.Tensor2D, v as tf.Tensor2D, layout, {
          bias: inputs[3] as tf.Tensor3D | undefined,
          frozen: true,
          scale,
        });
      const three = inputs.slice(0, 3);
      tf.tidy(() => {
        const got = tf.grads(weighed(frozen))(three);
        tf.grads(weighed(ours))(inputs)
          .slice(0, 3)
          .forEach((want, i) => {
            expect(worst(got[i]!, want)).toBeLessThan(1e-6);
          });
      });
      expect(await leftBehind(() => tf.dispose(tf.grads(weighed(ours))(inputs)))).toEqual(NOTHING);
    });
  });

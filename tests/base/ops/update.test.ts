import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { native, use } from '../../../src/base/backend/index.js';
import { Random } from '../../../src/base/core/index.js';
import { type AdamWStep, adamWInPlace, linearCrossEntropy, sumsOfSquares } from '../../../src/base/ops/index.js';
import { usable } from '../../helpers/backends.js';

// Norms, odd widths, nothing at all, more than a piece, a scalar.
const SHAPES = [[1], [37], [3, 5], [0, 4], [257, 129], [70_001], []];

function draw(shape: number[], seed: string, scale: number = 1): tf.Tensor {
  const random = new Random(seed);
  return tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => scale * random.normal()),
    shape,
    'float32',
  );
}

const numbers = (x: tf.Tensor) => Array.from(x.dataSync<'float32'>());

/** The largest difference, beside the largest number or 1. */
function farthest(ours: number[], theirs: number[]): number {
  expect(ours).toHaveLength(theirs.length);
  let [most, off] = [1, 0];
  for (let i = 0; i < theirs.length; i++) {
    most = Math.max(most, Math.abs(theirs[i]!));
    off = Math.max(off, Math.abs(theirs[i]! - ours[i]!));
  }
  return off / most;
}

const here = (await usable('native'))[0]!.here;
describe.skipIf(!here)('kernels over all weights', () => {
  beforeAll(async () => {
    await use('native');
    expect(native()?.fused).toBe(true);
  });
  afterEach(() => {
    native()!.fused = true;
  });

  it('sums of squares are those of float64, every time, and those of the form without kernels', () => {
    tf.tidy(() => {
      const tensors = SHAPES.map((shape, i) => draw(shape, `x${i}`, 10 ** (i - 3)));
      const ours = numbers(sumsOfSquares(tensors));
      expect(ours).toHaveLength(SHAPES.length);
      for (const [i, x] of tensors.entries()) {
        const exact = numbers(x).reduce((sum, value) => sum + value * value, 0);
        expect(Math.abs(ours[i]! - exact)).toBeLessThanOrEqual(1e-6 * exact);
      }
      expect(numbers(sumsOfSquares(tensors))).toEqual(ours);
      expect(numbers(sumsOfSquares([]))).toEqual([]);
      native()!.fused = false;
      for (const [i, square] of numbers(sumsOfSquares(tensors)).entries())
        expect(Math.abs(square - ours[i]!)).toBeLessThanOrEqual(1e-5 * ours[i]!);
    });
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('%d anywhere is in its sum alone', bad => {
    tf.tidy(() => {
      for (const at of [0, 16, 36]) {
        const values = new Float32Array(37).fill(1);
        values[at] = bad;
        expect(numbers(sumsOfSquares([tf.ones([5]), tf.tensor1d(values), tf.ones([3])]))).toEqual([5, bad, 3]);
      }
    });
  });

  const step: AdamWStep = { scale: 0.25, beta1: 0.9, beta2: 0.99, eps: 1e-3, updates: 3 };

  /** Weights as float64 has them after one step. */
  function expected(p: number[], m: number[], v: number[], g: number[], learningRate: number, weightDecay: number) {
    const { scale, beta1, beta2, eps, updates } = step;
    return p.map((value, i) => {
      const gradient = scale * g[i]!;
      const mean = beta1 * m[i]! + (1 - beta1) * gradient;
      const square = beta2 * v[i]! + (1 - beta2) * gradient ** 2;
      const root = Math.sqrt(square / (1 - beta2 ** updates)) + eps;
      const weight = value * (1 - learningRate * weightDecay) - (learningRate * (mean / (1 - beta1 ** updates))) / root;
      return { weight, mean, square };
    });
  }

  it('AdamW is that of float64 for weights of every shape, each with its own rate and decay, and leaves nothing behind', () => {
    const make = () =>
      SHAPES.map((shape, i) => ({
        weight: draw(shape, `p${i}`),
        mean: draw(shape, `m${i}`, 0.1),
        square: tf.tidy(() => tf.abs(draw(shape, `v${i}`, 0.1))),
        gradient: draw(shape, `g${i}`, 3),
        learningRate: 0.1 / (i + 1),
        weightDecay: i % 2 === 0 ? 0 : 0.3,
      }));
    tf.tidy(() => {
      const targets = make();
      const wanted = targets.map(({ weight, mean, square, gradient, learningRate, weightDecay }) =>
        expected(numbers(weight), numbers(mean), numbers(square), numbers(gradient), learningRate, weightDecay),
      );
      const before = tf.memory().numTensors;
      adamWInPlace(native()!, step, targets);
      expect(tf.memory().numTensors).toBe(before);
      for (const part of ['weight', 'mean', 'square'] as const) {
        const exact = wanted.map(weights => weights.map(weight => weight[part]));
        expect(
          farthest(
            targets.flatMap(target => numbers(target[part])),
            exact.flat(),
          ),
        ).toBeLessThan(1e-6);
      }
      const again = make();
      adamWInPlace(native()!, step, again);
      expect(again.map(({ weight }) => numbers(weight))).toEqual(targets.map(({ weight }) => numbers(weight)));
      adamWInPlace(native()!, step, []);
    });
  });

  it('a NaN in a gradient reaches its own weight alone', () => {
    tf.tidy(() => {
      const values = new Float32Array(41).fill(1);
      values[40] = Number.NaN;
      const target = (gradient: tf.Tensor) => ({
        weight: draw([41], 'p'),
        mean: draw([41], 'm'),
        square: tf.ones([41]),
        gradient,
        learningRate: 0.1,
        weightDecay: 0,
      });
      const targets = [target(tf.ones([41])), target(tf.tensor1d(values))];
      adamWInPlace(native()!, step, targets);
      const [clean, hit] = targets.map(({ weight }) => numbers(weight)) as [number[], number[]];
      expect(clean.slice(0, 40)).toEqual(hit.slice(0, 40));
      expect([Number.isNaN(clean[40]), Number.isNaN(hit[40])]).toEqual([false, true]);
    });
  });

  it('weights and gradients of different shapes are refused, and nothing is written', () => {
    tf.tidy(() => {
      const weight = tf.ones([4]);
      const target = {
        weight,
        mean: tf.zeros([4]),
        square: tf.zeros([4]),
        gradient: tf.ones([5]),
        learningRate: 1,
        weightDecay: 0,
      };
      expect(() => adamWInPlace(native()!, step, [target])).toThrow(/differ in shape/);
      expect(numbers(weight)).toEqual([1, 1, 1, 1]);
    });
  });
});

describe.skipIf(!here)('the cross entropy kernel', () => {
  beforeAll(async () => {
    await use('native');
  });
  afterEach(() => {
    native()!.fused = true;
  });

  /** Loss and gradients by hidden states and head. */
  function run(rows: number, vocabulary: number, shift: number): number[][] {
    return tf.tidy(() => {
      const head = draw([vocabulary, 3], 'w', 4) as tf.Tensor2D;
      const hidden = tf.add(draw([rows, 3], 'h'), shift) as tf.Tensor2D;
      const labels = tf.tensor1d(
        Array.from({ length: rows }, (_, i) => (i * 7) % vocabulary),
        'int32',
      );
      const weights = tf.tensor1d(Array.from({ length: rows }, (_, i) => i % 3));
      const loss = (h: tf.Tensor, w: tf.Tensor) => linearCrossEntropy(h as tf.Tensor2D, w as tf.Tensor2D, labels, weights);
      return [loss(hidden, head), ...tf.grads(loss)([hidden, head])].map(numbers);
    });
  }

  it.each([
    [1, 1, 0],
    [5, 7, 0],
    [3, 16, -30],
    [33, 1029, 30],
    [2, 40_001, 5],
  ])(
    '%i rows of %i logits, shifted by %d: loss and gradients are those of the form without it, every time',
    (rows, vocabulary, shift) => {
      const ours = run(rows, vocabulary, shift);
      expect(run(rows, vocabulary, shift)).toEqual(ours);
      native()!.fused = false;
      for (const [i, theirs] of run(rows, vocabulary, shift).entries()) expect(farthest(ours[i]!, theirs)).toBeLessThan(2e-6);
    },
  );

  it('a NaN among the logits is the loss, and a label outside the vocabulary is refused', () => {
    tf.tidy(() => {
      const head = tf.ones<tf.Rank.R2>([19, 1]);
      const loss = (bad: number, label: number) =>
        linearCrossEntropy(tf.tensor2d([1, bad], [2, 1]), head, tf.tensor1d([0, label], 'int32'), tf.ones([2])).dataSync()[0];
      expect(loss(1, 18)).toBeCloseTo(2 * Math.log(19), 5);
      expect(loss(Number.NaN, 18)).toBeNaN();
      for (const label of [-1, 19]) expect(() => loss(1, label)).toThrow(/outside the vocabulary/);
    });
  });
});

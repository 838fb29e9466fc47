import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { native, use } from '../../../src/base/backend/index.js';
import { Random } from '../../../src/base/core/index.js';
import {
  causalAttention,
  fused,
  gatedUnit,
  gatherRows,
  layerNorm,
  linear,
  linearCrossEntropy,
  linears,
  type Nonlinearity,
  nonlinear,
  type RaggedLayout,
  type RopeTable,
  raggedLayout,
  residual,
  rmsNorm,
  rope,
  ropeTable,
  swiglu,
  tokenCrossEntropy,
} from '../../../src/base/ops/index.js';
import { usable } from '../../helpers/backends.js';
import { leftBehind, NOTHING } from '../../helpers/leak.js';

const LENGTHS = [5, 1, 3];
const TOKENS = 9;
const HEAD_DIM = 4;
const HEADS = 4;
const KEY_HEADS = 2;

interface Case {
  shapes: number[][];
  /** Ours, summed against fixed random weights so that every output counts differently. */
  op: (...x: tf.Tensor[]) => tf.Tensor;
  /** The formula in plain tfjs ops, differentiated by tfjs. */
  plain: (...x: tf.Tensor[]) => tf.Tensor;
}

const ints = (values: number[]) => tf.tensor1d(values, 'int32');

/** Attention row by row, head by head, as the formula has it. */
function plainAttention(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, window = Infinity, cap?: number): tf.Tensor {
  const group = HEADS / KEY_HEADS;
  let start = 0;
  const rows = LENGTHS.map(n => {
    const part = (x: tf.Tensor, head: number) => tf.slice(x as tf.Tensor2D, [start, head * HEAD_DIM], [n, HEAD_DIM]);
    const heads = Array.from({ length: HEADS }, (_, h) => {
      const kv = Math.floor(h / group);
      const raw = tf.mul(tf.matMul(part(q, h), part(k, kv), false, true), 1 / Math.sqrt(HEAD_DIM));
      const scores = cap ? tf.mul(tf.tanh(tf.div(raw, cap)), cap) : raw;
      const seen = tf.tensor2d(
        Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => (j <= i && i - j < window ? 0 : -1e30))),
        [n, n],
      );
      return tf.matMul(tf.softmax(tf.add(scores, seen)) as tf.Tensor2D, part(v, kv));
    });
    start += n;
    return tf.concat(heads, 1);
  });
  return tf.concat(rows, 0);
}

/** Rotary positions on the first four of every head's dimensions only, the turned part a third longer. */
function plainPartialRope(x: tf.Tensor, positions: number[]): tf.Tensor {
  const flat = tf.reshape(x, [positions.length * 2, 6]);
  const twice = positions.flatMap(p => [p, p]);
  const turned = plainRope(tf.slice(flat, [0, 0], [-1, HEAD_DIM]), twice);
  return tf.reshape(tf.concat([tf.mul(turned, 4 / 3), tf.slice(flat, [0, HEAD_DIM], [-1, 2])], 1), x.shape);
}

/** θ^(−2j/headDim) for j < headDim/2. */
function ropeFrequencies(headDim: number, theta: number): Float32Array {
  return Float32Array.from({ length: headDim / 2 }, (_, j) => theta ** ((-2 * j) / headDim));
}

function plainRope(x: tf.Tensor, positions: number[]): tf.Tensor {
  const frequencies = ropeFrequencies(HEAD_DIM, 100);
  const heads = x.shape[1]! / HEAD_DIM;
  const [a, b] = tf.split(tf.reshape(x, [positions.length, heads, HEAD_DIM]), 2, 2) as [tf.Tensor, tf.Tensor];
  const angles = tf.tensor3d(
    positions.flatMap(p => Array.from(frequencies, f => p * f)),
    [positions.length, 1, HEAD_DIM / 2],
  );
  const [c, s] = [tf.cos(angles), tf.sin(angles)];
  const turned = tf.concat([tf.sub(tf.mul(a, c), tf.mul(b, s)), tf.add(tf.mul(b, c), tf.mul(a, s))], 2);
  return tf.reshape(turned, x.shape);
}

function plainCrossEntropy(
  h: tf.Tensor,
  w: tf.Tensor,
  labels: number[],
  weights: number[],
  cap?: number,
  smoothing: number = 0,
): tf.Tensor {
  const z = tf.matMul(h as tf.Tensor2D, w as tf.Tensor2D, false, true);
  const logp = tf.logSoftmax(cap ? tf.mul(tf.tanh(tf.div(z, cap)), cap) : z);
  const hot = tf.cast(tf.oneHot(ints(labels), w.shape[0]!), 'float32');
  const target = tf.add(tf.mul(hot, 1 - smoothing), smoothing / w.shape[0]!);
  return tf.neg(tf.sum(tf.mul(tf.sum(tf.mul(logp, target), 1), tf.tensor1d(weights))));
}

const positions = LENGTHS.flatMap(n => Array.from({ length: n }, (_, i) => i + 2));
const [labels, weights] = [
  [3, 0, 10, 3, 7],
  [1, 0.5, 0, 2, 1],
];
/** Tables and layouts outlive a pass, so they are made outside the differentiated function. */
let table: RopeTable;
let partial: RopeTable;
let layout: RaggedLayout;
const crossEntropy = (chunk?: number) => (h: tf.Tensor, w: tf.Tensor) =>
  linearCrossEntropy(h as tf.Tensor2D, w as tf.Tensor2D, ints(labels), tf.tensor1d(weights), { chunk });

const CASES: Record<string, Case> = {
  linear: {
    shapes: [[TOKENS, 6], [5, 6], [5]],
    op: (x, w, b) => linear(x as tf.Tensor2D, w as tf.Tensor2D, b as tf.Tensor1D),
    plain: (x, w, b) => tf.add(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D, false, true), b!),
  },
  'linears, one with a bias and one stored [in, out]': {
    shapes: [[TOKENS, 6], [5, 6], [5], [6, 3]],
    op: (x, w, b, v) => {
      const modules = [
        { weight: w as tf.Tensor2D, bias: b as tf.Tensor1D },
        { weight: v as tf.Tensor2D, transposed: true },
      ];
      return tf.concat(linears(x as tf.Tensor2D, modules), 1);
    },
    plain: (x, w, b, v) =>
      tf.concat([tf.add(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D, false, true), b!), tf.matMul(x!, v!)], 1),
  },
  residual: {
    shapes: [
      [TOKENS, 6],
      [TOKENS, 6],
    ],
    op: (x, h) => residual(residual(x as tf.Tensor2D, h as tf.Tensor2D), x as tf.Tensor2D),
    plain: (x, h) => tf.add(tf.mul(x!, 2), h!),
  },
  rmsNorm: {
    shapes: [[TOKENS, 6], [6]],
    op: (x, w) => rmsNorm(x as tf.Tensor2D, w as tf.Tensor1D, 0.01),
    plain: (x, w) => tf.mul(tf.div(x!, tf.sqrt(tf.add(tf.mean(tf.square(x!), 1, true), 0.01))), w!),
  },
  'linear, stored [in, out]': {
    shapes: [[TOKENS, 6], [6, 5], [5]],
    op: (x, w, b) => linear(x as tf.Tensor2D, w as tf.Tensor2D, b as tf.Tensor1D, { transposed: true }),
    plain: (x, w, b) => tf.add(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D), b!),
  },
  'rmsNorm with 1 + weight': {
    shapes: [[TOKENS, 6], [6]],
    op: (x, w) => rmsNorm(x as tf.Tensor2D, w as tf.Tensor1D, 0.01, { offset: 1 }),
    plain: (x, w) => tf.mul(tf.div(x!, tf.sqrt(tf.add(tf.mean(tf.square(x!), 1, true), 0.01))), tf.add(w!, 1)),
  },
  layerNorm: {
    shapes: [[TOKENS, 6], [6], [6]],
    op: (x, w, b) => layerNorm(x as tf.Tensor2D, w as tf.Tensor1D, b as tf.Tensor1D, 0.01),
    plain: (x, w, b) => {
      const { mean, variance } = tf.moments(x!, 1, true);
      return tf.add(tf.mul(tf.div(tf.sub(x!, mean), tf.sqrt(tf.add(variance, 0.01))), w!), b!);
    },
  },
  swiglu: {
    shapes: [
      [TOKENS, 6],
      [TOKENS, 6],
    ],
    op: (g, u) => swiglu(g as tf.Tensor2D, u as tf.Tensor2D),
    plain: (g, u) => tf.mul(tf.mul(g!, tf.sigmoid(g!)), u!),
  },
  gatherRows: {
    shapes: [[7, 3]],
    op: x => gatherRows(x as tf.Tensor2D, ints([6, 0, 0, 2, 6, 6])),
    plain: x => tf.matMul(tf.cast(tf.oneHot(ints([6, 0, 0, 2, 6, 6]), 7), 'float32') as tf.Tensor2D, x as tf.Tensor2D),
  },
  rope: {
    shapes: [[TOKENS, HEADS * HEAD_DIM]],
    op: x => rope(x as tf.Tensor2D, table),
    plain: x => plainRope(x!, positions),
  },
  'causalAttention, grouped': {
    shapes: [
      [TOKENS, HEADS * HEAD_DIM],
      [TOKENS, KEY_HEADS * HEAD_DIM],
      [TOKENS, KEY_HEADS * HEAD_DIM],
    ],
    op: (q, k, v) => causalAttention(q as tf.Tensor2D, k as tf.Tensor2D, v as tf.Tensor2D, layout),
    plain: (q, k, v) => plainAttention(q!, k!, v!),
  },
  'causalAttention, windowed and capped': {
    shapes: [
      [TOKENS, HEADS * HEAD_DIM],
      [TOKENS, KEY_HEADS * HEAD_DIM],
      [TOKENS, KEY_HEADS * HEAD_DIM],
    ],
    op: (q, k, v) => causalAttention(q as tf.Tensor2D, k as tf.Tensor2D, v as tf.Tensor2D, layout, { window: 2, softcap: 0.7 }),
    plain: (q, k, v) => plainAttention(q!, k!, v!, 2, 0.7),
  },
  'rope on a part of every head': {
    shapes: [[TOKENS, 2 * 6]],
    op: x => rope(x as tf.Tensor2D, partial),
    plain: x => plainPartialRope(x!, positions),
  },
  'linearCrossEntropy, capped': {
    shapes: [
      [5, 6],
      [11, 6],
    ],
    op: (h, w) =>
      linearCrossEntropy(h as tf.Tensor2D, w as tf.Tensor2D, ints(labels), tf.tensor1d(weights), { chunk: 2, softcap: 1.5 }),
    plain: (h, w) => plainCrossEntropy(h!, w!, labels, weights, 1.5),
  },
  'linearCrossEntropy, smoothed and capped': {
    shapes: [
      [5, 6],
      [11, 6],
    ],
    op: (h, w) =>
      linearCrossEntropy(h as tf.Tensor2D, w as tf.Tensor2D, ints(labels), tf.tensor1d(weights), {
        chunk: 2,
        softcap: 1.5,
        smoothing: 0.2,
      }),
    plain: (h, w) => plainCrossEntropy(h!, w!, labels, weights, 1.5, 0.2),
  },
  linearCrossEntropy: {
    shapes: [
      [5, 6],
      [11, 6],
    ],
    op: crossEntropy(),
    plain: (h, w) => plainCrossEntropy(h!, w!, labels, weights),
  },
  'linearCrossEntropy in chunks': {
    shapes: [
      [5, 6],
      [11, 6],
    ],
    op: crossEntropy(2),
    plain: (h, w) => plainCrossEntropy(h!, w!, labels, weights),
  },
};

/** The activations by their formulas, in plain ops that tfjs differentiates. */
const FORMULAS: Record<Nonlinearity, (x: tf.Tensor) => tf.Tensor> = {
  relu: x => tf.relu(x),
  gelu: x => tf.mul(x, tf.mul(0.5, tf.add(1, tf.erf(tf.div(x, Math.SQRT2))))),
  gelu_new: x => {
    const inner = tf.mul(tf.add(x, tf.mul(0.044715, tf.pow(x, 3))), Math.sqrt(2 / Math.PI));
    return tf.mul(tf.mul(0.5, x), tf.add(1, tf.tanh(inner)));
  },
  silu: x => tf.mul(x, tf.sigmoid(x)),
  quick_gelu: x => tf.mul(x, tf.sigmoid(tf.mul(x, 1.702))),
  tanh: x => tf.tanh(x),
  linear: x => tf.mul(x, 1),
};
for (const [kind, formula] of Object.entries(FORMULAS) as [Nonlinearity, (x: tf.Tensor) => tf.Tensor][]) {
  const shape = [TOKENS, 6];
  CASES[`nonlinear ${kind}`] = { shapes: [shape], op: x => nonlinear(x as tf.Tensor2D, kind), plain: x => formula(x!) };
  CASES[`gatedUnit ${kind}`] = {
    shapes: [shape, shape],
    op: (g, u) => gatedUnit(g as tf.Tensor2D, u as tf.Tensor2D, kind),
    plain: (g, u) => tf.mul(formula(g!), u!),
  };
}

function draw(shape: readonly number[], random: Random): tf.Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return tf.tensor(
    Float32Array.from({ length: size }, () => random.normal()),
    [...shape],
  );
}

const relative = (ours: ArrayLike<number>, theirs: ArrayLike<number>): number => {
  let most = 1e-12;
  let off = 0;
  for (let i = 0; i < theirs.length; i++) {
    most = Math.max(most, Math.abs(theirs[i]!));
    off = Math.max(off, Math.abs(theirs[i]! - ours[i]!));
  }
  return off / most;
};

// On native twice: with the fused kernels, and with TensorFlow's own where those could not be compiled.
const backends = (await usable('cpu', 'wasm', 'native')).flatMap(entry =>
  [true, false].filter(fused => fused || entry.backend === 'native').map(fused => ({ ...entry, fused })),
);
for (const { backend, here, fused } of backends)
  describe.skipIf(!here)(`on ${backend}${fused ? '' : ' without fused kernels'}`, () => {
    beforeAll(async () => {
      await use(backend);
      const door = native();
      if (door) {
        if (fused) expect(door.fused).toBe(true);
        door.fused = fused;
      }
      table = ropeTable(positions, ropeFrequencies(HEAD_DIM, 100), HEADS);
      partial = ropeTable(positions, ropeFrequencies(HEAD_DIM, 100), 2, 1, { headDim: 6, turnedScale: 4 / 3 });
      layout = raggedLayout(LENGTHS, HEADS, KEY_HEADS);
    });
    afterAll(() => {
      const door = native();
      if (door) door.fused = true;
      table.dispose();
      partial.dispose();
      layout.dispose();
    });

    it.each(Object.entries(CASES))('%s: value and gradient are those of the formula', (name, { shapes, op, plain }) => {
      tf.tidy(() => {
        const random = new Random(name);
        const inputs = shapes.map(shape => draw(shape, random));
        const value = op(...inputs);
        expect(relative(value.dataSync(), plain(...inputs).dataSync())).toBeLessThan(2e-6);
        // A scalar that weighs every output differently, so that no mistake cancels.
        const mix = draw(value.shape, random);
        const scalar =
          (f: Case['op']) =>
          (...x: tf.Tensor[]) =>
            tf.sum(tf.mul(f(...x), mix)) as tf.Scalar;
        const ours = tf.grads(scalar(op))(inputs);
        const theirs = tf.grads(scalar(plain))(inputs);
        ours.forEach((gradient, i) => {
          expect(gradient.shape).toEqual(inputs[i]!.shape);
          expect(relative(gradient.dataSync(), theirs[i]!.dataSync())).toBeLessThan(1e-5);
        });
      });
    });

    // At relu's corner there is no slope to measure.
    const smooth = Object.entries(CASES).filter(([name]) => !name.endsWith(' relu'));
    it.each(smooth)('%s: the gradient is the slope, measured', (name, { shapes, op }) => {
      tf.tidy(() => {
        const random = new Random(`slope ${name}`);
        const inputs = shapes.map(shape => draw(shape, random));
        const mix = draw(op(...inputs).shape, random);
        const f = (...x: tf.Tensor[]) => tf.sum(tf.mul(op(...x), mix)) as tf.Scalar;
        const gradients = tf.grads(f)(inputs);
        inputs.forEach((input, i) => {
          const direction = draw(input.shape, random);
          const at = (step: number) =>
            f(...inputs.map((x, j) => (j === i ? tf.add(x, tf.mul(direction, step)) : x))).dataSync()[0]!;
          // Fourth-order central difference: float32 leaves about three digits.
          const e = 0.02;
          const slope = (8 * (at(e) - at(-e)) - (at(2 * e) - at(-2 * e))) / (12 * e);
          const along = tf.sum(tf.mul(gradients[i]!, direction)).dataSync()[0]!;
          const scale = tf.norm(gradients[i]!).dataSync()[0]! * tf.norm(direction).dataSync()[0]!;
          expect(Math.abs(slope - along) / scale).toBeLessThan(2e-3);
        });
      });
    });

    it('nothing is left behind by a backward pass, nor by a forward pass without one', async () => {
      const random = new Random(5);
      const shapes = CASES['causalAttention, grouped']!.shapes;
      const inputs = shapes.map(shape => draw(shape, random));
      const f = (...x: tf.Tensor[]) =>
        tf.sum(causalAttention(x[0] as tf.Tensor2D, x[1] as tf.Tensor2D, x[2] as tf.Tensor2D, layout)) as tf.Scalar;
      expect(await leftBehind(() => tf.dispose(tf.grads(f)(inputs)))).toEqual(NOTHING);
      expect(await leftBehind(() => tf.tidy(() => void f(...inputs)))).toEqual(NOTHING);
      tf.dispose(inputs);
    });

    it('token losses are the terms of the sum', () => {
      tf.tidy(() => {
        const random = new Random(6);
        const [h, w] = [draw([5, 6], random) as tf.Tensor2D, draw([11, 6], random) as tf.Tensor2D];
        const losses = tokenCrossEntropy(h, w, ints(labels), { chunk: 2 }).dataSync<'float32'>();
        const sum = crossEntropy()(h, w).dataSync()[0]!;
        expect(losses.reduce((total, loss, i) => total + loss * weights[i]!, 0)).toBeCloseTo(sum, 4);
      });
    });
  });

describe('fused ops', () => {
  it('free what the backward pass made, not what the caller gave', async () => {
    await use('cpu');
    const w = tf.ones<tf.Rank.R2>([2, 3]);
    const x = tf.ones<tf.Rank.R2>([4, 3]);
    const dy = tf.ones<tf.Rank.R2>([4, 2]);
    const given: tf.Tensor[] = [];
    const seen = (y: tf.Tensor2D) =>
      fused<tf.Tensor2D>([y], () => ({
        value: tf.clone(y),
        gradient: dy => {
          given.push(dy);
          return [tf.clone(dy)];
        },
      }));
    const dx = tf.grad(x => seen(seen(linear(x as tf.Tensor2D, w))))(x, dy);
    expect(Array.from(dx.dataSync())).toEqual(new Array(12).fill(2));
    expect(given.map(t => t.isDisposed)).toEqual([false, true]);
    expect(given[0]!.id).toBe(dy.id);
    tf.dispose([w, x, dy, dx]);
  });

  it('give no gradient where only some of the results count', async () => {
    await use('cpu');
    tf.tidy(() => {
      const [x, v, w] = [tf.ones<tf.Rank.R2>([4, 3]), tf.ones<tf.Rank.R2>([2, 3]), tf.ones<tf.Rank.R2>([2, 3])];
      const [dv, dw] = tf.grads((v, w) => {
        const weights = [v, w] as tf.Tensor2D[];
        return tf.sum(
          linears(
            x,
            weights.map(weight => ({ weight })),
          )[0]!,
        );
      })([v, w]) as [tf.Tensor, tf.Tensor];
      expect(Array.from(dv.dataSync())).toEqual(new Array(6).fill(4));
      expect(Array.from(dw.dataSync())).toEqual(new Array(6).fill(0));
    });
  });

  it('a frozen weight costs no gradient and changes no other', async () => {
    await use('cpu');
    tf.tidy(() => {
      const random = new Random(7);
      const x = draw([4, 3], random) as tf.Tensor2D;
      const w = draw([2, 3], random) as tf.Tensor2D;
      const through = (frozen: boolean) =>
        tf
          .grad(y => tf.sum(linear(y as tf.Tensor2D, w, undefined, { frozen })))(x)
          .dataSync();
      expect(through(true)).toEqual(through(false));
      expect(() => tf.grad(v => tf.sum(linear(x, v as tf.Tensor2D, undefined, { frozen: true })))(w)).toThrow(/gradient/);
    });
  });
});

import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import * as backend from '../../../../src/base/backend/index.js';
import { createParameter } from '../../../../src/learn/models/index.js';
import { adafactor } from '../../../../src/learn/train/optimizers/adafactor.js';
import { adamw } from '../../../../src/learn/train/optimizers/adamw.js';
import { swapEma, withEma } from '../../../../src/learn/train/optimizers/ema.js';
import { lion } from '../../../../src/learn/train/optimizers/lion.js';
import { sgd } from '../../../../src/learn/train/optimizers/sgd.js';
import { disposeState, type Optimizer } from '../../../../src/learn/train/types.js';
import { footprint, workingBackends } from '../backends.js';

// Made by fixtures/make_optimizers.py.
interface Oracle {
  names: string[];
  shapes: number[][];
  learningRate: number;
  start: number[][];
  gradients: number[][][];
  cases: Record<string, { end: number[][]; ema?: number[][] }>;
}
const oracle = JSON.parse(readFileSync(new URL('../fixtures/optimizers.json', import.meta.url), 'utf8')) as Oracle;
const working = await workingBackends('cpu', 'wasm', 'native');

const learningRate = oracle.learningRate;
const ours: Record<string, Optimizer> = {
  adamw: adamw({ betas: [0.8, 0.95], eps: 1e-4, weightDecay: 0.3 }),
  'adamw with groups': adamw({
    weightDecay: 0.3,
    decay: 'matrices',
    layerDecay: 0.8,
    groups: [{ match: 'q_proj', rate: 0.5, weightDecay: 0 }],
  }),
  'adamw with ema': withEma(adamw(), 0.7),
  sgd: sgd(),
  'sgd with decay': sgd({ weightDecay: 0.1 }),
  'sgd with momentum and decay': sgd({ momentum: 0.9, weightDecay: 0.1 }),
  'sgd with nesterov': sgd({ momentum: 0.9, nesterov: true, weightDecay: 0.1 }),
  lion: lion(),
  'lion with decay': lion({ betas: [0.8, 0.95], weightDecay: 0.3 }),
  'adafactor, relative': adafactor(),
  'adafactor, warm-up': adafactor({ warmupInit: true }),
  'adafactor, plain': adafactor({ learningRate, scaleParameter: false, weightDecay: 0.1 }),
  'adafactor with mean': adafactor({ learningRate, beta1: 0.9, weightDecay: 0.1, clipThreshold: 0.5, decayRate: -0.5 }),
};

describe.each(working)('eight updates on %s equal PyTorch', name => {
  // Gradients are scaled outside and inside, as clipping does.
  it.each(Object.keys(oracle.cases))('%s', async which => {
    await backend.use(name);
    const { names, shapes, start, gradients, cases } = oracle;
    const { end, ema } = cases[which]!;
    const optimizer = ours[which]!;
    const before = footprint();
    const parameters = shapes.map((shape, i) => createParameter(names[i]!, shape, Float32Array.from(start[i]!)));
    optimizer.check?.(parameters);
    const state = optimizer.init(parameters);
    for (const flat of gradients) {
      const tensors = flat.map((values, i) =>
        tf.tensor(
          values.map(x => x * 4),
          shapes[i]!,
        ),
      );
      const rate = optimizer.learningRate === 1 ? 1 : learningRate;
      optimizer.step(parameters, tensors, state, { scale: 0.25, learningRate: rate });
      expect(tensors.every(t => t.isDisposed)).toBe(true);
    }
    const far = (expected: number[][]) => {
      const found = parameters.map(p => tf.tidy(() => [...p.read().dataSync()]));
      return Math.max(
        ...expected.flatMap((values, i) => {
          const size = Math.max(...values.map(Math.abs));
          return values.map((x, k) => Math.abs(x - found[i]![k]!) / size);
        }),
      );
    };
    expect(far(end)).toBeLessThan(1e-6);
    if (ema) {
      swapEma(parameters, state);
      expect(far(ema)).toBeLessThan(1e-6);
      swapEma(parameters, state);
      expect(far(end)).toBeLessThan(1e-6);
    }
    disposeState(state);
    for (const p of parameters) p.dispose();
    expect(footprint()).toEqual(before);
  });
});

describe('what an optimizer refuses', () => {
  const cases: [string, () => unknown, RegExp][] = [
    ['a group that means no weight', () => adamw({ groups: [{ match: 'q_porj' }] }).check!(one()), /No weight.*q_porj/],
    ['a group with an unknown setting', () => adamw({ groups: [{ match: 'x', lr: 1 } as never] }), /no option "lr"/],
    ['layerDecay above 1', () => lion({ layerDecay: 1.5 }), /layerDecay/],
    ['nesterov without momentum', () => sgd({ nesterov: true }), /momentum/],
    ['a decay that is none', () => sgd({ decay: 'norms' as never }), /matrices/],
    ['a warm-up of steps that are not relative', () => adafactor({ warmupInit: true, learningRate: 0.1 }), /relativeStep: true/],
    ['a decayRate above 0', () => adafactor({ decayRate: 0.8 }), /decayRate/],
  ];
  const one = () => [createParameter('model.norm.weight', [1], Float32Array.of(1))];
  it.each(cases)('%s', async (_, make, message) => {
    await backend.use('cpu');
    expect(make).toThrow(message);
  });
});

import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import * as backend from '../../../src/base/backend/index.js';
import { createParameter } from '../../../src/learn/models/index.js';
import { adamw } from '../../../src/learn/train/optimizers/adamw.js';
import { sgd } from '../../../src/learn/train/optimizers/sgd.js';
import { disposeState, type Optimizer } from '../../../src/learn/train/types.js';
import { footprint, workingBackends } from './backends.js';

interface Trajectory {
  shapes: number[][];
  start: number[][];
  gradients: number[][][];
  norms: number[];
  end: number[][];
}
const oracle = JSON.parse(readFileSync(new URL('./fixtures/oracle.json', import.meta.url), 'utf8')) as Record<string, Trajectory>;
const working = await workingBackends('cpu', 'wasm', 'native');

const cases: [string, Optimizer][] = [
  ['adamw', adamw({ betas: [0.8, 0.95], eps: 1e-4, weightDecay: 0.3, decay: 'all' })],
  ['sgd', sgd()],
  ['momentum', sgd({ momentum: 0.9 })],
];

describe.each(working)('optimizers on %s equal PyTorch', name => {
  it.each(cases)('%s, eight clipped updates', async (which, optimizer) => {
    await backend.use(name);
    const { shapes, start, gradients, norms, end } = oracle[which]!;
    const before = footprint();
    const parameters = shapes.map((shape, i) => createParameter(`p${i}`, shape, Float32Array.from(start[i]!)));
    const state = optimizer.init(parameters);
    gradients.forEach((flat, step) => {
      const tensors = flat.map((values, i) => tf.tensor(values, shapes[i]!));
      const scale = Math.min(1, 1 / (norms[step]! + 1e-6));
      optimizer.step(parameters, tensors, state, { scale, learningRate: 0.02 });
      expect(tensors.every(t => t.isDisposed)).toBe(true);
    });
    parameters.forEach((p, i) => {
      const value = p.read();
      for (const [k, x] of value.dataSync().entries()) expect(x).toBeCloseTo(end[i]![k]!, 5);
      value.dispose();
    });
    disposeState(state);
    for (const p of parameters) p.dispose();
    expect(footprint()).toEqual(before);
  });
});

describe('weight decay', () => {
  it('spares one-dimensional parameters unless told otherwise', async () => {
    await backend.use('cpu');
    const end = (decay: 'matrices' | 'all') => {
      const parameters = [
        createParameter('w', [2, 2], Float32Array.of(1, 1, 1, 1)),
        createParameter('b', [2], Float32Array.of(1, 1)),
      ];
      const optimizer = adamw({ weightDecay: 0.5, decay });
      const state = optimizer.init(parameters);
      optimizer.step(
        parameters,
        parameters.map(p => tf.zeros([...p.shape])),
        state,
        { scale: 1, learningRate: 0.1 },
      );
      const values = parameters.map(p => tf.tidy(() => p.read().dataSync()[0]!));
      disposeState(state);
      for (const p of parameters) p.dispose();
      return values.map(x => Number(x.toFixed(6)));
    };
    expect(end('matrices')).toEqual([0.95, 1]);
    expect(end('all')).toEqual([0.95, 0.95]);
  });

  it('refuses settings that are none', () => {
    expect(() => adamw({ betas: [1, 0.9] })).toThrow(/betas/);
    expect(() => adamw({ weightDecay: Number.NaN })).toThrow(/weightDecay/);
    expect(() => adamw({ learningRate: -1 })).toThrow(/learningRate/);
    expect(() => sgd({ momentum: 1 })).toThrow(/momentum/);
    expect(() => adamw({ weight_decay: 0.1 } as object)).toThrow(/did you mean "weightDecay"/);
  });
});

import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import * as backend from '../../../src/base/backend/index.js';
import { createParameter } from '../../../src/learn/models/index.js';
import { OptimizerMemory } from '../../../src/learn/train/optimizer-memory.js';
import { adafactor } from '../../../src/learn/train/optimizers/adafactor.js';
import { adamw } from '../../../src/learn/train/optimizers/adamw.js';
import { withEma } from '../../../src/learn/train/optimizers/ema.js';
import { sgd } from '../../../src/learn/train/optimizers/sgd.js';
import type { Optimizer } from '../../../src/learn/train/types.js';
import { footprint, workingBackends } from './backends.js';

const working = await workingBackends('cpu', 'native');
const optimizers: Record<string, () => Optimizer> = {
  adamw: () => adamw(),
  'adamw with an average': () => withEma(adamw(), 0.9),
  adafactor: () => adafactor({ learningRate: 0.1 }),
  momentum: () => sgd({ momentum: 0.9 }),
  sgd: () => sgd(),
};

describe.each(working)('weights that come, rest and come back on %s', name => {
  // As in PyTorch, where a weight without gradient is passed over: each is updated as if it were alone.
  it.each(Object.keys(optimizers))('%s updates each as if it were alone', async which => {
    await backend.use(name);
    const before = footprint();
    // Steps in which each weight is trained: the second comes late, the first rests, both together, a third at the end.
    const turns = [
      [1, 1, 0, 0, 1, 1, 1],
      [0, 0, 1, 1, 1, 0, 1],
      [0, 0, 0, 0, 0, 0, 1],
    ];
    const make = () =>
      turns.map((_, i) =>
        createParameter(
          `w${i}`,
          [2, 3],
          Float32Array.from([1, 2, 3, 4, 5, 6], x => x + i),
        ),
      );
    const gradient = (i: number, step: number) =>
      tf.tensor(
        [1, -2, 3, -1, 2, 0.5].map(x => x * (1 + i) + step / 3),
        [2, 3],
      );
    const together = make();
    const memory = new OptimizerMemory(optimizers[which]!(), [together[0]!]);
    for (let step = 0; step < 7; step++) {
      const active = turns.flatMap((turn, i) => (turn[step] ? [i] : []));
      memory.step(
        active.map(i => together[i]!),
        active.map(i => gradient(i, step)),
        { scale: 1, learningRate: 0.1 },
      );
    }
    const alone = make();
    turns.forEach((turn, i) => {
      const own = new OptimizerMemory(optimizers[which]!(), [alone[i]!]);
      turn.forEach((on, step) => {
        if (on) own.step([alone[i]!], [gradient(i, step)], { scale: 1, learningRate: 0.1 });
      });
      own.dispose();
    });
    const values = (parameters: typeof alone) => parameters.map(p => tf.tidy(() => [...p.read().dataSync()]));
    expect(values(together)).toEqual(values(alone));
    expect(memory.state.updates).toBe(which === 'sgd' ? 7 : 5);
    if (which !== 'sgd') expect(memory.fewer).toEqual({ w1: 4, w2: 1 });
    memory.dispose();
    for (const p of [...together, ...alone]) p.dispose();
    expect(footprint()).toEqual(before);
  });
});

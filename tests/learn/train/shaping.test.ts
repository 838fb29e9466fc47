import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import * as backend from '../../../src/base/backend/index.js';
import { load, lora } from '../../../src/learn/models/index.js';
import * as train from '../../../src/learn/train/index.js';
import { expected, fixture } from '../models/fixtures.js';
import { footprint, workingBackends } from './backends.js';

const working = await workingBackends('cpu', 'wasm', 'native');
const rows = (await expected('llama-tied')).batches.flatMap(({ ids, labels }) =>
  ids.map((row, i) => ({ ids: row, labels: labels[i]!, task: i % 2 ? 'odd' : 'even' })),
);
const optimizers: Record<string, () => train.Optimizer> = {
  adamw: () => train.adamw({ learningRate: 1e-2, decay: 'matrices', layerDecay: 0.9 }),
  adafactor: () => train.adafactor({ learningRate: 1e-2, beta1: 0.9 }),
  lion: () => train.lion({ learningRate: 1e-3, weightDecay: 0.1 }),
  nesterov: () => train.sgd({ learningRate: 1e-2, momentum: 0.9, nesterov: true }),
};

describe.each(working)('with everything that shapes a step, on %s', name => {
  it.each(Object.keys(optimizers))('a resumed run is the uninterrupted one: %s', async which => {
    await backend.use(name);
    const dir = await mkdtemp(join(tmpdir(), 'tunebook-'));
    try {
      const model = async () => {
        const loaded = await load(fixture('llama-tied'));
        loaded.attach(lora({ rank: 2, dropout: 0.3, seed: 5 }));
        return loaded;
      };
      const first = await model();
      const run = train.sft({
        model: first,
        rows,
        batchSize: 3,
        accumulate: 2,
        steps: 6,
        seed: 5,
        optimizer: optimizers[which]!(),
        schedule: 'wsd',
        warmup: 2,
        labelSmoothing: 0.1,
        neftune: 5,
        promptLossWeight: 0.2,
        ema: 0.9,
        freeze: 'layers.0',
        mixture: { strategy: 'weights', weights: { odd: 3, even: 1 } },
        detailEvery: 3,
        checkpoint: { dir, every: 2, keep: 3 },
      });
      const whole = await run.finish();
      const second = await model();
      const again = await train.resume(join(dir, 'step-000002'), { model: second, rows, optimizer: optimizers[which]!() });
      const resumed = await again.finish();
      const columns = ['step', 'loss', 'gradNorm', 'learningRate', 'entropy', 'loss/odd', 'loss/even'] as const;
      for (const column of columns) expect(resumed[column], column).toEqual(whole[column]);
      const values = (m: typeof first) => m.parameters.map(p => tf.tidy(() => [...p.read().dataSync()]));
      expect(values(second)).toEqual(values(first));
      first.dispose();
      second.dispose();
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it.each(Object.keys(optimizers))('an accident puts weights and memory back as they were: %s', async which => {
    await backend.use(name);
    const before = footprint();
    const model = await load(fixture('llama-tied'));
    const trail: string[] = [];
    const original = model.lossAndGradients.bind(model);
    model.lossAndGradients = (batch, options) => {
      trail.push(tf.tidy(() => model.parameters.map(p => p.read().dataSync().join()).join()));
      const part = original(batch, options);
      if (trail.length !== 6) return part;
      part.numerator.dispose();
      return { ...part, numerator: tf.scalar(Number.NaN) };
    };
    const nonFinite = { policy: 'restore', every: 2, factor: 0.5 } as const;
    await train.sft({ model, rows, batchSize: 2, steps: 6, optimizer: optimizers[which]!(), nonFinite }).finish();
    expect(trail[6]).toBe(trail[4]);
    expect(new Set(trail).size).toBe(6);
    model.dispose();
    expect(footprint()).toEqual(before);
  });
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import * as backend from '../../src/base/backend/index.js';
import type { Model } from '../../src/learn/models/index.js';
import * as train from '../../src/learn/train/index.js';
import { footprint, workingBackends } from '../learn/train/backends.js';
import { difference, tinyLlama, unevenRows, weightsOf } from './tiny.js';

const working = await workingBackends('native', 'wasm', 'cpu');
const adamw = () => train.adamw({ learningRate: 0.01, decay: 'all' });

/** Train a fresh model and return what it came to. */
async function trained(options: Partial<train.SftOptions> & Pick<train.SftOptions, 'rows'>) {
  const model = tinyLlama();
  const history = await train.sft({ model, optimizer: adamw(), seed: 3, schedule: 'constant', ...options }).finish();
  const weights = weightsOf(model);
  model.dispose();
  return { history, weights };
}

describe.each(working)('on %s', name => {
  it('accumulation does not matter: 1 × 8 ≡ 2 × 4 ≡ 8 × 1', async () => {
    await backend.use(name);
    const rows = unevenRows(24);
    const one = await trained({ rows, batchSize: 8, accumulate: 1, steps: 4 });
    const two = await trained({ rows, batchSize: 4, accumulate: 2, steps: 4 });
    const eight = await trained({ rows, batchSize: 1, accumulate: 8, steps: 4 });
    for (const other of [two, eight]) {
      expect(difference([one.history.loss], [other.history.loss])).toBeLessThan(1e-5);
      expect(difference([one.history.gradNorm], [other.history.gradNorm])).toBeLessThan(1e-5);
      expect(other.history.labelTokens).toEqual(one.history.labelTokens);
      // Adam divides by the gradient's size: where that is at rounding level, so is the sign of the update.
      expect(difference(one.weights, other.weights)).toBeLessThan(1e-3);
    }
    // The denominators differ between the micro-batches: otherwise a mean of means would pass as well.
    expect(new Set(rows.slice(0, 8).map(row => row.labels.filter(label => label !== -100).length)).size).toBeGreaterThan(2);
  });

  it('a batch is the sum of its rows', async () => {
    await backend.use(name);
    const model = tinyLlama();
    const rows = unevenRows(5);
    const before = footprint();
    const gradients = (part: train.TrainRow[]) => {
      const result = model.lossAndGradients({ ids: part.map(r => [...r.ids]), labels: part.map(r => [...r.labels]) });
      const values = [result.numerator, ...result.gradients].map(t => t.dataSync().slice());
      tf.dispose([result.numerator, ...result.gradients]);
      return { values, denominator: result.denominator };
    };
    const together = gradients(rows);
    const apart = rows.map(row => gradients([row]));
    const sum = together.values.map((x, i) => x.map((_, k) => apart.reduce((total, { values }) => total + values[i]![k]!, 0)));
    expect(difference(together.values, sum)).toBeLessThan(1e-5);
    expect(apart.reduce((total, { denominator }) => total + denominator, 0)).toBe(together.denominator);
    expect(footprint()).toEqual(before);
    model.dispose();
  });

  it('fifty steps leave no tensor behind', async () => {
    await backend.use(name);
    const empty = footprint();
    const model = tinyLlama();
    const before = footprint();
    const run = train.sft({ model, rows: unevenRows(12), batchSize: 2, accumulate: 2, steps: 50, optimizer: adamw() });
    const seen: { tensors: number; bytes: number }[] = [];
    run.onStep(() => seen.push(footprint()));
    await run.finish();
    expect(seen).toHaveLength(50);
    expect(new Set(seen.map(({ tensors }) => tensors)).size).toBe(1);
    expect(new Set(seen.map(({ bytes }) => bytes)).size).toBe(1);
    expect(footprint()).toEqual(before);
    model.dispose();
    expect(footprint()).toEqual(empty);
  });

  it('the loss hook adds its term to loss and gradient', async () => {
    await backend.use(name);
    const rows = unevenRows(4);
    const one = async (strength: number) => {
      const loss: train.Hooks['loss'] = ({ weights, labels }) =>
        tf.mul(tf.sum(tf.square(weights.get('model.norm.weight')!)), strength * labels.size) as tf.Scalar;
      return (await trained({ rows, batchSize: 4, steps: 1, hooks: { loss } })).history;
    };
    const [without, withTerm] = [await one(0), await one(0.5)];
    // Sixteen ones, squared, halved; as a sum over the labelled positions it comes out as it is after the division.
    expect(withTerm.loss[0]! - without.loss[0]!).toBeCloseTo(8, 4);
    expect(withTerm.gradNorm[0]!).toBeGreaterThan(without.gradNorm[0]! + 0.5);
  });

  it('the seed decides everything', async () => {
    await backend.use(name);
    const rows = unevenRows(12);
    const first = await trained({ rows, batchSize: 4, steps: 4 });
    const again = await trained({ rows, batchSize: 4, steps: 4 });
    expect([...again.history.loss]).toEqual([...first.history.loss]);
    expect(again.weights).toEqual(first.weights);
    const other = await trained({ rows, batchSize: 4, steps: 4, seed: 4 });
    expect(other.history.loss).not.toEqual(first.history.loss);
  });

  it('a resumed run is the uninterrupted one, bit by bit', async () => {
    await backend.use(name);
    const dir = await mkdtemp(join(tmpdir(), 'tunebook-'));
    try {
      const rows = unevenRows(10);
      const options = { rows, batchSize: 4, steps: 8, seed: 3, schedule: 'cosine', warmup: 2 } as const;
      const whole = await trained(options);

      const model = tinyLlama();
      const run = train.sft({ model, optimizer: adamw(), ...options, checkpoint: { dir } });
      for await (const { step } of run) if (step === 5) run.stop();
      run.dispose();
      model.dispose();

      const before = footprint();
      const resumed = await train.resume(dir, { rows, optimizer: adamw() });
      const history = await resumed.finish();
      expect(history.loss).toEqual(whole.history.loss);
      expect(history.gradNorm).toEqual(whole.history.gradNorm);
      (resumed.model as Model).dispose();
      expect(footprint()).toEqual(before);
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});

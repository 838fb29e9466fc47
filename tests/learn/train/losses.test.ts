import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import * as backend from '../../../src/base/backend/index.js';
import { embeddingNoise } from '../../../src/base/ops/index.js';
import { load, type TrainBatch } from '../../../src/learn/models/index.js';
import * as train from '../../../src/learn/train/index.js';
import { expected, fixture } from '../models/fixtures.js';
import { footprint, workingBackends } from './backends.js';

// Made by fixtures/make_losses.py.
const { smoothing } = JSON.parse(readFileSync(new URL('./fixtures/losses.json', import.meta.url), 'utf8')) as {
  smoothing: { epsilon: number; loss: number; gradNorm: number };
};
const working = await workingBackends('cpu', 'wasm', 'native');
const batches = (await expected('llama-tied')).batches;
const rowsOf = ({ ids, labels }: TrainBatch) => ids.map((row, i) => ({ ids: row, labels: labels[i]! }));

describe.each(working)('losses on %s', name => {
  it('label smoothing is torch’s cross_entropy', async () => {
    await backend.use(name);
    const before = footprint();
    const model = await load(fixture('llama-tied'));
    const rows = rowsOf(batches[0]!);
    const options = { model, rows, batchSize: rows.length, steps: 1, shuffle: false, labelSmoothing: smoothing.epsilon };
    const run = train.sft({ ...options, optimizer: train.sgd({ learningRate: 0 }) });
    const { loss, gradNorm, labelTokens } = await run.finish();
    model.dispose();
    expect(Math.abs((loss[0]! * labelTokens[0]!) / smoothing.loss - 1)).toBeLessThan(1e-5);
    expect(Math.abs((gradNorm[0]! * labelTokens[0]!) / smoothing.gradNorm - 1)).toBeLessThan(1e-5);
    expect(footprint()).toEqual(before);
  });

  it('NEFTune adds noise while training, the same for the same step and seed, and none in evaluation', async () => {
    await backend.use(name);
    const model = await load(fixture('llama-tied'));
    const batch = { ids: batches[0]!.ids, labels: batches[0]!.labels };
    const loss = (options: object) => {
      const { numerator, gradients } = model.lossAndGradients(batch, options);
      const [value] = numerator.dataSync();
      tf.dispose([numerator, ...gradients]);
      return value!;
    };
    const plain = loss({});
    expect(loss({ seed: 7 })).toBe(plain);
    expect(loss({ neftune: 5 })).toBe(plain);
    const noisy = loss({ neftune: 5, seed: 7 });
    expect(noisy).not.toBe(plain);
    expect(loss({ neftune: 5, seed: 7 })).toBe(noisy);
    expect(loss({ neftune: 5, seed: 8 })).not.toBe(noisy);
    const options = {
      model,
      rows: rowsOf(batches[0]!),
      batchSize: 4,
      steps: 3,
      optimizer: train.sgd({ learningRate: 0 }),
      neftune: 5,
    };
    const first = await train.sft(options).finish();
    const second = await train.sft(options).finish();
    expect(second.loss).toEqual(first.loss);
    // The rows are the same at each step, the noise is not.
    expect(new Set(first.loss).size).toBe(3);
    model.dispose();
  });

  it('NEFTune’s noise is uniform in ± alpha / √(length · width), by row', async () => {
    await backend.use(name);
    const noise = embeddingNoise([400, 100], 16, 5, 3);
    const values = [...noise.dataSync()];
    noise.dispose();
    for (const [rows, length] of [
      [values.slice(0, 400 * 16), 400],
      [values.slice(400 * 16), 100],
    ] as const) {
      const bound = 5 / Math.sqrt(length * 16);
      const mean = rows.reduce((a, b) => a + b, 0) / rows.length;
      const variance = rows.reduce((a, b) => a + b * b, 0) / rows.length;
      expect(Math.max(...rows.map(Math.abs))).toBeLessThanOrEqual(bound);
      expect(Math.abs(mean)).toBeLessThan(0.05 * bound);
      expect(variance / (bound ** 2 / 3)).toBeCloseTo(1, 1);
    }
  });

  it('reports entropy, accuracy, the norm of every matrix and the loss of every task', async () => {
    await backend.use(name);
    const before = footprint();
    const model = await load(fixture('llama-tied'));
    const rows = batches
      .flatMap(rowsOf)
      .slice(0, 6)
      .map((row, i) => ({ ...row, task: i % 2 ? 'odd' : 'even' }));
    const run = train.sft({
      model,
      rows,
      batchSize: 2,
      accumulate: 2,
      shuffle: false,
      steps: 2,
      detailEvery: 2,
      learningRate: 0,
    });
    const reports: train.StepReport[] = [];
    for await (const report of run) reports.push(report);
    // Step 2 has rows 4 and 5.
    const losses = model.tokenLosses({ ids: rows.slice(4).map(r => r.ids) });
    const logits = model.logits({ ids: rows.slice(4).map(r => r.ids) });
    const probabilities = tf.tidy(() => tf.softmax(logits).arraySync() as number[][][]);
    logits.dispose();
    const seen = rows
      .slice(4)
      .flatMap((row, r) =>
        row.labels.flatMap((label, t) =>
          t === 0 || label === -100 ? [] : [{ p: probabilities[r]![t - 1]!, label, loss: losses[r]![t]!, r }],
        ),
      );
    const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    const [first, second] = reports as [train.StepReport, train.StepReport];
    expect(second.entropy).toBeCloseTo(mean(seen.map(({ p }) => -p.reduce((s, x) => s + x * Math.log(x), 0))), 4);
    expect(second.tokenAccuracy).toBeCloseTo(mean(seen.map(({ p, label }) => Number(p.indexOf(Math.max(...p)) === label))), 6);
    expect(second.lossByTask!.even).toBeCloseTo(mean(seen.filter(({ r }) => r === 0).map(({ loss }) => loss)), 4);
    expect(second.lossByTask!.odd).toBeCloseTo(mean(seen.filter(({ r }) => r === 1).map(({ loss }) => loss)), 4);
    expect(Object.keys(second.gradNorms!)).toEqual(model.parameters.map(p => p.name));
    expect(Math.hypot(...Object.values(second.gradNorms!))).toBeCloseTo(second.gradNorm, 4);
    expect([first.entropy, first.gradNorms]).toEqual([undefined, undefined]);
    expect(run.history.entropy).toEqual([null, second.entropy]);
    expect(run.history['loss/odd']).toEqual(reports.map(r => r.lossByTask!.odd));
    expect(run.last).toMatchObject({ lossByTask: second.lossByTask });
    for (const { matmulShare, memory, secondsLeft } of reports) {
      expect(matmulShare).toBeGreaterThan(0);
      expect(memory).toBeGreaterThan(1e6);
      expect(secondsLeft).toBeGreaterThanOrEqual(0);
    }
    model.dispose();
    expect(footprint()).toEqual(before);
  });

  it('serves encoder–decoders too', async () => {
    await backend.use(name);
    const before = footprint();
    const model = await load(fileURLToPath(new URL('../models/t5/fixtures/t5-plain', import.meta.url)));
    const pairs = [
      { ids: [5, 6, 7, 1], labels: [8, 9, 1], task: 'a' },
      { ids: [4, 1], labels: [10, 11, 12, 1], task: 'b' },
    ];
    const options = { model, rows: pairs, batchSize: 2, steps: 2, shuffle: false, learningRate: 0, detailEvery: 1 };
    const run = train.sft({ ...options, evaluate: { rows: pairs, samples: 1, maxNewTokens: 3 } });
    await run.finish();
    const losses = model.tokenLosses({ ids: pairs.map(p => p.ids), labels: pairs.map(p => p.labels) });
    const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    expect(run.last!.lossByTask!.a).toBeCloseTo(mean(losses[0]!), 4);
    expect(run.last!.lossByTask!.b).toBeCloseTo(mean(losses[1]!), 4);
    expect(run.last!.loss).toBeCloseTo(mean(losses.flat()), 4);
    expect(run.evaluations[0]!.heldOut).toBeCloseTo(mean(losses.flat()), 4);
    expect(run.samples.map(({ task, prompt, expected }) => [task, prompt, expected])).toEqual([
      ['a', '5 6 7 1', '8 9 1'],
      ['b', '4 1', '10 11 12 1'],
    ]);
    expect(run.last!.entropy).toBeGreaterThan(0);
    const noisy = await train.sft({ ...options, neftune: 10, labelSmoothing: 0.1 }).finish();
    expect(noisy.loss[0]).not.toBe(noisy.loss[1]);
    model.dispose();
    expect(footprint()).toEqual(before);
  });
});

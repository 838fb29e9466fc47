import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import * as aq from 'arquero';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import * as backend from '../../../src/base/backend/index.js';
import type { SftOptions } from '../../../src/learn/train/index.js';
import * as train from '../../../src/learn/train/index.js';
import type { Row } from '../../../src/prepare/data/index.js';
import { trainBPE } from '../../../src/prepare/tokens/index.js';
import { footprint } from './backends.js';
import { Bigram, someRows } from './bigram.js';

const models: Bigram[] = [];
const bigram = (seed?: number): Bigram => {
  models.push(new Bigram(12, seed));
  return models.at(-1)!;
};
beforeAll(async () => void (await backend.use('cpu')));
afterEach(() => {
  for (const model of models.splice(0)) model.dispose();
});

const settings = { batchSize: 4, optimizer: train.adamw({ learningRate: 0.05 }), seed: 7 };

describe('train.sft', () => {
  it('learns, reports every step and leaves no tensor behind', async () => {
    const model = bigram();
    const before = footprint();
    const run = train.sft({ model, rows: someRows(16), ...settings, learningRate: 0.3, steps: 30, schedule: 'constant' });
    const history = await run.finish();
    expect(footprint()).toEqual(before);
    expect(history.loss).toHaveLength(30);
    expect(history.loss.at(-1)!).toBeLessThan(history.loss[0]! * 0.8);
    expect(Object.values(history).every(column => column.length === 30 && column.every(Number.isFinite))).toBe(true);
    expect(run.last).toMatchObject({ step: 30, learningRate: 0.3, epoch: 7.5, skipped: 0 });
  });

  it('keeps its history in columns that arquero takes as they are', async () => {
    const run = train.sft({ model: bigram(), rows: someRows(4), ...settings, steps: 3 });
    await run.finish();
    const table = aq.table(run.history as unknown as Record<string, number[]>);
    expect(table.numRows()).toBe(3);
    expect((table.data() as Record<string, unknown>).loss).toBe(run.history.loss);
  });

  it('counts epochs, and a short last batch', async () => {
    const rows = someRows(10);
    const run = train.sft({ model: bigram(), rows, ...settings, epochs: 2 });
    expect(run.total).toBe(6);
    const { tokens } = await run.finish();
    const all = rows.reduce((sum, row) => sum + row.ids.length, 0);
    expect(tokens.reduce((a, b) => a + b, 0)).toBe(2 * all);
  });

  it('gives the same losses for the same seed and others for another', async () => {
    const losses = async (seed: number) => [
      ...(await train.sft({ model: bigram(1), rows: someRows(16), ...settings, seed, steps: 6 }).finish()).loss,
    ];
    const first = await losses(1);
    expect(await losses(1)).toEqual(first);
    expect(await losses(2)).not.toEqual(first);
  });

  it('follows the schedule', async () => {
    const run = train.sft({ model: bigram(), rows: someRows(4), ...settings, steps: 4, schedule: 'linear', warmup: 2 });
    const { learningRate } = await run.finish();
    expect(learningRate.map(x => Number(x.toFixed(4)))).toEqual([0, 0.025, 0.05, 0.025]);
  });

  it('leaves out batches without labels and counts them, never NaN', async () => {
    const rows = someRows(8).map((row, i) => (i < 4 ? { ...row, labels: row.ids.map(() => -100) } : row));
    const run = train.sft({ model: bigram(), rows, ...settings, batchSize: 2, shuffle: false, epochs: 1 });
    const history = await run.finish();
    expect(history.skipped).toEqual([2, 0]);
    expect(history.loss.every(Number.isFinite)).toBe(true);
    expect(run.status).toBe('done');
  });

  it('gives replay rows their share of every step', async () => {
    const model = bigram();
    const seen: number[] = [];
    model.onBatch = ({ ids }) => void seen.push(ids.filter(row => row[0] === 11).length);
    const replay = { rows: [{ ids: [11, 1, 2], labels: [-100, 1, 2] }], share: 0.25 };
    const rows = someRows(12).map(row => ({ ...row, ids: [0, ...row.ids.slice(1)] }));
    await train.sft({ model, rows, ...settings, batchSize: 8, steps: 3, replay }).finish();
    expect(seen).toEqual([2, 2, 2]);
  });

  it('calls the hooks in their order', async () => {
    const calls: string[] = [];
    const hooks: train.Hooks = {
      onStart: ({ run }) => void calls.push(`start ${run.step}`),
      onStep: ({ step }) => void calls.push(`step ${step}`),
      onEval: async ({ step }) => {
        calls.push(`eval ${step}`);
        return { score: step / 10 };
      },
      onStop: status => void calls.push(status),
    };
    const run = train.sft({ model: bigram(), rows: someRows(4), ...settings, steps: 3, hooks, evaluateEvery: 2 });
    await run.finish();
    expect(calls).toEqual(['start 0', 'step 1', 'step 2', 'eval 2', 'step 3', 'eval 3', 'done']);
    expect(run.evaluations).toEqual([
      { step: 2, score: 0.2 },
      { step: 3, score: 0.3 },
    ]);
  });

  it('ends with the name of a hook that throws', async () => {
    const hooks: train.Hooks = {
      onStep: ({ step }) => {
        if (step === 2) throw new Error('no disk');
      },
    };
    const run = train.sft({ model: bigram(), rows: someRows(4), ...settings, steps: 3, hooks });
    await expect(run.finish()).rejects.toThrow(/hook onStep failed at step 2: no disk/);
    expect([run.step, run.status]).toEqual([2, 'failed']);
    run.dispose();
  });

  it('halts on a loss that is not finite: names step and lines, changes no weight, goes on when asked', async () => {
    const model = bigram();
    const rows = someRows(6);
    let batches = 0;
    const original = model.lossAndGradients.bind(model);
    model.lossAndGradients = batch => {
      const part = original(batch);
      if (++batches !== 3) return part;
      part.numerator.dispose();
      return { ...part, numerator: tf.scalar(Number.NaN) };
    };
    const run = train.sft({ model, rows, ...settings, batchSize: 2, shuffle: false, steps: 4, schedule: 'constant' });
    const before = footprint();
    let weights: number[] = [];
    run.onStep(() => {
      weights = model.values();
    });
    await expect(run.finish()).rejects.toThrow(/loss is NaN at step 3.*line 5, line 6/);
    expect(model.values()).toEqual(weights);
    await run.resume().finish();
    expect(run.status).toBe('done');
    expect(footprint()).toEqual(before);
  });

  it('halts on a gradient that is not finite and names the matrix', async () => {
    const model = bigram();
    const original = model.lossAndGradients.bind(model);
    model.lossAndGradients = batch => {
      const part = original(batch);
      part.gradients[1]!.dispose();
      part.gradients[1] = tf.fill([12], Number.POSITIVE_INFINITY);
      return part;
    };
    const values = model.values();
    const run = train.sft({ model, rows: someRows(2), ...settings, steps: 1 });
    await expect(run.finish()).rejects.toThrow(/gradient of table.bias is not finite at step 1/);
    expect(model.values()).toEqual(values);
    run.dispose();
  });

  it('encodes conversations, and says which rows it left out', async () => {
    const rows: Row[] = [1, 2, 3, 4].map(n => ({
      line: n,
      messages: [
        { role: 'user', content: `say ${n}` },
        { role: 'assistant', content: `${n} `.repeat(n === 4 ? 90 : n) },
      ],
    }));
    rows.push({ line: 5, messages: [{ role: 'user', content: 'no answer '.repeat(20) }] });
    const tokenizer = trainBPE(['say 1 2 3 4'], { vocabSize: 280 });
    const model = new Bigram(tokenizer.vocabSize);
    models.push(model);
    const run = train.sft({ model, rows, tokenizer, template: 'chatml', ...settings, maxLength: 60, epochs: 1 });
    expect(run.encoding).toMatchObject({ rows: 5, kept: 4, truncated: 1, dropped: [{ line: 5 }] });
    const { tokens, labelTokens } = await run.finish();
    expect(tokens).toEqual([run.encoding!.tokens]);
    expect(labelTokens).toEqual([run.encoding!.trainedTokens]);
  });

  it('trains only what is trainable', async () => {
    const model = bigram();
    model.parameters[0]!.trainable = false;
    const table = model.values().slice(0, 144);
    await train.sft({ model, rows: someRows(8), ...settings, steps: 3, schedule: 'constant' }).finish();
    expect(model.values().slice(0, 144)).toEqual(table);
    expect(model.values().slice(144)).not.toEqual(new Array(12).fill(0));
  });
});

describe('checkpoint and resume', () => {
  it('goes on with the same losses as a run without the break', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'tunebook-'));
    try {
      const rows = someRows(10);
      const replay = { rows: someRows(5, 12, 9), share: 0.3 };
      const options = { rows, replay, ...settings, steps: 12, warmup: 3 };
      const whole = await train.sft({ model: bigram(4), ...options }).finish();
      const first = train.sft({ model: bigram(4), ...options, checkpoint: { dir, every: 2 } });
      for await (const { step } of first) if (step === 7) first.stop();
      expect((await readdir(dir)).sort()).toEqual(['step-000006', 'step-000007']);
      first.dispose();

      const before = footprint();
      const model = bigram(99);
      const made = footprint();
      const again = await train.resume(dir, { model, rows, replay, optimizer: settings.optimizer });
      expect([again.step, again.total]).toEqual([7, 12]);
      const resumed = await again.finish();
      expect(resumed.loss).toEqual(whole.loss);
      expect(resumed.gradNorm).toEqual(whole.gradNorm);
      expect(resumed.step).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
      expect(footprint()).toEqual(made);
      expect(made.tensors).toBe(before.tensors + 2);
      expect((await readdir(dir)).sort()).toEqual(['step-000010', 'step-000012']);
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it('refuses other rows, another optimizer, a damaged file and an empty folder', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'tunebook-'));
    try {
      const rows = someRows(6);
      const model = bigram();
      await expect(train.resume(dir, { model, rows })).rejects.toThrow(/no checkpoint/);
      await train.sft({ model, rows, ...settings, steps: 2, checkpoint: { dir } }).finish();
      const { optimizer } = settings;
      await expect(train.resume(dir, { model, rows: someRows(7), optimizer })).rejects.toThrow(/rows are not those/);
      await expect(train.resume(dir, { model, rows, optimizer: train.sgd() })).rejects.toThrow(/optimizer is not that/);
      await writeFile(join(dir, 'step-000002', 'optimizer.safetensors'), 'x');
      await expect(train.resume(dir, { model, rows, optimizer })).rejects.toThrow(/damaged/);
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});

describe('bad input is refused before anything is computed', () => {
  const rows = someRows(2);
  const labelless = rows.map(row => ({ ...row, labels: row.ids.map(() => -100) }));
  const cases: [string, Record<string, unknown>, RegExp][] = [
    ['an unknown option', { batch_size: 4 }, /no option "batch_size".*did you mean "batchSize"/],
    ['batchSize 0', { batchSize: 0 }, /batchSize.*at least 1, found 0/],
    ['accumulate 1.5', { accumulate: 1.5 }, /accumulate.*whole number/],
    ['negative steps', { steps: -3 }, /steps.*found -3/],
    ['a learning rate that is NaN', { learningRate: Number.NaN }, /learningRate.*found NaN/],
    ['steps and epochs', { steps: 1, epochs: 1 }, /Both steps and epochs/],
    ['an unknown schedule', { schedule: 'exponential' }, /no such schedule.*'cosine'/],
    ['a warm-up beside a schedule function', { schedule: () => 1, warmup: 3 }, /schedule function/],
    ['clip below 0', { clip: -1 }, /clip/],
    ['optimizer by a wrong name', { optimizer: 'adam' }, /optimizer/],
    ['an unknown hook', { hooks: { onBatch() {} } }, /no option "onBatch"/],
    ['no rows', { rows: [] }, /no rows.*readRows/],
    ['rows that are none', { rows: 'data.json' }, /no rows.*readRows/],
    ['rows without labels', { rows: labelless }, /None of the 2 rows.*carries loss/],
    ['labels of another length', { rows: [{ ids: [1, 2], labels: [1] }] }, /Row 0 has 2 ids but 1 labels/],
    ['neither conversation nor ids', { rows: [{ text: 'x' }] }, /Row 0 has no ids and labels/],
    ['conversations without tokenizer', { rows: [{ messages: [{ role: 'user', content: 'x' }] }] }, /need a tokenizer/],
    ['no model', { model: undefined }, /no model.*models.load/],
    ['a share of 1', { replay: { rows, share: 1 } }, /replay.share/],
    ['a checkpoint without folder', { checkpoint: { every: 3 } }, /Checkpoints cannot be written/],
  ];
  // What a real model says of itself.
  const sized = () => Object.assign(bigram(), { config: { vocabSize: 12, maxPositionEmbeddings: 6 } });
  const alien = { ids: [1, 12, 3], labels: [-100, 3, 4], line: 7 };
  const long = { ids: [1, 2, 3, 4, 5, 6, 7], labels: [1, 2, 3, 4, 5, 6, 7], line: 9 };
  const short = { ids: [1, 2, 3], labels: [1, 2, 3] };
  cases.push(
    ['a token that the model does not know', { sized, rows: [short, alien] }, /Row 1 \(line 7\).*from 0 to 11.*found 12/s],
    ['a label that it does not know', { sized, rows: [{ ...alien, ids: [1, 2, 3], labels: [1, 2, 99] }] }, /found 99/],
    [
      'rows longer than its context',
      { sized, rows: [short, long, long] },
      /2 of the 3 rows.*at most 6.*up to 7, first row 1 \(line 9\).*maxLength: 6/s,
    ],
    ['held-out rows longer than its context', { sized, rows: [short], evaluate: { rows: [long] } }, /evaluate.rows.*1 of the 1/],
    ['held-out rows without their braces', { evaluate: rows }, /evaluate: \{ rows: heldOut/],
    ['rows that can be gone through once', { rows: (function* () {})() }, /rows: \(\) => data.streamRows/],
    ['a mixture in buckets', { mixture: { strategy: 'equal' }, bucket: true }, /bucket, which puts them/],
  );
  it('packs may be longer than the context: their rows are not', () => {
    const options = { model: sized(), rows: [short, short, short, long], packing: { length: 12, tooLong: 'drop' } } as const;
    expect(train.sft({ ...options, packing: { length: 6, tooLong: 'drop' } }).total).toBe(1);
    expect(() => train.sft(options)).toThrow(/rows are longer than the model's context/);
    expect(train.sft({ ...options, rows: options.rows.slice(0, 3) }).total).toBe(1);
  });

  it.each(cases)('%s', (_, wrong, message) => {
    const { sized: make = bigram, ...given } = wrong as { sized?: () => Bigram };
    const options = { model: make(), rows, ...given } as unknown as SftOptions;
    expect(() => train.sft(options)).toThrow(message);
    expect(() => train.sft(options)).toThrow(/Fix: /);
  });
});

import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import * as backend from '../../../../src/base/backend/index.js';
import { BadInput } from '../../../../src/base/core/index.js';
import { init, load, lora, type Model } from '../../../../src/learn/models/index.js';
import * as train from '../../../../src/learn/train/index.js';
import { fisher } from '../../../../src/learn/train/remedies/fisher.js';
import { linearKl } from '../../../../src/learn/train/remedies/linear-kl.js';
import { quadraticPenalty } from '../../../../src/learn/train/remedies/penalty.js';
import { tinyLlama, unevenRows, weightsOf } from '../../../invariants/tiny.js';
import { expected, fixture } from '../../models/fixtures.js';
import { footprint, workingBackends } from '../backends.js';

// Made by make_remedies.py with PyTorch.
interface Torch {
  learningRate: number;
  strengths: Record<'ewc' | 'l2sp' | 'decoupled' | 'kl', number>;
  fisher: Record<string, number>;
  runs: Record<string, { loss: number; gradNorm: number }[]>;
}
const torch = JSON.parse(readFileSync(new URL('remedies.json', import.meta.url), 'utf8')) as Torch;
const working = await workingBackends('cpu', 'wasm', 'native');
const rows = (await expected('llama-tied')).batches
  .flatMap(({ ids, labels }) => ids.map((row, i) => ({ ids: row, labels: labels[i]! })))
  .slice(0, 4);
const trained = rows.slice(0, 2);
const kept = rows.slice(2).map(({ ids }) => ({ ids, labels: ids }));
const { ewc, l2sp, decoupled, kl } = torch.strengths;

const REMEDIES: Record<string, Partial<train.SftOptions>> = {
  plain: {},
  ewc: { hooks: [train.ewc({ rows: kept, strength: ewc })] },
  l2sp: { hooks: [train.l2sp({ strength: l2sp, decoupled: false })] },
  decoupled: { hooks: [train.l2sp({ strength: decoupled })] },
  klBase: { hooks: [train.klAnchor({ strength: kl })] },
  klModel: { hooks: [train.klAnchor({ strength: kl, direction: 'model' })] },
  klReplay: { hooks: [train.klAnchor({ strength: kl })], replay: { rows: kept, share: 0.5, weight: 0 }, batchSize: 4 },
};

describe.each(working)('remedies on %s', name => {
  it('the Fisher information of every weight is PyTorch’s', async () => {
    await backend.use(name);
    const before = footprint();
    const model = await load(fixture('llama-tied'));
    const found = await fisher(model, kept, model.parameters);
    for (const [weight, sum] of Object.entries(torch.fisher)) {
      const own = tf.tidy(() => tf.sum(found.get(weight)!).dataSync()[0]!);
      expect(Math.abs(own / sum - 1), weight).toBeLessThan(1e-4);
    }
    found.dispose();
    model.dispose();
    expect(footprint()).toEqual(before);
  });

  it.each(Object.keys(REMEDIES))('%s: losses and gradient norms are PyTorch’s', async kind => {
    await backend.use(name);
    const before = footprint();
    const model = await load(fixture('llama-tied'));
    const run = train.sft({
      ...{ model, rows: trained, batchSize: 2, steps: 6, shuffle: false, clip: false, learningRate: torch.learningRate },
      optimizer: train.adamw({ weightDecay: 0 }),
      ...REMEDIES[kind],
    });
    const { loss, gradNorm } = await run.finish();
    torch.runs[kind]!.forEach((step, i) => {
      expect(Math.abs(loss[i]! / step.loss - 1), `loss of step ${i + 1}`).toBeLessThan(1e-4);
      expect(Math.abs(gradNorm[i]! / step.gradNorm - 1), `gradient norm of step ${i + 1}`).toBeLessThan(5e-4);
    });
    model.dispose();
    expect(footprint()).toEqual(before);
  });

  it('gradients are the slopes', async () => {
    await backend.use(name);
    const before = footprint();
    tf.tidy(() => {
      const at = (values: number[], shape: [number, number]) => tf.tensor2d(values, shape);
      const [h, w] = [at([0.3, -1, 0.7, 0.2, 0.9, -0.4], [3, 2]), at([1, -0.5, 0.3, 0.8, -0.9, 0.1, 0.6, 0.4], [4, 2])];
      const [h0, w0] = [at([0.1, -0.8, 0.5, 0.4, 1, -0.1], [3, 2]), at([0.7, -0.6, 0.1, 0.5, -1, 0.3, 0.9, 0.2], [4, 2])];
      const functions: Record<string, (h: tf.Tensor, w: tf.Tensor) => tf.Scalar> = {
        penalty: (h, w) => quadraticPenalty([h, w], [h0, w0], [tf.abs(h0), tf.square(w0)]),
      };
      for (const direction of ['base', 'model'] as const)
        for (const softcap of [undefined, 2])
          for (const chunk of [2, 9])
            functions[`kl of ${direction} ${softcap} ${chunk}`] = (h, w) =>
              linearKl(
                { hidden: h as tf.Tensor2D, head: w as tf.Tensor2D, softcap },
                () => ({ hidden: tf.clone(h0), head: tf.clone(w0), softcap }),
                [1, 0.5, 2],
                { direction, chunk },
              );
      for (const [what, f] of Object.entries(functions)) {
        const grads = tf.grads(f)([h, w]);
        [h, w].forEach((input, which) => {
          const slopes = Array.from(input.dataSync(), (_, i) => {
            const value = (step: number) => {
              const moved = input.dataSync().slice();
              moved[i]! += step;
              const x = tf.tensor2d(moved, input.shape);
              return f(which === 0 ? x : h, which === 1 ? x : w).dataSync()[0]!;
            };
            return (value(1e-2) - value(-1e-2)) / 2e-2;
          });
          grads[which]!.dataSync().forEach((slope, i) => {
            expect(Math.abs(slope - slopes[i]!), `${what}, input ${which}, element ${i}`).toBeLessThan(2e-3);
          });
        });
      }
    });
    expect(footprint()).toEqual(before);
  });
});

for (const name of working.filter(name => name !== 'cpu').slice(-1))
  describe(`remedies in a run on ${name}`, () => {
    const many = unevenRows(12);
    const options = (model: Model) => ({ model, rows: many, batchSize: 4, steps: 6, learningRate: 0.01, seed: 3 });
    const all = (): train.Hooks[] => [
      train.ewc({ rows: unevenRows(4, 9), strength: 2 }),
      train.l2sp({ strength: 3 }),
      { onStep: () => {} },
      train.klAnchor({ strength: 0.5, on: 'all' }),
    ];
    const CASES: Record<string, [(model: Model) => void, Partial<train.SftOptions>]> = {
      'all weights': [() => {}, { replay: { rows: unevenRows(5, 6), share: 0.25, weight: 0.5 } }],
      'LoRA, whose base is the model without it': [model => model.attach(lora({ rank: 2, targets: 'all-linear' })), {}],
    };

    it.each(Object.entries(CASES))('resumed bit by bit, however often it was stopped: %s', async (_, [attach, more]) => {
      await backend.use(name);
      const dir = await mkdtemp(join(tmpdir(), 'tunebook-remedies-'));
      const before = footprint();
      try {
        const fresh = () => {
          const model = tinyLlama();
          attach(model);
          return model;
        };
        const whole = fresh();
        const { loss } = await train.sft({ ...options(whole), ...more, hooks: all() }).finish();
        let model = fresh();
        let run = train.sft({ ...options(model), ...more, hooks: all(), checkpoint: { dir } });
        for (const stop of [2, 3]) {
          for await (const { step } of run) if (step === stop) run.stop();
          run.dispose();
          model.dispose();
          model = fresh();
          run = await train.resume(dir, { rows: many, ...more, model, hooks: all() });
        }
        expect((await run.finish()).loss).toEqual(loss);
        expect(weightsOf(model)).toEqual(weightsOf(whole));
        model.dispose();
        whole.dispose();
        expect(footprint()).toEqual(before);
      } finally {
        await rm(dir, { recursive: true });
      }
    });

    it('an encoder–decoder is held near its base, and nothing is left behind', async () => {
      await backend.use(name);
      const before = footprint();
      const kl = async (strength: number) => {
        const model = init({ modelType: 't5', vocabSize: 40 }, { seed: 1 });
        const rows = [{ ids: [3, 4, 5], labels: [6, 7, 1] }];
        const run = train.sft({ model, rows, steps: 4, learningRate: 0.02, hooks: train.klAnchor({ strength }) });
        const { loss } = await run.finish();
        model.dispose();
        return loss.at(-1)!;
      };
      expect(await kl(0)).toBeLessThan((await kl(5)) - 0.1);
      expect(footprint()).toEqual(before);
    });

    it('the loss is the same however the step is cut into batches', async () => {
      await backend.use(name);
      const { replay } = CASES['all weights']![1];
      const losses: number[][] = [];
      for (const [batchSize, accumulate] of [
        [8, 1],
        [2, 4],
      ] as const) {
        const model = tinyLlama();
        const run = train.sft({ ...options(model), batchSize, accumulate, replay, hooks: all(), steps: 4 });
        losses.push((await run.finish()).loss);
        model.dispose();
      }
      losses[0]!.forEach((loss, i) => {
        expect(losses[1]![i]).toBeCloseTo(loss, 4);
      });
    });

    it('hooks that would hold the model at the wrong place are refused', async () => {
      await backend.use(name);
      const dir = await mkdtemp(join(tmpdir(), 'tunebook-remedies-'));
      const model = tinyLlama();
      try {
        const run = train.sft({ ...options(model), steps: 2, hooks: train.l2sp({ strength: 1 }), checkpoint: { dir } });
        await run.finish();
        const resume = (hooks?: train.Hooks) => train.resume(dir, { rows: many, model, steps: 4, hooks });
        await expect(resume()).rejects.toThrow(/hooks are not those of the run/);
        await expect(resume(train.l2sp({ strength: 2 }))).rejects.toThrow(/hooks are not those of the run/);
        await expect(resume(train.ewc({ rows: many, strength: 1 }))).rejects.toThrow(/hooks are not those of the run/);
        (await resume(train.l2sp({ strength: 1 }))).dispose();
        const shared = train.l2sp({ strength: 1 });
        const first = train.sft({ ...options(model), hooks: shared });
        for await (const { step } of first) if (step === 2) break;
        await expect(train.sft({ ...options(model), hooks: shared }).finish()).rejects.toThrow(/in use by another run/);
        first.dispose();
      } finally {
        model.dispose();
        await rm(dir, { recursive: true });
      }
    });

    it('settings that make no sense are refused', async () => {
      await backend.use(name);
      const model = tinyLlama();
      expect(() => train.ewc({ rows: many, strength: -1 })).toThrow(BadInput);
      expect(() => train.l2sp({ strength: Number.NaN })).toThrow(BadInput);
      expect(() => train.klAnchor({ on: 'everything' as 'all' })).toThrow(/has no such on/);
      expect(() => train.klAnchor({ lambda: 1 } as object)).toThrow(BadInput);
      expect(() => train.sft({ ...options(model), hooks: [{ onstep: () => {} } as object] })).toThrow(/no option "onstep"/);
      expect(() => train.sft({ ...options(model), hooks: [null as never] })).toThrow(/no hooks/);
      expect(() => train.sft({ ...options(model), replay: { rows: many, share: 0.2, weight: -1 } })).toThrow(/replay.weight/);
      const twice = train.l2sp({ strength: 1 });
      expect(() => train.combine(twice, {}, twice)).toThrow(/given twice/);
      const objective = () => ({ numerator: tf.scalar(0), denominator: 1 });
      expect(() => train.combine({ objective }, { objective })).toThrow(/there can be one/);
      await expect(train.sft({ ...options(model), hooks: train.ewc({ rows: [], strength: 1 }) }).finish()).rejects.toThrow(
        /no rows/,
      );
      const other = await load(fixture('llama-tied'));
      const wrong = train.sft({ ...options(model), hooks: train.klAnchor({ base: other }) });
      await expect(wrong.finish()).rejects.toThrow(/tokens are not the same/);
      other.dispose();
      model.dispose();
    });

    it('the record of a run says which remedies it had', async () => {
      await backend.use(name);
      const dir = await mkdtemp(join(tmpdir(), 'tunebook-remedies-'));
      const model = tinyLlama();
      try {
        const replay = { rows: many, share: 0.5, weight: 0.25 };
        const hooks = [train.l2sp({ strength: 3 }), train.klAnchor({ on: 'all' })];
        await train.sft({ ...options(model), steps: 1, replay, hooks, record: dir }).finish();
        const [{ record }] = train.readRecords(dir) as [train.RecordedRun];
        expect(record.config.hooks).toEqual({
          parts: [
            { name: 'l2sp', strength: 3, decoupled: true },
            { name: 'klAnchor', strength: 1, direction: 'base', on: 'all' },
          ],
        });
        expect(record.options).toMatchObject({ replay: { share: 0.5, weight: 0.25 } });
      } finally {
        model.dispose();
        await rm(dir, { recursive: true });
      }
    });

    it('several hooks are called in order, with their findings put together', async () => {
      await backend.use(name);
      const model = tinyLlama();
      const calls: string[] = [];
      const part = (n: number): train.Hooks => ({
        onStart: () => void calls.push(`start ${n}`),
        onStep: async ({ step }) => void calls.push(`step ${step} ${n}`),
        onEval: () => ({ [`found${n}`]: n, both: n }),
        loss: () => tf.scalar(n),
      });
      const run = train.sft({ ...options(model), steps: 1, hooks: [part(1), part(2)] });
      const plain = train.sft({ ...options(model), steps: 1, learningRate: 0 });
      const [base] = (await plain.finish()).loss;
      const report = (await run.finish()).loss[0]!;
      expect(calls).toEqual(['start 1', 'start 2', 'step 1 1', 'step 1 2']);
      expect(run.evaluations).toEqual([{ step: 1, found1: 1, both: 2, found2: 2 }]);
      expect(report).toBeCloseTo(base! + 3 / run.last!.labelTokens, 5);
      model.dispose();
    });
  });

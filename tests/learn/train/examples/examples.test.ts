import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import * as backend from '../../../../src/base/backend/index.js';
import { load } from '../../../../src/learn/models/index.js';
import * as train from '../../../../src/learn/train/index.js';
import { expected, fixture } from '../../models/fixtures.js';
import { footprint, workingBackends } from '../backends.js';
import { dpo } from './dpo.js';
import { klToBase } from './kl.js';
import { rewardProbe } from './reward-probe.js';
import { gradualThaw } from './thaw.js';

// Made by fixtures/make_losses.py with TRL's DPOTrainer.
interface Trl {
  beta: number;
  learningRate: number;
  pairs: Record<'chosen' | 'rejected', { ids: number[]; trained: number[] }>[];
  steps: { loss: number; gradNorm: number }[];
}
const trl = (JSON.parse(readFileSync(new URL('../fixtures/losses.json', import.meta.url), 'utf8')) as { dpo: Trl }).dpo;
const working = await workingBackends('cpu', 'wasm', 'native');
const rowsOf = async () =>
  (await expected('llama-tied')).batches.flatMap(({ ids, labels }) => ids.map((row, i) => ({ ids: row, labels: labels[i]! })));

describe.each(working)('the examples of hooks on %s', name => {
  it('DPO on the loop of supervised fine-tuning is TRL’s', async () => {
    await backend.use(name);
    const before = footprint();
    const model = await load(fixture('llama-tied'));
    const encoded = ({ ids, trained }: { ids: number[]; trained: number[] }) => ({
      ids,
      labels: ids.map((id, i) => (trained[i] ? id : -100)),
    });
    const pairs = trl.pairs.map(({ chosen, rejected }) => ({ chosen: encoded(chosen), rejected: encoded(rejected) }));
    const optimizer = train.adamw({ learningRate: trl.learningRate, weightDecay: 0 });
    const run = dpo({ model, pairs, beta: trl.beta, optimizer, batchSize: 2, accumulate: 2, shuffle: false });
    const { loss, gradNorm } = await run.finish();
    expect(loss).toHaveLength(trl.steps.length);
    trl.steps.forEach((step, i) => {
      expect(Math.abs(loss[i]! / step.loss - 1), `loss of step ${i + 1}`).toBeLessThan(2e-5);
      expect(Math.abs(gradNorm[i]! / step.gradNorm - 1), `gradient norm of step ${i + 1}`).toBeLessThan(2e-4);
    });
    model.dispose();
    expect(footprint()).toEqual(before);
  });

  it('KL to the base is nothing at first, and holds the model near', async () => {
    await backend.use(name);
    const rows = await rowsOf();
    const before = footprint();
    const base = await load(fixture('llama-tied'));
    const divergence = async (weight: number) => {
      const model = await load(fixture('llama-tied'));
      const options = { rows: rows.slice(0, 4), batchSize: 4, steps: 6, shuffle: false, learningRate: 5e-3 };
      const run = train.sft({ model, ...options, ...(weight > 0 && { hooks: klToBase(base, weight) }) });
      const { loss } = await run.finish();
      const measure = train.sft({
        model,
        ...options,
        steps: 1,
        hooks: { loss: (pass, context) => klToBase(base, 1).loss!(pass, context) },
      });
      const plain = model.lossSum({ ids: rows.slice(0, 4).map(r => r.ids), labels: rows.slice(0, 4).map(r => r.labels) });
      await measure.finish();
      const kl = measure.history.loss[0]! - plain.numerator / plain.denominator;
      model.dispose();
      return { first: loss[0]!, kl };
    };
    const free = await divergence(0);
    const held = await divergence(3);
    base.dispose();
    expect(held.first).toBeCloseTo(free.first, 5);
    expect(free.kl).toBeGreaterThan(0.05);
    expect(held.kl).toBeLessThan(free.kl / 2);
    expect(footprint()).toEqual(before);
  });

  it('a reward probe scores samples into the evaluations', async () => {
    await backend.use(name);
    const rows = (await rowsOf()).slice(0, 4);
    const model = await load(fixture('llama-tied'));
    const run = train.sft({
      model,
      rows,
      batchSize: 2,
      steps: 4,
      evaluate: { rows: { copy: rows.slice(0, 2), add: rows.slice(2) }, every: 2, samples: 2, maxNewTokens: 5, atStart: true },
      hooks: rewardProbe(answer => answer.split(' ').length),
    });
    await run.finish();
    model.dispose();
    expect(run.evaluations.map(({ step, reward }) => [step, reward])).toEqual([
      [0, 5],
      [2, 5],
      [4, 5],
    ]);
    expect(run.samples).toHaveLength(3 * 4);
    expect(run.samples[0]).toMatchObject({ step: 0, task: 'copy' });
    expect(`${run.samples[0]!.prompt} ${run.samples[0]!.expected}`).toBe(rows[0]!.ids.join(' '));
    for (const { heldOut, 'heldOut/copy': copy, 'heldOut/add': add } of run.evaluations) {
      expect(heldOut).toBeGreaterThan(Math.min(copy!, add!));
      expect(heldOut).toBeLessThan(Math.max(copy!, add!));
    }
  });

  it('freezing by schedule trains what is thawed, each weight with its own count of updates, also after a resume', async () => {
    await backend.use(name);
    const dir = await mkdtemp(join(tmpdir(), 'tunebook-'));
    try {
      const rows = await rowsOf();
      const options = { rows, batchSize: 2, steps: 6, shuffle: false, optimizer: train.adamw({ learningRate: 1e-2 }) };
      const model = await load(fixture('llama-tied'));
      const moved = (): string[] => {
        const now = model.parameters.map(p => [p.name, tf.tidy(() => [...p.read().dataSync()].join())]);
        const changed = now.filter(([n, values]) => start.get(n!) !== values).map(([n]) => n!);
        return changed;
      };
      const start = new Map(model.parameters.map(p => [p.name, tf.tidy(() => [...p.read().dataSync()].join())]));
      const changed: string[][] = [];
      const hooks = gradualThaw(model, 2, 3);
      const whole = train.sft({ model, ...options, hooks, checkpoint: { dir, every: 1, keep: 9 } });
      whole.onStep(() => void changed.push(moved()));
      const { loss } = await whole.finish();
      expect(changed[2]!.every(n => n.includes('layers.1.') || n === 'model.norm.weight')).toBe(true);
      expect(changed[2]!).toContain('model.layers.1.mlp.up_proj.weight');
      expect(changed[5]!).toHaveLength(model.parameters.length);
      model.dispose();
      for (const from of ['step-000002', 'step-000004']) {
        const again = await load(fixture('llama-tied'));
        const resumed = await train.resume(join(dir, from), { ...options, model: again, hooks: gradualThaw(again, 2, 3) });
        expect((await resumed.finish()).loss).toEqual(loss);
        again.dispose();
      }
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it('a hook that throws ends the run with its name and a checkpoint', async () => {
    await backend.use(name);
    const rows = await rowsOf();
    for (const hook of ['onStep', 'loss', 'objective'] as const) {
      const dir = await mkdtemp(join(tmpdir(), 'tunebook-'));
      const before = footprint();
      const model = await load(fixture('llama-tied'));
      let calls = 0;
      const fail = (): void => {
        if (++calls === 3) throw new Error('no disk');
      };
      const nothing = (): tf.Scalar => {
        fail();
        return tf.scalar(0);
      };
      const all: train.Hooks = {
        onStep: fail,
        loss: nothing,
        objective: pass => ({ numerator: tf.mul(tf.sum(pass.hidden), nothing()) as tf.Scalar, denominator: 1 }),
      };
      const hooks = { [hook]: all[hook] };
      const run = train.sft({ model, rows, batchSize: 2, steps: 6, hooks, checkpoint: { dir } });
      await expect(run.finish()).rejects.toThrow(new RegExp(`The hook ${hook} failed at step 3: no disk`));
      const step = hook === 'onStep' ? 3 : 2;
      expect([run.status, run.step, await readdir(dir)]).toEqual(['failed', step, [`step-00000${step}`]]);
      run.dispose();
      model.dispose();
      expect(footprint()).toEqual(before);
      await rm(dir, { recursive: true });
    }
  });
});

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import * as backend from '../../../src/base/backend/index.js';
import * as train from '../../../src/learn/train/index.js';
import { footprint, workingBackends } from './backends.js';
import { Bigram, someRows } from './bigram.js';

const working = await workingBackends('cpu', 'native');
const models: Bigram[] = [];
const bigram = (seed?: number): Bigram => {
  models.push(new Bigram(12, seed));
  return models.at(-1)!;
};
let dir = '';
beforeAll(async () => void (await backend.use('cpu')));
afterEach(async () => {
  for (const model of models.splice(0)) model.dispose();
  if (dir) await rm(dir, { recursive: true });
  dir = '';
});
const folder = async () => {
  dir = await mkdtemp(join(tmpdir(), 'tunebook-'));
  return dir;
};
const settings = { batchSize: 4, optimizer: train.adamw({ learningRate: 0.05 }), seed: 7 };
const rows = someRows(16);
/** Rows of which some spoil the loss: those whose line is named. */
const spoiling = (model: Bigram, spoil: (call: number) => boolean): void => {
  const original = model.lossAndGradients.bind(model);
  let calls = 0;
  model.lossAndGradients = batch => {
    const part = original(batch);
    if (!spoil(++calls)) return part;
    part.numerator.dispose();
    return { ...part, numerator: tf.scalar(Number.NaN) };
  };
};

describe('the average of the weights', () => {
  it('is the model when the run is done, is what evaluations see, and goes on after a resume', async () => {
    const dir = await folder();
    const decay = 0.8;
    const model = bigram(4);
    let average = model.values();
    const seen: number[][] = [];
    const before = footprint();
    const options = { rows, ...settings, steps: 8, ema: decay };
    const run = train.sft({
      ...options,
      model,
      evaluateEvery: 4,
      hooks: {
        onStep: () => {
          average = average.map((x, i) => decay * x + (1 - decay) * model.values()[i]!);
        },
        onEval: () => {
          seen.push(model.values());
          return {};
        },
      },
      checkpoint: { dir, every: 4, keep: 5 },
    });
    await run.finish();
    expect(footprint()).toEqual(before);
    const far = (a: number[], b: number[]) => Math.max(...a.map((x, i) => Math.abs(x - b[i]!)));
    expect(far(model.values(), average)).toBeLessThan(1e-5);
    expect(far(seen[1]!, average)).toBeLessThan(1e-5);
    const again = bigram(9);
    const resumed = await train.resume(join(dir, 'step-000004'), { model: again, rows, optimizer: settings.optimizer });
    expect((await resumed.finish()).loss).toEqual(run.history.loss);
    expect(again.values()).toEqual(model.values());
  });
});

describe('the average of a run that was stopped early', () => {
  it('is the model, until the run goes on', async () => {
    const trained = (ema: number | undefined) => {
      const model = bigram(4);
      const hooks = { onEval: () => ({ mine: 1 }) };
      const stopEarly = { patience: 2, metric: 'mine' };
      return { model, run: train.sft({ model, rows, ...settings, steps: 6, ema, hooks, evaluateEvery: 1, stopEarly }) };
    };
    const plain = trained(undefined);
    const averaged = trained(0.8);
    await plain.run.finish();
    await averaged.run.finish();
    expect([averaged.run.status, averaged.run.step]).toEqual(['stopped', 3]);
    const average = averaged.model.values();
    expect(average).not.toEqual(plain.model.values());
    // A checkpoint holds the weights as they are in training, and saving leaves the average where it is.
    const saved = await averaged.run.save(await folder());
    const other = bigram(5);
    await other.read(join(saved, 'model', 'model.safetensors'));
    expect(other.values()).toEqual(plain.model.values());
    expect(averaged.model.values()).toEqual(average);
    // The next step is made with the weights.
    const seen: number[][] = [];
    for (const { run, model } of [plain, averaged]) {
      run.onStep(() => void seen.push(model.values()));
      await run.resume().finish();
    }
    expect(seen[1]).toEqual(seen[0]);
    expect(averaged.run.history.loss).toEqual(plain.run.history.loss);
    for (const { run } of [plain, averaged]) run.dispose();
  });
});

describe('a run that is shorter than planned', () => {
  it('is evaluated after its last step all the same, and saved with that', async () => {
    const dir = await folder();
    const unlabelled = someRows(8).map(row => ({ ...row, labels: row.labels.map(() => -100) }));
    const model = bigram();
    const run = train.sft({
      model,
      rows: [...someRows(8), ...unlabelled],
      ...settings,
      batchSize: 1,
      epochs: 1,
      evaluate: { rows: [...someRows(3).map(row => ({ ...row, task: 'a' })), { ...unlabelled[0]!, task: 'b' }] },
      keepBest: true,
      checkpoint: { dir },
    });
    await run.finish();
    expect([run.total, run.step]).toEqual([16, 8]);
    // A task without a label has no loss.
    expect(run.evaluations).toEqual([{ step: 8, heldOut: expect.any(Number) }]);
    expect((await readdir(dir)).sort()).toEqual(['best', 'step-000008']);
    const resumed = await train.resume(dir, { model, rows: [...someRows(8), ...unlabelled], optimizer: settings.optimizer });
    expect(resumed.evaluations).toEqual(run.evaluations);
    resumed.dispose();
  });

  it('comes to its end where replayed rows without loss fill whole steps', async () => {
    const replay = { rows: someRows(3, 5), share: 0.5, weight: 0 };
    const run = train.sft({ model: bigram(), rows: someRows(6), ...settings, batchSize: 1, epochs: 1, replay });
    await run.finish();
    expect([run.step, run.history.epoch.at(-1)]).toEqual([6, 1]);
  });
});

describe('a schedule', () => {
  it.each([
    ['not a number', () => Number.NaN],
    ['negative', () => -1],
    ['async', async () => 1],
    ['nothing', () => undefined],
  ])('whose factor is %s changes no weight', async (_, schedule) => {
    const model = bigram();
    const before = model.values();
    const run = train.sft({ model, rows, ...settings, steps: 2, schedule: schedule as unknown as train.Schedule });
    await expect(run.finish()).rejects.toThrow(/no usable factor for step 1 of 2.*Fix:/s);
    expect(model.values()).toEqual(before);
    run.dispose();
  });
});

describe('freezing', () => {
  it('keeps weights as they are, and lets them go afterwards', async () => {
    const model = bigram();
    const table = model.values().slice(0, 144);
    await train.sft({ model, rows, ...settings, steps: 3, freeze: /weight$/ }).finish();
    expect(model.values().slice(0, 144)).toEqual(table);
    expect(model.values().slice(144)).not.toEqual(new Array(12).fill(0));
    expect(model.parameters.every(p => p.trainable)).toBe(true);
  });

  it('refuses a name that means nothing, and to freeze everything', async () => {
    expect(() => train.sft({ model: bigram(), rows, freeze: 'tabel' })).toThrow(/No weight.*tabel/);
    const run = train.sft({ model: bigram(), rows, freeze: 'table' });
    await expect(run.finish()).rejects.toThrow(/nothing to train/);
    run.dispose();
  });
});

describe('what prompts weigh', () => {
  it('trains prompts with their weight', async () => {
    const seen: number[] = [];
    const model = bigram();
    model.onBatch = ({ labels, weights }) => {
      expect(labels.flatMap(row => row.slice(1)).every(id => id !== -100)).toBe(true);
      seen.push(...weights!.flatMap(row => row.slice(1)));
    };
    await train.sft({ model, rows: rows.slice(0, 4), ...settings, steps: 1, promptLossWeight: 0.1 }).finish();
    const prompts = rows.slice(0, 4).flatMap(({ labels }) => labels.slice(1).filter(id => id === -100)).length;
    expect(seen.filter(x => x === 0.1)).toHaveLength(prompts);
    expect(prompts).toBeGreaterThan(0);
  });
});

describe('mixtures of tasks', () => {
  const tasks = rows.map((row, i) => ({ ...row, task: i < 12 ? 'many' : 'few' }));

  it('draw tasks in their shares, step by step, and report each task’s loss where the model shows it', async () => {
    const model = bigram();
    const drawn: number[] = [];
    const first = new Set(tasks.slice(12).map(({ ids }) => ids.join()));
    model.onBatch = ({ ids }) => void drawn.push(ids.filter(row => first.has(row.join())).length);
    const mixture = { strategy: 'weights', weights: { many: 1, few: 1 } } as const;
    const run = train.sft({ model, rows: tasks, ...settings, epochs: 2, mixture });
    expect(run.total).toBe(8);
    await run.finish();
    expect(drawn).toEqual(new Array(8).fill(2));
    expect(run.history.epoch.at(-1)).toBe(2);
  });

  it('go on after a resume', async () => {
    const dir = await folder();
    const mixture = { strategy: 'temperature', temperature: 3 } as const;
    const options = { rows: tasks, ...settings, steps: 9, mixture };
    const whole = await train.sft({ model: bigram(4), ...options, checkpoint: { dir, every: 4, keep: 9 } }).finish();
    const { optimizer } = settings;
    const resumed = await train.resume(join(dir, 'step-000004'), { model: bigram(5), rows: tasks, optimizer });
    expect((await resumed.finish()).loss).toEqual(whole.loss);
  });

  it('are refused for rows without a task and for packs', () => {
    const mixture = { strategy: 'proportional' } as const;
    expect(() => train.sft({ model: bigram(), rows, mixture })).toThrow(/names none/);
    expect(() => train.sft({ model: bigram(), rows: tasks, mixture, packing: { length: 32 } })).toThrow(/one by one/);
  });
});

describe('evaluation in the loop', () => {
  it('stops when nothing gets better, and keeps the best weights', async () => {
    const dir = await folder();
    const model = bigram();
    const values = [3, 2, 1, 1.5, 1.4, 1.3, 1.2];
    const kept: number[][] = [];
    const run = train.sft({
      model,
      rows,
      ...settings,
      steps: 20,
      evaluateEvery: 2,
      hooks: {
        onEval: ({ step }) => {
          kept.push(model.values());
          return { score: -values[step / 2 - 1]! };
        },
      },
      stopEarly: { metric: 'score', mode: 'max', patience: 2, minDelta: 0.1 },
      keepBest: true,
      checkpoint: { dir },
    });
    await run.finish();
    expect([run.status, run.step]).toEqual(['stopped', 10]);
    expect(run.stopReason).toMatch(/no better for 2 evaluations.*score, -1, was at step 6/);
    expect((await readdir(dir)).sort()).toEqual(['best', 'step-000010']);
    expect(JSON.parse(await readFile(join(dir, 'best', 'best.json'), 'utf8'))).toEqual({ step: 6, score: -1 });
    const other = bigram(3);
    await other.read(join(dir, 'best', 'model', 'model.safetensors'));
    expect(other.values()).toEqual(kept[2]);
    run.dispose();
  });

  it('remembers the best, and what was found, over a resume', async () => {
    const dir = await folder();
    const values = [3, 1, 2, 2.5];
    const hooks: train.Hooks = { onEval: ({ step }) => ({ heldOut: values[step - 1]! }) };
    const options = { rows, ...settings, steps: 9, evaluateEvery: 1, hooks };
    const first = train.sft({ ...options, model: bigram(), stopEarly: { patience: 2 }, checkpoint: { dir, every: 3 } });
    for await (const { step } of first) if (step === 3) break;
    const second = await train.resume(dir, { model: bigram(2), rows, hooks, evaluateEvery: 1, optimizer: settings.optimizer });
    await second.finish();
    expect([second.status, second.step, second.stopReason]).toEqual(['stopped', 4, expect.stringMatching(/1, was at step 2/)]);
    expect(second.evaluations.map(({ heldOut }) => heldOut)).toEqual(values);
    first.dispose();
    second.dispose();
  });

  it('that a resume leaves out is missed; maxLength is the checkpoint’s', async () => {
    const dir = await folder();
    const warned: string[] = [];
    const listen = (warning: Error) => void warned.push(warning.message);
    process.on('warning', listen);
    const options = { rows, ...settings, steps: 4, maxLength: 5, evaluate: { rows: rows.slice(0, 3), every: 1 } };
    const first = train.sft({ ...options, model: bigram(), stopEarly: { patience: 9 }, checkpoint: { dir, every: 2 } });
    for await (const { step } of first) if (step === 2) break;
    first.dispose();
    const second = await train.resume(dir, { model: bigram(2), rows, optimizer: settings.optimizer });
    await second.finish();
    expect(second.evaluations.map(({ step }) => step)).toEqual([1, 2]);
    await expect.poll(() => warned.join()).toMatch(/evaluated on the way and will not be from here on: pass evaluate/);
    process.off('warning', listen);
    const whole = train.sft({ ...options, evaluate: undefined, model: bigram() });
    expect((await whole.finish()).tokens).toEqual(second.history.tokens);
  });

  it('measures held-out loss before, during and after', async () => {
    const model = bigram();
    const held = someRows(6, 12, 8);
    const before = footprint();
    const evaluate = { rows: held, every: 3, atStart: true, batchSize: 4 };
    const seen: (number | undefined)[] = [];
    const run = train.sft({
      model,
      rows,
      ...settings,
      steps: 6,
      evaluate,
      hooks: {
        onEval: (_, { evaluation }) => {
          seen.push(evaluation?.loss);
          return { twice: evaluation!.loss * 2 };
        },
      },
    });
    const part = model.lossAndGradients({ ids: held.map(r => [...r.ids]), labels: held.map(r => [...r.labels]) });
    const loss = part.numerator.dataSync()[0]! / part.denominator;
    tf.dispose([part.numerator, ...part.gradients]);
    await run.finish();
    expect(footprint()).toEqual(before);
    expect(run.evaluations.map(({ step }) => step)).toEqual([0, 3, 6]);
    expect(run.evaluations[0]!.heldOut).toBeCloseTo(loss, 5);
    expect(run.evaluations.slice(1).map(({ heldOut }) => heldOut)).toEqual(seen);
    expect(run.evaluations[2]!.twice).toBe(run.evaluations[2]!.heldOut! * 2);
  });

  it('gives up when it is interrupted', async () => {
    const model = bigram();
    const abort = new AbortController();
    const evaluate = { rows, every: 1, batchSize: 1 };
    const run = train.sft({ model, rows, ...settings, steps: 3, evaluate, signal: abort.signal });
    let batches = 0;
    model.onBatch = () => {
      if (++batches === 5) abort.abort();
    };
    await run.finish();
    expect([run.status, run.step, batches]).toEqual(['stopped', 1, 5]);
    expect(run.evaluations).toEqual([]);
    run.dispose();
  });

  it('refuses what cannot be watched or shown', async () => {
    const model = bigram();
    expect(() => train.sft({ model, rows, keepBest: true })).toThrow(/no folder/);
    expect(() => train.sft({ model, rows, stopEarly: { patience: 0 } })).toThrow(/patience/);
    expect(() => train.sft({ model, rows, evaluate: { rows, samples: 2 } })).toThrow(/cannot generate/);
    expect(() => train.sft({ model, rows, stopEarly: { patience: 2 } })).toThrow(/the run has none/);
    expect(() => train.sft({ model, rows, stopEarly: { patience: 2 }, evaluate: { rows } })).toThrow(/only one is at the end/);
    const run = train.sft({
      model,
      rows,
      steps: 1,
      hooks: { onEval: () => ({ a: 1 }) },
      evaluateEvery: 1,
      stopEarly: { patience: 1, metric: 'b' },
    });
    await expect(run.finish()).rejects.toThrow(/one of a/);
    run.dispose();
  });
});

describe('accidents', () => {
  it('skip leaves the rows out, counts them and goes on', async () => {
    const model = bigram();
    spoiling(model, call => call === 3 || call === 4);
    const before = footprint();
    const run = train.sft({ model, rows, ...settings, steps: 5, nonFinite: 'skip' });
    await run.finish();
    expect(footprint()).toEqual(before);
    expect(run.history.rejected).toEqual([null, null, 2, null, null]);
    expect(run.history.loss.every(Number.isFinite)).toBe(true);
  });

  it('skip halts after so many in a row', async () => {
    const model = bigram();
    spoiling(model, call => call > 2);
    const run = train.sft({ model, rows, ...settings, steps: 5, nonFinite: { policy: 'skip', limit: 3 } });
    await expect(run.finish()).rejects.toThrow(train.NonFinite);
    expect(run.step).toBe(2);
    run.dispose();
  });

  it.each(working)('restore goes back and lowers the rate, on %s', async name => {
    await backend.use(name);
    for (const optimizer of [
      train.adamw({ learningRate: 0.05 }),
      train.sgd({ learningRate: 0.05, momentum: 0.9 }),
      train.lion({ learningRate: 0.05 }),
    ]) {
      const model = bigram();
      const trail: number[][] = [];
      const before = footprint();
      spoiling(model, call => {
        trail.push(model.values());
        return call === 6;
      });
      const nonFinite = { policy: 'restore', every: 2, factor: 0.1 } as const;
      const run = train.sft({ model, rows, ...settings, optimizer, steps: 7, nonFinite });
      const { learningRate } = await run.finish();
      expect(footprint()).toEqual(before);
      // The sixth call is step 6's; the last state that was kept is that of the beginning of step 5.
      expect(trail[6]).toEqual(trail[4]);
      expect(trail[6]).not.toEqual(trail[5]);
      expect(learningRate.map(x => Number(x.toFixed(6)))).toEqual([0.05, 0.05, 0.05, 0.05, 0.05, 0.005, 0.005]);
    }
    await backend.use('cpu');
  });

  it('says when the weights themselves are spoilt, and shows the rows with what is trained', async () => {
    const model = bigram();
    model.parameters[1]!.write(tf.tidy(() => tf.fill([12], Number.POSITIVE_INFINITY)));
    const run = train.sft({ model, rows: rows.slice(0, 2), ...settings, steps: 1, nonFinite: 'skip' });
    const { ids } = rows[0]!;
    const first = Math.ceil(ids.length / 3);
    const shown = `line 1: ${ids.slice(0, first).join(' ')} ⟦${ids.slice(first).join(' ')}⟧`;
    const error = await run.finish().catch(e => e as train.NonFinite);
    expect(error).toBeInstanceOf(train.NonFinite);
    expect((error as Error).message).toContain(shown);
    expect((error as Error).message).toMatch(/first table.bias.*go back to a checkpoint/);
    expect((error as train.NonFinite).rows).toHaveLength(2);
    run.dispose();
  });

  it('weights that are lost take no good checkpoint’s place', async () => {
    const dir = await folder();
    const warned: string[] = [];
    const listen = (warning: Error) => void warned.push(warning.message);
    process.on('warning', listen);
    const model = bigram();
    const schedule = (step: number) => (step === 3 ? 1e38 : 1);
    const options = { rows, ...settings, optimizer: train.sgd({ learningRate: 10 }), steps: 8, clip: false } as const;
    const run = train.sft({ ...options, model, schedule, checkpoint: { dir, every: 1, keep: 2 } });
    await expect(run.finish()).rejects.toThrow(/at step 5; the run was halted/);
    expect((await readdir(dir)).sort()).toEqual(['step-000002', 'step-000003']);
    await expect.poll(() => warned.join()).toMatch(/not finite after step 4, first table.weight: no checkpoint.*that of step 3/s);
    process.off('warning', listen);
    await expect(run.save()).rejects.toThrow(/not finite/);
    const resumed = await train.resume(dir, { model, rows, optimizer: options.optimizer, schedule: 'constant' });
    await resumed.finish();
    expect([resumed.status, resumed.step]).toEqual(['done', 8]);
    run.dispose();
  });

  it('flags a loss that jumps', async () => {
    const model = bigram();
    const original = model.lossAndGradients.bind(model);
    let calls = 0;
    model.lossAndGradients = batch => {
      const part = original(batch);
      if (++calls !== 15) return part;
      const numerator = tf.tidy(() => tf.mul(part.numerator, 4) as tf.Scalar);
      part.numerator.dispose();
      return { ...part, numerator };
    };
    const run = train.sft({ model, rows, ...settings, steps: 20, learningRate: 0.001 });
    await run.finish();
    expect(run.history.spike!.map(z => z !== null)).toEqual(Array.from({ length: 20 }, (_, i) => i === 14));
    expect(run.history.spike![14]).toBeGreaterThan(5);
    expect((await train.sft({ model: bigram(), rows, ...settings, steps: 20, spikes: false }).finish()).spike).toBeUndefined();
  });

  it('explains memory that runs out', async () => {
    const model = bigram();
    model.lossAndGradients = () => {
      throw new Error('OOM when allocating tensor with shape[512,8192]');
    };
    const run = train.sft({ model, rows, ...settings, steps: 1 });
    await expect(run.finish()).rejects.toThrow(
      /Memory ran out at step 1.*weights.*gradients.*optimizer.*activations.*\(1\).*\(2\).*\(3\)/,
    );
    run.dispose();
  });
});

import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import * as backend from '../../../src/base/backend/index.js';
import * as train from '../../../src/learn/train/index.js';
import { tinyLlama } from '../../invariants/tiny.js';
import { footprint } from './backends.js';
import { someRows } from './bigram.js';

beforeAll(async () => void (await backend.use('cpu')));

const rows = someRows(8);
let run: train.Run | undefined;
let model: ReturnType<typeof tinyLlama> | undefined;
afterEach(() => model?.dispose());

/** A run of two steps with these hooks, as far as it comes; the error it ended with. */
async function ended(hooks: unknown, more: Partial<train.SftOptions> = {}): Promise<Error | undefined> {
  model = tinyLlama();
  const before = footprint();
  run = train.sft({ model, rows, batchSize: 4, steps: 2, seed: 1, hooks: hooks as train.Hooks, ...more });
  const error: Error | undefined = await run.finish().then(
    () => undefined,
    thrown => thrown,
  );
  try {
    run.dispose();
  } catch {
    // As the run said.
  }
  expect(footprint()).toEqual(before);
  return error;
}

const boom = () => {
  throw new Error('boom');
};
const async = async () => boom();

describe('a hook inside the pass', () => {
  // What is not waited for must not end the process, either: vitest fails on rejections that nobody handles.
  it.each([
    ['loss: async', { loss: async }, /hook loss failed at step 1: it is async/],
    ['loss: async, one of two', [{ loss: () => tf.scalar(0) }, { loss: async }], /hook loss failed at step 1: it is async/],
    ['loss: a number', { loss: () => 3 }, /hook loss failed at step 1: it gave 3 where a scalar tensor/],
    ['loss: a vector', { loss: () => tf.tensor1d([1, 2]) }, /it gave a tensor of shape \[2\]/],
    ['objective: async', { objective: async }, /hook objective failed at step 1: it is async/],
    ['objective: nothing', { objective: () => undefined }, /it gave undefined where \{ numerator, denominator \}/],
    ['objective: no denominator', { objective: () => ({ numerator: tf.scalar(1) }) }, /numerator, denominator/],
  ])('%s', async (_, hooks, message) => {
    expect((await ended(hooks))?.message).toMatch(message);
    expect([run!.status, run!.step]).toEqual(['failed', 0]);
  });

  it('may give a number in whatever shape', async () => {
    expect(await ended({ loss: () => tf.tensor2d([[1]]) })).toBeUndefined();
  });
});

describe('a hook that keeps and frees', () => {
  it.each([
    ['throws', boom, /boom/],
    ['is async', async, /it is async/],
  ])('onSave that %s is named', async (_, onSave, message) => {
    for (const hooks of [{ onSave }, [{ onSave: () => ({ json: 1 }) }, { onSave }]]) {
      const checkpoint = { dir: '/dev/null/never', every: 1 };
      const error = await ended(hooks, { checkpoint });
      expect(error?.message).toMatch(/hook onSave failed at step 1/);
      expect(error?.message).toMatch(message);
    }
  });

  it('onDispose that throws is named; what else is to be freed is freed', async () => {
    let freed = 0;
    const error = await ended([{ onDispose: boom }, { onDispose: () => freed++ }], { freeze: 'model.norm' });
    expect(error?.message).toMatch(/hook onDispose failed at step 2: boom/);
    expect(freed).toBeGreaterThan(0);
    expect(model!.parameters.every(({ trainable }) => trainable)).toBe(true);
  });
});

it('what onEval returns does not change the step it belongs to', async () => {
  await ended({ onEval: (report: train.StepReport) => ({ ...report, step: 99, mine: 2 }) }, { evaluateEvery: 1 });
  expect(run!.evaluations.map(({ step, mine }) => [step, mine])).toEqual([
    [1, 2],
    [2, 2],
  ]);
});

// Cases 13 and 14 of the failures seen in the field; the others are in tests/prepare/tokens/masking-cases.test.ts.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as backend from '../../../src/base/backend/index.js';
import type { Model } from '../../../src/learn/models/index.js';
import * as train from '../../../src/learn/train/index.js';
import { batchOf } from '../../../src/prepare/tokens/index.js';
import { tinyLlama } from '../../invariants/tiny.js';
import { workingBackends } from './backends.js';

/** A row of `length` tokens whose last `labels` are trained. */
const row = (length: number, labels: number, more: Partial<train.TrainRow> = {}): train.TrainRow => {
  const ids = Array.from({ length }, (_, i) => (i * 7 + length * 3 + labels) % 40);
  return { ids, labels: ids.map((id, i) => (i < length - labels ? -100 : id)), ...more };
};
/** One label, then many: a mean of means would give the one as much weight as all of the others together. */
const rows = [row(9, 1), row(14, 12), row(6, 2), row(12, 9), row(5, 1)];
const nothing = row(8, 0);

describe.each(await workingBackends('native', 'wasm', 'cpu'))('on %s', name => {
  let model: Model;
  beforeAll(async () => {
    await backend.use(name);
    model = tinyLlama();
  });
  afterAll(() => model.dispose());

  /** Numerators and denominators of rows, each alone. */
  const parts = (of: readonly train.TrainRow[]) => of.map(one => model.lossSum(batchOf([one])));
  const mean = (of: readonly { numerator: number; denominator: number }[]) =>
    of.reduce((sum, { numerator }) => sum + numerator, 0) / of.reduce((sum, { denominator }) => sum + denominator, 0);
  const meanOfMeans = (of: readonly { numerator: number; denominator: number }[]) =>
    of.reduce((sum, { numerator, denominator }) => sum + numerator / denominator, 0) / of.length;

  describe('13: accumulation', () => {
    const step = async (options: Partial<train.SftOptions>) => {
      const run = train.sft({ model, rows, learningRate: 0, shuffle: false, clip: false, steps: 1, ...options });
      const { loss, gradNorm } = await run.finish();
      return { loss: loss[0]!, gradNorm: gradNorm[0]! };
    };

    it('the loss of a step is Σ over its tokens, not a mean of the means of its batches', async () => {
      const expected = mean(parts(rows));
      // The two could be told apart by much less.
      expect(Math.abs(meanOfMeans(parts(rows)) / expected - 1)).toBeGreaterThan(0.01);
      const whole = await step({ batchSize: 5 });
      expect(whole.loss / expected).toBeCloseTo(1, 5);
      for (const options of [
        { batchSize: 1, accumulate: 5 },
        { batchSize: 2, accumulate: 3 },
        { batchSize: 4, accumulate: 2 },
        { batchSize: 2, accumulate: 4, rows: [rows[0]!, nothing, rows[1]!, rows[2]!, nothing, nothing, rows[3]!, rows[4]!] },
        { batchSize: 1, accumulate: 3, packing: { length: 24 } },
      ]) {
        const other = await step(options);
        expect(other.loss / whole.loss, JSON.stringify(options)).toBeCloseTo(1, 5);
        expect(other.gradNorm / whole.gradNorm, JSON.stringify(options)).toBeCloseTo(1, 4);
      }
    });

    it('weights of tokens count in numerator and denominator alike', async () => {
      const weighed = rows.map((one, i) => ({ ...one, weights: one.labels.map((_, t) => ((i + t) % 3) / 2) }));
      const whole = await step({ rows: weighed, batchSize: 5 });
      const apart = await step({ rows: weighed, batchSize: 1, accumulate: 5 });
      expect(whole.loss / mean(parts(weighed))).toBeCloseTo(1, 5);
      expect(apart.loss / whole.loss).toBeCloseTo(1, 5);
      expect(apart.gradNorm / whole.gradNorm).toBeCloseTo(1, 4);
      const prompts = { promptLossWeight: 0.1 };
      const [a, b] = [await step({ batchSize: 5, ...prompts }), await step({ batchSize: 1, accumulate: 5, ...prompts })];
      expect(b.loss / a.loss).toBeCloseTo(1, 5);
    });

    it('a short last step of an epoch is the mean over the tokens it has', async () => {
      const run = train.sft({ model, rows, learningRate: 0, shuffle: false, batchSize: 1, accumulate: 3, epochs: 1 });
      const { loss } = await run.finish();
      const expected = [mean(parts(rows.slice(0, 3))), mean(parts(rows.slice(3)))];
      expect(loss.map((value, i) => value / expected[i]!)).toEqual([expect.closeTo(1, 5), expect.closeTo(1, 5)]);
    });
  });

  describe('14: evaluation', () => {
    it('the held-out loss does not depend on the batch size, the order or the other tasks', async () => {
      const task = (which: string, of: readonly train.TrainRow[]) => of.map(one => ({ ...one, task: which }));
      const [few, many] = [task('few', rows.slice(0, 2)), task('many', rows.slice(2))];
      const expected = { heldOut: mean(parts(rows)), 'heldOut/few': mean(parts(few)), 'heldOut/many': mean(parts(many)) };
      expect(Math.abs(meanOfMeans(parts(rows)) / expected.heldOut - 1)).toBeGreaterThan(0.01);
      for (const [batchSize, held] of [
        [1, [...few, ...many]],
        [2, [...many, ...few]],
        [3, { many, few }],
        [50, [few[1]!, nothing, ...many, few[0]!]],
      ] as const) {
        const evaluate = { rows: held, batchSize, atStart: true };
        const run = train.sft({ model, rows, learningRate: 0, steps: 1, batchSize: 3, evaluate });
        await run.finish();
        for (const { step, ...found } of run.evaluations) {
          expect(Object.keys(found).sort()).toEqual(Object.keys(expected));
          for (const [key, value] of Object.entries(expected)) expect(found[key]! / value, `${key} at ${step}`).toBeCloseTo(1, 5);
        }
        expect(run.evaluations).toHaveLength(2);
      }
    });
  });
});

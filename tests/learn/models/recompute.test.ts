import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { use } from '../../../src/base/backend/index.js';
import { init, lora, type Model, prefixTuning } from '../../../src/learn/models/index.js';
import { sft } from '../../../src/learn/train/index.js';
import { usable } from '../../helpers/backends.js';
import { leftBehind, NOTHING } from '../../helpers/leak.js';

const SHAPE = { vocabSize: 50, hiddenSize: 24, intermediateSize: 40, numHiddenLayers: 3, numAttentionHeads: 4 };
const ids = [
  [3, 9, 27, 31, 4, 5],
  [7, 8, 9],
];
const batch = { ids, labels: ids.map(row => row.map((id, t) => (t < 2 ? -100 : id))) };

/** Loss and gradients, read. */
function numbers(model: Model, options: { recompute?: boolean; seed?: number }): { loss: number; gradients: Float32Array[] } {
  const { numerator, gradients } = model.lossAndGradients(batch, options);
  const result = {
    loss: numerator.dataSync()[0]!,
    gradients: gradients.map(g => g.dataSync<'float32'>().slice()),
  };
  tf.dispose([numerator, ...gradients]);
  return result;
}

const CASES: Record<string, () => Model> = {
  llama: () => init({ ...SHAPE, numKeyValueHeads: 2 }, { seed: 1 }),
  'gpt2, tied': () => init({ ...SHAPE, modelType: 'gpt2' }, { seed: 2 }),
  mixtral: () => init({ ...SHAPE, modelType: 'mixtral' }, { seed: 3 }),
  'llama with LoRA and its dropout': () => {
    const model = init({ ...SHAPE }, { seed: 4 });
    model.attach(lora({ rank: 4, dropout: 0.3, targets: 'all-linear' }));
    return model;
  },
  'llama with a prefix': () => {
    const model = init({ ...SHAPE }, { seed: 5 });
    model.attach(prefixTuning({ virtualTokens: 3 }));
    return model;
  },
};

for (const { backend, here } of await usable('native', 'wasm'))
  describe.skipIf(!here)(`layers computed again on ${backend}`, () => {
    beforeAll(async () => {
      await use(backend);
    });
    const made: Model[] = [];
    afterAll(() => {
      for (const model of made) model.dispose();
    });

    it.each(Object.entries(CASES))('%s: the same loss and the same gradients', async (_, make) => {
      const model = make();
      made.push(model);
      const plain = numbers(model, { seed: 7 });
      const again = numbers(model, { seed: 7, recompute: true });
      expect(again.loss).toBe(plain.loss);
      expect(again.gradients.length).toBe(plain.gradients.length);
      again.gradients.forEach((gradient, i) => {
        const most = plain.gradients[i]!.reduce((a, b) => Math.max(a, Math.abs(b)), 1e-9);
        gradient.forEach((value, j) => {
          expect(Math.abs(value - plain.gradients[i]![j]!) / most).toBeLessThan(1e-5);
        });
      });
      expect(await leftBehind(() => void numbers(model, { seed: 7, recompute: true }))).toEqual(NOTHING);
    });
  });

describe('train.sft with recompute', () => {
  it('takes the steps it takes without, and T5 refuses it', async () => {
    await use('native');
    const rows = ids.map((row, i) => ({ ids: row, labels: batch.labels[i]! }));
    const losses = async (recompute: boolean) => {
      const model = init(SHAPE, { seed: 6 });
      const run = sft({ model, rows, batchSize: 2, steps: 4, recompute, learningRate: 1e-3, record: false });
      await run.finish();
      model.dispose();
      return run.history.loss;
    };
    const [plain, again] = [await losses(false), await losses(true)];
    plain.forEach((loss, i) => {
      expect(again[i]).toBeCloseTo(loss, 5);
    });
    const t5 = init({ modelType: 't5', vocabSize: 50, hiddenSize: 16, numHiddenLayers: 1, numAttentionHeads: 2 }, { seed: 1 });
    expect(() => t5.lossAndGradients({ ids: [[1, 2]], labels: [[3]] }, { recompute: true })).toThrow(/recompute/);
    t5.dispose();
  });
});

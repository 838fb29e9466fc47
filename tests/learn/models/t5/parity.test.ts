import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { use } from '../../../../src/base/backend/index.js';
import { beamSearch } from '../../../../src/learn/models/generation/index.js';
import { load, type Model, type T5Model } from '../../../../src/learn/models/index.js';
import { sft } from '../../../../src/learn/train/index.js';
import { adamw } from '../../../../src/learn/train/optimizers/adamw.js';
import { usable } from '../../../helpers/backends.js';
import { relative } from '../fixtures.js';
import { type ExpectedT5, expectedT5, padded, T5S, t5Fixture } from './fixtures.js';

const LIMIT = { cpu: 1e-5, native: 1e-5, wasm: 1e-4 } as const;

for (const { backend, here } of await usable('native', 'wasm'))
  describe.skipIf(!here).each(T5S)(`%s on ${backend} against transformers`, name => {
    const limit = LIMIT[backend as keyof typeof LIMIT];
    let model: T5Model;
    let want: ExpectedT5;
    let tensors: Map<string, Float32Array>;

    beforeAll(async () => {
      await use(backend);
      model = (await load(t5Fixture(name))) as T5Model;
      ({ want, tensors } = await expectedT5(name));
    });
    afterAll(() => model?.dispose());

    it.each(['left', 'right'] as const)('logits of encoder rows padded on the %s', side => {
      const { rows, decoderIds } = want.input;
      const theirs = tensors.get(`logits.${side}`)!;
      const logits = model.logits({ ...padded(rows, side), decoderIds });
      expect(logits.shape).toEqual([rows.length, decoderIds[0]!.length, model.config.vocabSize]);
      // The fixture must not hide mistakes behind tiny logits.
      expect(Math.max(...theirs.map(Math.abs))).toBeGreaterThan(2);
      expect(relative(logits.dataSync(), theirs)).toBeLessThan(limit);
      logits.dispose();
    });

    it('loss and the gradient of every parameter', () => {
      const { numerator, denominator, gradients } = model.lossAndGradients(want.batches[0]!);
      expect(denominator).toBe(want.first.denominator);
      expect(relative(numerator.dataSync(), [want.first.numerator])).toBeLessThan(limit);
      expect(model.parameters.length).toBe([...tensors.keys()].filter(key => key.startsWith('gradient.')).length);
      model.parameters.forEach(({ name, shape }, i) => {
        expect(gradients[i]!.shape, name).toEqual([...shape]);
        expect(relative(gradients[i]!.dataSync(), tensors.get(`gradient.${name}`)!), name).toBeLessThan(1e-3);
      });
      tf.dispose([numerator, ...gradients]);
    });

    it('greedy continuation', async () => {
      const { ids, count, new: theirs, margin } = want.greedy;
      const { ids: given, attentionMask } = padded(ids, 'left');
      const ours = await model.generate(given, { maxNewTokens: count, attentionMask, stopIds: [] });
      expect(count).toBe(64);
      let compared = 0;
      ours.ids.forEach((row, b) => {
        expect(row.length).toBe(count);
        // Beyond a near-tie two exact implementations may part.
        const tie = margin[b]!.findIndex(m => m < 1e-3);
        const end = tie < 0 ? count : tie;
        expect(row.slice(0, end)).toEqual(theirs[b]!.slice(0, end));
        compared += end;
      });
      expect(compared).toBeGreaterThan(64);
      expect(new Set(ours.ids.flat()).size).toBeGreaterThan(8);
    });

    it('beam search', async () => {
      const { ids, count, width, new: theirs, scores } = want.beams;
      const found = await beamSearch(model, ids, { numBeams: width, maxNewTokens: count });
      found.forEach(([best], b) => {
        expect(best!.ids.slice(-best!.newTokens)).toEqual(theirs[b]);
        expect(best!.score).toBeCloseTo(scores[b]!, 4);
      });
    });
  });

for (const { backend, here } of await usable('native', 'wasm'))
  describe.skipIf(!here).each(T5S)(`eight AdamW steps of %s on ${backend}`, name => {
    it('have the losses and gradient norms of torch', async () => {
      await use(backend);
      const model = await load(t5Fixture(name));
      const { want } = await expectedT5(name);
      const { lr, betas, eps, weight_decay: weightDecay, clip } = want.optimizer;
      const rows = want.batches.flatMap(({ ids, labels }) => ids.map((row, i) => ({ ids: row, labels: labels[i]! })));
      const optimizer = adamw({ betas, eps, weightDecay, decay: 'all' });
      const run = sft({ model, rows, batchSize: 4, shuffle: false, optimizer, learningRate: lr, clip, schedule: 'constant' });
      const reports = [];
      for await (const report of run) reports.push(report);
      expect(reports.length).toBe(want.steps.length);
      reports.forEach(({ loss, gradNorm }, step) => {
        expect(relative([loss], [want.steps[step]!.loss]), `loss of step ${step}`).toBeLessThan(1e-3);
        expect(relative([gradNorm], [want.steps[step]!.gradNorm]), `gradient norm of step ${step}`).toBeLessThan(1e-3);
      });
      (model as Model).dispose();
    });
  });

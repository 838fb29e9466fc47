import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { use } from '../../../src/base/backend/index.js';
import { load, type Model } from '../../../src/learn/models/index.js';
import { usable } from '../../helpers/backends.js';
import { type Expected, expected, fixture, relative, tensorsOf } from './fixtures.js';

const LIMIT = { cpu: 1e-5, native: 1e-5, wasm: 1e-4 } as const;

for (const { backend, here } of await usable('native', 'wasm', 'cpu'))
  describe.skipIf(!here).each(['llama-tied', 'llama-untied'])(`%s on ${backend} against transformers`, name => {
    const limit = LIMIT[backend as keyof typeof LIMIT];
    let model: Model;
    let want: Expected;
    let tensors: Map<string, Float32Array>;

    beforeAll(async () => {
      await use(backend);
      model = await load(fixture(name));
      want = await expected(name);
      tensors = await tensorsOf(`${fixture(name)}/expected.safetensors`);
    });
    afterAll(() => model?.dispose());

    it('logits of rows padded on the left', () => {
      const { ids, attentionMask } = want.input;
      const logits = model.logits({ ids, attentionMask });
      expect(logits.shape).toEqual([ids.length, ids[0]!.length, model.config.vocabSize]);
      const real = attentionMask.flat().flatMap((on, i) => (on ? [i] : []));
      const pick = (values: ArrayLike<number>) =>
        real.flatMap(i => Array.from({ length: model.config.vocabSize }, (_, v) => values[i * model.config.vocabSize + v]!));
      const theirs = pick(tensors.get('logits')!);
      // The fixture must not hide mistakes behind tiny logits.
      expect(Math.max(...theirs.map(Math.abs))).toBeGreaterThan(2);
      expect(relative(pick(logits.dataSync()), theirs)).toBeLessThan(limit);
      logits.dispose();
    });

    it('loss and the gradient of every parameter', () => {
      const { numerator, denominator, gradients } = model.lossAndGradients(want.batches[0]!);
      expect(denominator).toBe(want.first.denominator);
      expect(relative(numerator.dataSync(), [want.first.numerator])).toBeLessThan(limit);
      model.parameters.forEach(({ name, shape }, i) => {
        expect(gradients[i]!.shape, name).toEqual([...shape]);
        expect(relative(gradients[i]!.dataSync(), tensors.get(`gradient.${name}`)!), name).toBeLessThan(limit);
      });
      tf.dispose([numerator, ...gradients]);
    });

    it('greedy continuation of prompts padded on the left', async () => {
      const { ids, mask, count, new: theirs, margin } = want.greedy;
      const ours = await model.generate(ids, { maxNewTokens: count, attentionMask: mask, stopIds: [] });
      expect(count).toBeGreaterThanOrEqual(32);
      let compared = 0;
      ours.ids.forEach((row, b) => {
        expect(row.slice(0, ids[b]!.length)).toEqual(ids[b]);
        // Beyond a near-tie two exact implementations may part.
        const tie = margin[b]!.findIndex(m => m < 1e-3);
        const end = tie < 0 ? count : tie;
        expect(row.slice(ids[b]!.length).slice(0, end)).toEqual(theirs[b]!.slice(0, end));
        compared += end;
      });
      expect(compared).toBeGreaterThan(64);
      expect(ours.finish).toEqual(ids.map(() => 'length'));
    });
  });

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { use } from '../../../src/base/backend/index.js';
import { load, type Model } from '../../../src/learn/models/index.js';
import { usable } from '../../helpers/backends.js';
import { DECODERS, type Expected, expected, fixture, relative, tensorsOf } from './fixtures.js';

const LIMIT = { cpu: 1e-5, native: 1e-5, wasm: 1e-4 } as const;
/** Plain JavaScript is slow, and the same code as wasm above the kernels: one model with all of soft caps, windows, norms. */
const ON = { cpu: ['gemma2'], native: DECODERS, wasm: DECODERS } as const;

it('there is a fixture of every family', () => {
  const families = ['llama', 'mistral', 'mixtral', 'qwen2', 'qwen3', 'smollm2', 'gpt2', 'gemma', 'gemma2', 'gemma3', 'phi3'];
  for (const family of families) expect(DECODERS).toContainEqual(expect.stringMatching(`^${family}`));
});

for (const { backend, here } of await usable('native', 'wasm', 'cpu'))
  describe.skipIf(!here).each(ON[backend as keyof typeof ON])(`%s on ${backend} against transformers`, name => {
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
      for (const [key, input] of Object.entries({ logits: want.input, 'logits.long': want.long })) {
        if (!input) continue;
        const { ids, attentionMask } = input;
        const logits = model.logits({ ids, attentionMask });
        expect(logits.shape).toEqual([ids.length, ids[0]!.length, model.config.vocabSize]);
        const real = attentionMask.flat().flatMap((on, i) => (on ? [i] : []));
        const pick = (values: ArrayLike<number>) =>
          real.flatMap(i => Array.from({ length: model.config.vocabSize }, (_, v) => values[i * model.config.vocabSize + v]!));
        const theirs = pick(tensors.get(key)!);
        // The fixture must not hide mistakes behind tiny logits.
        expect(Math.max(...theirs.map(Math.abs))).toBeGreaterThan(2);
        expect(relative(pick(logits.dataSync()), theirs), key).toBeLessThan(limit);
        logits.dispose();
      }
    });

    it('loss and the gradient of every parameter', () => {
      const { numerator, denominator, gradients } = model.lossAndGradients(want.batches[0]!);
      expect(denominator).toBe(want.first.denominator);
      expect(relative(numerator.dataSync(), [want.first.numerator])).toBeLessThan(limit);
      const theirs = [...tensors.keys()].filter(key => key.startsWith('gradient.'));
      expect(model.parameters.map(({ name }) => `gradient.${name}`).sort()).toEqual(theirs.sort());
      model.parameters.forEach(({ name, shape }, i) => {
        expect(gradients[i]!.shape, name).toEqual([...shape]);
        expect(relative(gradients[i]!.dataSync(), tensors.get(`gradient.${name}`)!), name).toBeLessThan(limit);
      });
      tf.dispose([numerator, ...gradients]);
    });

    it('64 greedy tokens after prompts padded on the left', async () => {
      const { ids, mask, count, new: theirs, margin } = want.greedy;
      const ours = await model.generate(ids, { maxNewTokens: count, attentionMask: mask, stopIds: [] });
      expect(count).toBeGreaterThanOrEqual(64);
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

describe('round trip', () => {
  let folder: string;
  beforeAll(async () => {
    await use('cpu');
    folder = await mkdtemp(join(tmpdir(), 'tunebook-parity-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each(DECODERS)('%s: saved under the same names with the same bytes, and read back as the same configuration', async name => {
    const model = await load(fixture(name));
    const to = join(folder, name);
    await model.save(to);
    expect(await tensorsOf(join(to, 'model.safetensors'))).toEqual(await tensorsOf(`${fixture(name)}/model.safetensors`));
    const again = await load(to);
    expect(again.config).toEqual(model.config);
    const [theirs, ours] = await Promise.all(
      [fixture(name), to].map(async dir => JSON.parse(await readFile(join(dir, 'config.json'), 'utf8'))),
    );
    // Nothing that was said is lost; what is said twice is said the same.
    for (const [key, value] of Object.entries(theirs))
      if (value !== null && !['rope_scaling', 'rope_parameters'].includes(key)) expect(ours[key], key).toEqual(value);
    model.dispose();
    again.dispose();
  });
});

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { memory, use } from '../../../../src/base/backend/index.js';
import { BadInput, Interrupted, Random } from '../../../../src/base/core/index.js';
import { init, load, type Model } from '../../../../src/learn/models/index.js';
import { usable } from '../../../helpers/backends.js';
import { leftBehind, NOTHING } from '../../../helpers/leak.js';
import { fixture } from '../fixtures.js';

const CONFIG = {
  vocabSize: 60,
  hiddenSize: 32,
  intermediateSize: 48,
  numHiddenLayers: 2,
  numAttentionHeads: 4,
  numKeyValueHeads: 2,
  headDim: 8,
  maxPositionEmbeddings: 200,
};
const random = new Random(3);
const row = (length: number) => Array.from({ length }, () => random.int(60));
const PROMPTS = [row(9), row(1), row(30), row(4)];
/** A letter a token, so that text is easy to read. */
const letters = { decode: (ids: readonly number[]) => ids.map(id => String.fromCharCode(65 + id)).join('') };
/** More than a block of the cache, so that it grows. */
const LONG = 90;

for (const { backend, here } of await usable('native', 'wasm', 'cpu'))
  describe.skipIf(!here)(`generation on ${backend}`, () => {
    let model: Model;
    beforeAll(async () => {
      await use(backend);
      model = init(CONFIG, { seed: 2 });
    });
    afterAll(() => model?.dispose());

    it('greedy tokens are those of the whole pass, over the borders of the cache', async () => {
      const { ids, newTokens, finish } = await model.generate(PROMPTS, { maxNewTokens: LONG, stopIds: [] });
      expect(newTokens).toEqual(PROMPTS.map(() => LONG));
      expect(finish).toEqual(PROMPTS.map(() => 'length'));
      for (const [i, made] of ids.entries()) {
        const best = tf.tidy(() => tf.argMax(model.logits({ ids: [made] }), 2).dataSync());
        for (let t = PROMPTS[i]!.length; t < made.length; t++) expect(made[t], `row ${i} position ${t}`).toBe(best[t - 1]);
      }
    });

    it('a row gets alone what it gets in a batch, sampled too, with one seed a row', async () => {
      const options = { maxNewTokens: 20, temperature: 1.2, topK: 30, topP: 0.95, minP: 0.01, repetitionPenalty: 1.1 };
      const seed = [11, 12, 13, 14];
      const together = await model.generate(PROMPTS, { ...options, seed });
      for (const [i, prompt] of PROMPTS.entries())
        expect((await model.generate([prompt], { ...options, seed: seed[i]! })).ids[0]).toEqual(together.ids[i]);
      expect(await model.generate(PROMPTS, { ...options, seed })).toEqual(together);
      expect((await model.generate(PROMPTS, { ...options, seed: [1, 2, 3, 4] })).ids).not.toEqual(together.ids);
    });

    it('log-probabilities are those of the model at the sampling temperature', async () => {
      const raw = await model.generate(PROMPTS, {
        maxNewTokens: 12,
        temperature: 1,
        topK: 5,
        seed: 4,
        stopIds: [],
        logProbs: true,
      });
      const losses = model.tokenLosses({ ids: raw.ids });
      raw.logProbs!.forEach((values, i) => {
        expect(values).toHaveLength(12);
        values.forEach((value, t) => {
          expect(value).toBeCloseTo(-losses[i]![PROMPTS[i]!.length + t]!, 4);
        });
      });
      const { ids, logProbs } = await model.generate([PROMPTS[0]!], {
        maxNewTokens: 1,
        temperature: 0.5,
        seed: 4,
        logProbs: true,
      });
      const logits = tf.tidy(() => model.logits({ ids: [PROMPTS[0]!] }).arraySync())[0]!.at(-1)!;
      const sum = logits.reduce((total, z) => total + Math.exp(z / 0.5), 0);
      expect(logProbs![0]![0]).toBeCloseTo(logits[ids[0]!.at(-1)!]! / 0.5 - Math.log(sum), 4);
      const processed = await model.generate(PROMPTS, { maxNewTokens: 3, temperature: 1, topK: 1, logProbs: 'processed' });
      for (const value of processed.logProbs!.flat()) expect(value).toBeCloseTo(0, 9);
    });

    it('stop tokens and stop strings end a row; its neighbours go on', async () => {
      const free = await model.generate(PROMPTS, { maxNewTokens: 20, stopIds: [], tokenizer: letters });
      const made = free.ids[0]!.slice(PROMPTS[0]!.length);
      const stopped = await model.generate(PROMPTS, { maxNewTokens: 20, stopIds: [made[5]!] });
      expect(stopped.finish[0]).toBe('stop');
      expect(stopped.ids[0]!.slice(PROMPTS[0]!.length)).toEqual(made.slice(0, made.indexOf(made[5]!) + 1));
      const text = free.texts![0]!;
      const stop = text.slice(6, 9);
      const cut = await model.generate(PROMPTS, { maxNewTokens: 20, stopIds: [], stopStrings: [stop], tokenizer: letters });
      cut.texts!.forEach((t, i) => {
        const at = free.texts![i]!.indexOf(stop);
        expect(t).toBe(at < 0 ? free.texts![i] : free.texts![i]!.slice(0, at));
        expect(cut.finish[i]).toBe(at < 0 ? 'length' : 'stop');
      });
      expect(cut.finish).toContain('stop');
      await expect(model.generate(PROMPTS, { stopStrings: ['x'] })).rejects.toThrow(BadInput);
      // A stop string that is a special token is never part of the text.
      const special = {
        decode: (ids: readonly number[]) => letters.decode(ids.filter(id => id !== made[5])),
        idOf: (token: string) => (token === '<|end|>' ? made[5] : undefined),
      };
      const ended = await model.generate(PROMPTS, {
        maxNewTokens: 20,
        stopIds: [],
        stopStrings: ['<|end|>'],
        tokenizer: special,
      });
      expect(ended.ids).toEqual(stopped.ids);
      expect(ended.finish).toEqual(stopped.finish);
    });

    it('streams the same tokens and text; leaving early frees everything', async () => {
      const options = { maxNewTokens: 10, temperature: 1, seed: 9, stopIds: [], tokenizer: letters };
      const whole = await model.generate(PROMPTS, options);
      const tokens = PROMPTS.map((): number[] => []);
      const texts = PROMPTS.map(() => '');
      for await (const piece of model.stream(PROMPTS, options)) {
        tokens[piece.row]!.push(piece.token);
        texts[piece.row] = `${texts[piece.row]}${piece.text}`;
        expect(piece.finish !== undefined).toBe(tokens[piece.row]!.length === 10);
      }
      expect(tokens.map((t, i) => [...PROMPTS[i]!, ...t])).toEqual(whole.ids);
      expect(texts).toEqual(whole.texts);
      const early = async () => {
        for await (const piece of model.stream(PROMPTS, options)) if (piece.row === 2) break;
      };
      expect(await leftBehind(early)).toEqual(NOTHING);
    });

    it('an abort throws Interrupted, frees everything and leaves the model usable', async () => {
      const aborted = async () => {
        const controller = new AbortController();
        let count = 0;
        const work = (async () => {
          for await (const _ of model.stream(PROMPTS, { maxNewTokens: 50, stopIds: [], signal: controller.signal }))
            if (++count === 9) controller.abort();
        })();
        await expect(work).rejects.toThrow(Interrupted);
      };
      expect(await leftBehind(aborted)).toEqual(NOTHING);
      expect((await model.generate([[1, 2]], { maxNewTokens: 3, stopIds: [] })).ids[0]).toHaveLength(5);
    });

    it('the context is a bound, and a prompt beyond it is named', async () => {
      const { ids, finish } = await model.generate([row(195), row(3)], { maxNewTokens: 50, stopIds: [] });
      expect(ids.map(r => r.length)).toEqual([201, 53]);
      expect(finish).toEqual(['length', 'length']);
      const before = memory();
      await expect(model.generate([row(3), row(201)])).rejects.toThrow(/Row 1 is longer.*200.*201/s);
      await expect((async () => model.generate([row(3), []]))()).rejects.toThrow(BadInput);
      await expect(model.generate([[1, 60]])).rejects.toThrow(BadInput);
      await expect(model.generate(PROMPTS, { seed: [1] })).rejects.toThrow(BadInput);
      for (const bad of [
        { temperature: -1 },
        { topK: 0 },
        { topP: 0 },
        { minP: 2 },
        { repetitionPenalty: 0 },
        { maxNewTokens: 1.5 },
      ])
        await expect(model.generate(PROMPTS, bad)).rejects.toThrow(BadInput);
      expect(memory()).toEqual(before);
    });

    it('continuous batching gives every prompt what it gets alone', async () => {
      const prompts = Array.from({ length: 11 }, (_, i) => row(1 + ((i * 5) % 17)));
      const stopIds = [3, 17, 29, 41];
      const alone: number[][] = [];
      for (const prompt of prompts)
        alone.push((await model.generate([prompt], { maxNewTokens: 30, stopIds })).ids[0]!.slice(prompt.length));
      const order: number[] = [];
      for await (const { index, tokens, finish, text } of model.continuous(prompts, {
        maxNewTokens: 30,
        stopIds,
        slots: 3,
        tokenizer: letters,
      })) {
        order.push(index);
        expect(tokens, `prompt ${index}`).toEqual(alone[index]);
        expect(finish).toBe(stopIds.includes(tokens.at(-1)!) ? 'stop' : 'length');
        expect(text).toBe(letters.decode(finish === 'stop' ? tokens.slice(0, -1) : tokens));
      }
      expect(order.toSorted((a, b) => a - b)).toEqual(prompts.map((_, i) => i));
      const early = async () => {
        for await (const _ of model.continuous(prompts, { maxNewTokens: 30, stopIds, slots: 3 })) break;
      };
      expect(await leftBehind(early)).toEqual(NOTHING);
    });

    it('a cache grows, takes rows in, drops, repeats and reorders them', () => {
      const full = (ids: number[]) => tf.tidy(() => (model.logits({ ids: [ids] }).arraySync() as number[][][])[0]!.at(-1)!);
      const near = (logits: tf.Tensor2D, rows: number[][]) => {
        (logits.arraySync() as number[][]).forEach((found, i) => {
          full(rows[i]!).forEach((want, v) => {
            expect(found[v]).toBeCloseTo(want, 3);
          });
        });
        logits.dispose();
      };
      const stepper = model.stepper();
      let rows = [row(3), row(62)];
      near(stepper.admit(rows), rows);
      for (let step = 0; step < 5; step++) {
        rows = rows.map((r, i) => [...r, (step * 7 + i) % 60]);
        near(stepper.advance(rows.map(r => r.at(-1)!)), rows);
      }
      const fresh = [row(100), row(2)];
      near(stepper.admit(fresh), fresh);
      rows = [...rows, ...fresh];
      for (const chosen of [
        [2, 0, 2, 3],
        [1, 0],
      ]) {
        stepper.select(chosen);
        rows = chosen.map((r, i) => [...rows[r]!, 20 + i]);
        near(stepper.advance(rows.map(r => r.at(-1)!)), rows);
      }
      expect(stepper.rows).toBe(2);
      stepper.dispose();
    });

    it('nothing is left behind', async () => {
      expect(await leftBehind(() => model.generate(PROMPTS, { maxNewTokens: 4 }))).toEqual(NOTHING);
      expect(await leftBehind(() => model.generate(PROMPTS, { maxNewTokens: 4, temperature: 1, logProbs: true }))).toEqual(
        NOTHING,
      );
      expect(await leftBehind(() => model.beamSearch(PROMPTS, { maxNewTokens: 4, numBeams: 2 }))).toEqual(NOTHING);
    });
  });

interface BeamFixture {
  prompts: number[][];
  stopIds: number[];
  maxNewTokens: number;
  cases: { options: object; results: { ids: number[]; score: number | null }[][] }[];
}
const beams = async (name: string) =>
  JSON.parse(await readFile(new URL(`./fixtures/${name}.json`, import.meta.url), 'utf8')) as BeamFixture;
const models = [
  { of: 'llama', directory: fixture('llama-tied'), fixtures: await beams('beam') },
  {
    of: 't5',
    directory: fileURLToPath(new URL('../t5/fixtures/t5-flan', import.meta.url)),
    fixtures: await beams('beam-t5'),
  },
];

for (const { backend, here } of await usable('native', 'wasm'))
  describe.skipIf(!here).each(models)(`beam search on ${backend} against transformers: $of`, ({ of, directory, fixtures }) => {
    let model: Model;
    beforeAll(async () => {
      await use(backend);
      model = await load(directory);
    });
    afterAll(() => model?.dispose());

    it.each(fixtures.cases.map(c => [JSON.stringify(c.options), c] as const))('%s', async (_, { options, results }) => {
      const { prompts, stopIds, maxNewTokens } = fixtures;
      const found = await model.beamSearch(prompts, { ...options, stopIds, maxNewTokens });
      found.forEach((hypotheses, i) => {
        const before = of === 't5' ? [] : prompts[i]!;
        expect(hypotheses.map(h => h.ids)).toEqual(results[i]!.map(({ ids }) => [...before, ...ids]));
        hypotheses.forEach(({ score }, rank) => {
          const want = results[i]![rank]!.score;
          if (want !== null) expect(score).toBeCloseTo(want, 4);
        });
      });
    });
  });

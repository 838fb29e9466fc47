import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { use } from '../../../../src/base/backend/index.js';
import { BadInput, Interrupted, Random } from '../../../../src/base/core/index.js';
import { init, load, T5Model, type T5TrainBatch } from '../../../../src/learn/models/index.js';
import { lora } from '../../../../src/learn/models/peft/index.js';
import { sft } from '../../../../src/learn/train/index.js';
import { usable } from '../../../helpers/backends.js';
import { leftBehind, NOTHING } from '../../../helpers/leak.js';
import { relative } from '../fixtures.js';
import { t5Fixture } from './fixtures.js';

const CONFIG = {
  modelType: 't5' as const,
  vocabSize: 40,
  hiddenSize: 16,
  headDim: 6,
  intermediateSize: 20,
  numHiddenLayers: 2,
  numDecoderLayers: 1,
  numAttentionHeads: 2,
  relativeAttentionNumBuckets: 8,
  relativeAttentionMaxDistance: 12,
};
const random = new Random(5);
const row = (length: number) => Array.from({ length }, () => 2 + random.int(38));
const IDS = [row(7), row(2), row(15), row(1)];
const LABELS = [row(3), [...row(4), -100], [-100, ...row(6), -100, 9], [-100, -100]];
const WEIGHTS = LABELS.map(labels => labels.map((_, t) => 0.25 + (t % 3)));

function plain(model: T5Model, batch: T5TrainBatch): { numerator: number; denominator: number; gradients: Float32Array[] } {
  const { numerator, denominator, gradients } = model.lossAndGradients(batch);
  const result = {
    numerator: numerator.dataSync()[0]!,
    denominator,
    gradients: gradients.map(g => g.dataSync().slice() as Float32Array),
  };
  tf.dispose([numerator, ...gradients]);
  return result;
}

const sum = (xs: number[]) => xs.reduce((a, b) => a + b, 0);

for (const { backend, here } of await usable('native', 'wasm', 'cpu'))
  describe.skipIf(!here)(`a T5 on ${backend}`, () => {
    let model: T5Model;
    beforeAll(async () => {
      await use(backend);
      model = init(CONFIG, { seed: 1 });
    });
    afterAll(() => model?.dispose());

    it('a batch of rows costs what its rows cost one by one, with and without weights', () => {
      for (const weights of [undefined, WEIGHTS]) {
        const whole = plain(model, { ids: IDS, labels: LABELS, weights });
        const single = IDS.map((ids, b) => plain(model, { ids: [ids], labels: [LABELS[b]!], weights: weights && [weights[b]!] }));
        expect(relative([whole.numerator], [sum(single.map(s => s.numerator))])).toBeLessThan(1e-6);
        expect(whole.denominator).toBeCloseTo(sum(single.map(s => s.denominator)), 9);
        whole.gradients.forEach((gradient, i) => {
          const total = gradient.map((_, k) => sum(single.map(s => s.gradients[i]![k]!)));
          expect(relative(gradient, total), model.parameters[i]!.name).toBeLessThan(2e-5);
        });
        expect(single[3]).toMatchObject({ numerator: 0, denominator: 0 });
        const { numerator, denominator } = model.lossSum({ ids: IDS, labels: LABELS, weights });
        expect(relative([numerator], [whole.numerator])).toBeLessThan(1e-6);
        expect(denominator).toBeCloseTo(whole.denominator, 9);
      }
    });

    it('losses of tokens are minus the log-probabilities of the labels, NaN where there is none', () => {
      const losses = model.tokenLosses({ ids: IDS, labels: LABELS });
      expect(losses.map(r => r.length)).toEqual(LABELS.map(r => r.length));
      const decoderIds = [[0, 0, ...LABELS[2]!.slice(1, 7), 0]];
      const logits = model.logits({ ids: [IDS[2]!], decoderIds });
      const logp = tf.logSoftmax(logits);
      const values = logp.dataSync();
      LABELS[2]!.forEach((id, t) => {
        if (id === -100) expect(losses[2]![t]).toBeNaN();
        else expect(losses[2]![t]).toBeCloseTo(-values[t * CONFIG.vocabSize + id]!, 4);
      });
      expect(losses[3]).toEqual([Number.NaN, Number.NaN]);
      tf.dispose([logits, logp]);
    });

    it('gets the same logits for rows padded on either side, ragged or alone, and zeros behind a row of the decoder', () => {
      const decoderIds = [[0, 5, 6], [0], [0, 7]];
      const ids = [IDS[0]!, IDS[1]!, IDS[2]!];
      const ragged = model.logits({ ids, decoderIds });
      const left = ids.map(r => [...new Array<number>(15 - r.length).fill(0), ...r]);
      const mask = ids.map(r => [...new Array<number>(15 - r.length).fill(0), ...r.map(() => 1)]);
      const padded = model.logits({ ids: left, attentionMask: mask, decoderIds });
      expect(relative(padded.dataSync(), ragged.dataSync())).toBeLessThan(1e-6);
      const alone = model.logits({ ids: [ids[1]!], decoderIds: [decoderIds[1]!] });
      const size = CONFIG.vocabSize;
      expect(relative(alone.dataSync(), ragged.dataSync().slice(3 * size, 4 * size))).toBeLessThan(1e-5);
      expect([...ragged.dataSync().slice(4 * size, 6 * size)].every(x => x === 0)).toBe(true);
      tf.dispose([ragged, padded, alone]);
    });

    it('keeps the distances over padding in the midst of a row', () => {
      const decoderIds = [[0, 5]];
      const masked = (inner: number) =>
        model.logits({ ids: [[4, inner, inner, 9, 11]], attentionMask: [[1, 0, 0, 1, 1]], decoderIds });
      const [a, b, close] = [masked(3), masked(17), model.logits({ ids: [[4, 9, 11]], decoderIds })];
      expect(relative(a.dataSync(), b.dataSync())).toBeLessThan(1e-6);
      expect(relative(a.dataSync(), close.dataSync())).toBeGreaterThan(1e-3);
      tf.dispose([a, b, close]);
    });

    it('generates for every row what it generates alone, new tokens only', async () => {
      const options = { maxNewTokens: 40, temperature: 0.7, seed: [1, 2, 3, 4], stopIds: [6] };
      const { ids, finish, newTokens } = await model.generate(IDS, options);
      expect(ids.map(r => r.length)).toEqual(newTokens);
      for (const [b, prompt] of IDS.entries()) {
        const alone = await model.generate([prompt], { ...options, seed: [options.seed[b]!] });
        expect(alone.ids[0]).toEqual(ids[b]);
      }
      expect(new Set(finish)).toEqual(new Set(['stop', 'length']));
      expect(Math.max(...newTokens)).toBe(40);
    });

    it('takes rows in and lets them go while others are on their way', () => {
      const tokens = [0, 1, 2].map(() => row(20));
      const logitsOf = (b: number, time: number) => {
        const logits = model.logits({ ids: [IDS[b]!], decoderIds: [[0, ...tokens[b]!.slice(0, time)]] });
        const values = logits.dataSync().slice(-CONFIG.vocabSize);
        logits.dispose();
        return values;
      };
      const stepper = model.stepper();
      const check = (logits: tf.Tensor2D, rows: [number, number][]) => {
        const values = logits.dataSync();
        rows.forEach(([b, time], i) => {
          const ours = values.slice(i * CONFIG.vocabSize, (i + 1) * CONFIG.vocabSize);
          expect(relative(ours, logitsOf(b, time)), `row ${b} at ${time}`).toBeLessThan(2e-5);
        });
        logits.dispose();
      };
      check(stepper.admit([IDS[0]!]), [[0, 0]]);
      check(stepper.advance([tokens[0]![0]!]), [[0, 1]]);
      check(stepper.admit([IDS[2]!, IDS[1]!]), [
        [2, 0],
        [1, 0],
      ]);
      check(stepper.advance([tokens[0]![1]!, tokens[2]![0]!, tokens[1]![0]!]), [
        [0, 2],
        [2, 1],
        [1, 1],
      ]);
      stepper.select([2, 1, 1]);
      expect(stepper.rows).toBe(3);
      check(stepper.advance([tokens[1]![1]!, tokens[2]![1]!, tokens[2]![1]!]), [
        [1, 2],
        [2, 2],
        [2, 2],
      ]);
      stepper.select([0]);
      for (let t = 2; t < 12; t++) check(stepper.advance([tokens[1]![t]!]), [[1, t + 1]]);
      expect(() => stepper.advance([1, 2])).toThrow(BadInput);
      expect(() => stepper.select([1])).toThrow(BadInput);
      stepper.dispose();
    });

    it('leaves nothing behind', async () => {
      const batch = { ids: IDS, labels: LABELS };
      expect(await leftBehind(() => plain(model, batch))).toEqual(NOTHING);
      expect(await leftBehind(() => model.tokenLosses(batch))).toEqual(NOTHING);
      expect(await leftBehind(() => model.logits({ ids: IDS, decoderIds: IDS }).dispose())).toEqual(NOTHING);
      expect(await leftBehind(() => model.generate(IDS, { maxNewTokens: 3 }))).toEqual(NOTHING);
      const bad = { ids: [[1], [99]], decoderIds: [[0], [0]] };
      expect(await leftBehind(() => expect(() => model.logits(bad)).toThrow(BadInput))).toEqual(NOTHING);
    });

    it('says what is wrong with its input', async () => {
      const logits = (input: object) => () => model.logits(input as { ids: number[][] });
      const loss = (batch: object) => () => model.lossAndGradients(batch as T5TrainBatch);
      expect(logits({ ids: [[1]] })).toThrow(/decoderIds/);
      expect(logits({ ids: [[1]], decoderIds: [] })).toThrow(/decoderIds/);
      expect(logits({ ids: [[1], [2]], decoderIds: [[0]] })).toThrow(/one row of decoderIds for every row/);
      expect(logits({ ids: [[1]], decoderIds: [[]] })).toThrow(/start token/);
      expect(logits({ ids: [], decoderIds: [] })).toThrow(/no rows/);
      expect(logits({ ids: [[]], decoderIds: [[0]] })).toThrow(/no tokens/);
      expect(logits({ ids: [[1, 40]], decoderIds: [[0]] })).toThrow(/from 0 to 39, found 40/);
      expect(logits({ ids: [[1]], decoderIds: [[0, -1]] })).toThrow(/decoderIds/);
      expect(logits({ ids: [[1.5]], decoderIds: [[0]] })).toThrow(/position 0/);
      expect(logits({ ids: [[1, 2]], attentionMask: [[1]], decoderIds: [[0]] })).toThrow(/attention mask/);
      expect(logits({ ids: [[1, 2]], attentionMask: [[0, 0]], decoderIds: [[0]] })).toThrow(/no tokens/);
      expect(logits({ ids: [[1]], decoderIds: [[0]], segmentIds: [[1]] })).toThrow(/Packed/);
      expect(loss({ ids: [[1]] })).toThrow(/labels/);
      expect(loss({ ids: [[1]], labels: [[40]] })).toThrow(/position 0/);
      expect(loss({ ids: [[1]], labels: [[4, 5]], weights: [[1]] })).toThrow(/weight/);
      expect(() => model.tokenLosses({ ids: [[1]] })).toThrow(/labels/);
      await expect(model.generate([[1, 3, 2]], { attentionMask: [[1, 0, 1]] })).rejects.toThrow(/midst/);
      await expect(model.generate([[]])).rejects.toThrow(/no tokens/);
      await expect(model.generate([[1]], { signal: AbortSignal.abort() })).rejects.toThrow(Interrupted);
    });
  });

for (const { backend, here } of await usable('native', 'wasm'))
  describe.skipIf(!here)(`training and files of a T5 on ${backend}`, () => {
    beforeAll(() => use(backend));

    it('learns from scratch to say a row backwards', async () => {
      const draw = new Random('backwards');
      const rows = Array.from({ length: 64 }, () => {
        const ids = Array.from({ length: 2 + draw.int(3) }, () => 2 + draw.int(10));
        return { ids: [...ids, 1], labels: [...ids.reverse(), 1] };
      });
      const model = init(
        { ...CONFIG, vocabSize: 12, hiddenSize: 32, headDim: 8, numAttentionHeads: 4, intermediateSize: 64 },
        { seed: 2 },
      );
      const run = sft({ model, rows, batchSize: 16, steps: 100, learningRate: 1e-2, schedule: 'linear', seed: 1 });
      const { loss } = await run.finish();
      expect(loss[0]).toBeGreaterThan(2);
      expect(loss.at(-1)).toBeLessThan(0.2);
      const { ids } = await model.generate(
        rows.map(r => r.ids),
        { maxNewTokens: 8 },
      );
      // Before it has learned it says none of the 64; how many after a hundred steps is the processor's rounding, too.
      expect(ids.filter((said, i) => said.join() === rows[i]!.labels.join()).length).toBeGreaterThan(48);
      model.dispose();
    });

    it('counts the tokens of both sides, and the first label', async () => {
      const model = init(CONFIG);
      const rows = [
        { ids: [5, 6, 1], labels: [7] },
        { ids: [4], labels: [-100, 8, 9, 1, -100] },
      ];
      const run = sft({ model, rows, batchSize: 2, steps: 1 });
      await run.finish();
      expect(run.history).toMatchObject({ tokens: [10], labelTokens: [4] });
      expect(run.history.padding[0]).toBeCloseTo(1 - 10 / (6 + 10), 9);
      model.dispose();
    });

    it('refuses packs', () => {
      const model = init(CONFIG);
      expect(() => sft({ model, rows: [{ ids: [1], labels: [1] }], packing: { length: 8 } })).toThrow(/packed/);
      expect(() => sft({ model, rows: [{ ids: [1], labels: [1, 2], weights: [1] }] })).toThrow(/2 labels but 1 weights/);
      model.dispose();
    });

    it('takes LoRA on every linear module, and trains nothing else', () => {
      const model = init(CONFIG, { seed: 1 });
      const before = plain(model, { ids: IDS, labels: LABELS });
      expect(model.linearModules().map(({ module }) => module)).toContain('decoder.block.0.layer.1.EncDecAttention.k');
      const adapter = model.attach(lora({ rank: 2, targets: 'all-linear' }));
      // B begins at zero: nothing changes yet.
      const after = plain(model, { ids: IDS, labels: LABELS });
      expect(relative([after.numerator], [before.numerator])).toBeLessThan(1e-6);
      expect(after.gradients.length).toBe(adapter.parameters.length);
      expect(adapter.parameters.length).toBe(2 * model.linearModules().length);
      expect(after.gradients.filter(g => g.some(x => x !== 0)).length).toBe(model.linearModules().length);
      model.dispose();
    });

    it('is saved as it is loaded', async () => {
      const dir = await mkdtemp(join(tmpdir(), 'tunebook-t5-'));
      try {
        for (const tieWordEmbeddings of [true, false]) {
          const model = init({ ...CONFIG, tieWordEmbeddings, feedForwardProj: 'relu', eosTokenIds: [1, 2] }, { seed: 3 });
          await model.save(dir);
          const again = (await load(dir)) as T5Model;
          expect(again).toBeInstanceOf(T5Model);
          expect(again.config).toEqual(model.config);
          const [a, b] = [model, again].map(m => m.logits({ ids: IDS, decoderIds: IDS }));
          expect([...b!.dataSync()]).toEqual([...a!.dataSync()]);
          tf.dispose([a!, b!]);
          model.dispose();
          again.dispose();
        }
      } finally {
        await rm(dir, { recursive: true });
      }
    });

    it('finds out from the file whether the head is a matrix of its own', async () => {
      const dir = await mkdtemp(join(tmpdir(), 'tunebook-t5-'));
      try {
        const untied = init({ ...CONFIG, tieWordEmbeddings: false }, { seed: 3 });
        await untied.save(dir);
        const file = join(dir, 'config.json');
        const config = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
        // As transformers 5 writes it.
        await writeFile(file, JSON.stringify({ ...config, tie_word_embeddings: true }));
        const own = (await load(dir)) as T5Model;
        expect(own.config).toMatchObject({ tieWordEmbeddings: false, scaleDecoderOutputs: false });
        own.dispose();
        // A copy of the embedding is no head of its own.
        const shared = untied.parameter('shared.weight').read();
        untied.parameter('lm_head.weight').write(shared);
        shared.dispose();
        await untied.save(dir);
        await writeFile(file, JSON.stringify({ ...config, tie_word_embeddings: true }));
        const tied = (await load(dir)) as T5Model;
        expect(tied.config.tieWordEmbeddings).toBe(true);
        expect(tied.parameters.length).toBe(untied.parameters.length - 1);
        tied.dispose();
        untied.dispose();
      } finally {
        await rm(dir, { recursive: true });
      }
    });

    it('lists weights that are missing', async () => {
      const dir = await mkdtemp(join(tmpdir(), 'tunebook-t5-'));
      try {
        const config = JSON.parse(await readFile(join(t5Fixture('t5-plain'), 'config.json'), 'utf8')) as Record<string, unknown>;
        await writeFile(
          join(dir, 'config.json'),
          JSON.stringify({ ...config, num_decoder_layers: 3, tie_word_embeddings: false }),
        );
        await writeFile(join(dir, 'model.safetensors'), await readFile(join(t5Fixture('t5-plain'), 'model.safetensors')));
        await expect(load(dir)).rejects.toThrow(/missing: decoder\.block\.2\..*lm_head\.weight/s);
      } finally {
        await rm(dir, { recursive: true });
      }
    });
  });

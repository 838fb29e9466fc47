import * as tf from '@tensorflow/tfjs-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { memory, use } from '../../../../src/base/backend/index.js';
import { BadInput, Random } from '../../../../src/base/core/index.js';
import { ia3, init, loadAdapter, lora, type Model } from '../../../../src/learn/models/index.js';
import { adamw } from '../../../../src/learn/train/index.js';
import { usable } from '../../../helpers/backends.js';
import { leftBehind, NOTHING } from '../../../helpers/leak.js';
import { relative } from '../fixtures.js';
import { adapterFolder, base, logits } from './fixtures.js';

const ids = [
  [5, 17, 3, 40, 22],
  [33, 8, 60],
];
const batch = { ids, labels: ids.map(row => [-100, -100, ...row.slice(2)]) };

for (const { backend, here } of await usable('native', 'wasm'))
  describe.skipIf(!here)(`adapters on ${backend}`, () => {
    let model: Model;
    const now = () => logits(model, { ids, decoderIds: null });
    const gradients = (seed?: number) => {
      const { numerator, gradients } = model.lossAndGradients(batch, { seed });
      const values = [numerator, ...gradients].map(t => [...t.dataSync()]);
      tf.dispose([numerator, ...gradients]);
      return values;
    };

    beforeAll(async () => {
      await use(backend);
      model = await base('llama');
    });
    afterEach(() => {
      for (const name of [...model.adapters.keys()]) model.detach(name);
    });
    afterAll(() => model?.dispose());

    it('begin as what the model was, seeded, with A within ±1/√in', () => {
      const before = now();
      const adapter = model.attach(lora({ rank: 4, targets: 'all-linear', seed: 7 }));
      expect(relative(now(), before)).toBeLessThan(1e-6);
      const down = model.parameter('model.layers.1.mlp.down_proj.lora_A.default.weight');
      expect(down.shape).toEqual([4, 40]);
      const values = tf.tidy(() => [...down.read().dataSync()]);
      const most = Math.max(...values.map(Math.abs));
      expect(most).toBeLessThan(1 / Math.sqrt(40));
      expect(most).toBeGreaterThan(0.8 / Math.sqrt(40));
      expect(adapter.parameters).toHaveLength(2 * 2 * 7);
      model.detach('default');
      model.attach(lora({ rank: 4, targets: 'all-linear', seed: 7 }));
      expect(tf.tidy(() => [...model.parameter(down.name).read().dataSync()])).toEqual(values);
    });

    it('two in use add up, and one is switched for the other', async () => {
      const plain = now();
      await loadAdapter(model, adapterFolder('lora'), { name: 'one' });
      const one = now();
      await loadAdapter(model, adapterFolder('layers'), { name: 'two' });
      const two = now();
      expect(relative(one, two)).toBeGreaterThan(0.1);
      model.use('one');
      expect(now()).toEqual(one);
      model.use(['one', 'two']);
      const both = now();
      // Merged, each is a change of weights: both together are the sum of the changes.
      model.use('two');
      model.merge('one');
      expect(relative(now(), both)).toBeLessThan(2e-5);
      model.unmerge();
      model.use(['two', 'one']);
      expect(relative(now(), both)).toBeLessThan(1e-5);
      model.use(undefined);
      expect(now()).toEqual(plain);
    });

    it('train with nothing for the base: no gradient, no optimizer state, and it stays as it is', () => {
      const adapter = model.attach(lora({ rank: 2 }));
      const before = model.baseParameters.map(p => tf.tidy(() => p.read().dataSync().slice()));
      const trained = model.parameters.filter(p => p.trainable);
      expect(trained).toEqual(adapter.parameters);
      const optimizer = adamw();
      const held = memory().bytes;
      const state = optimizer.init(trained);
      const small = trained.reduce((sum, p) => sum + p.bytes, 0);
      // Two moments of the adapter's size; handles of variables count a few bytes each.
      expect(memory().bytes - held).toBeLessThanOrEqual(2 * small + 64 * trained.length);
      const { numerator, denominator, gradients } = model.lossAndGradients(batch);
      expect(gradients.map(g => g.shape)).toEqual(trained.map(p => [...p.shape]));
      optimizer.step(trained, gradients, state, { scale: 1 / denominator, learningRate: 0.1 });
      numerator.dispose();
      for (const slots of Object.values(state.slots)) for (const slot of slots) slot.dispose();
      model.baseParameters.forEach((p, i) => {
        expect(tf.tidy(() => p.read().dataSync())).toEqual(before[i]);
      });
      const b = model.parameter('model.layers.0.self_attn.v_proj.lora_B.default.weight');
      expect(tf.tidy(() => b.read().dataSync()).some(value => value !== 0)).toBe(true);
    });

    it.each([
      ['lora', () => lora({ rank: 4, alpha: 8, targets: 'all-linear', dropout: 0.3 })],
      ['dora', () => lora({ rank: 4, alpha: 8, dora: true, dropout: 0.3, bias: 'lora_only' })],
      ['ia3', () => ia3()],
      ['embeddings', () => lora({ targets: ['embed_tokens', 'lm_head'], modulesToSave: ['model.norm'], dora: true })],
    ])('%s leaves no tensor behind', async (_, spec) => {
      const left = await leftBehind(() => {
        model.attach(spec());
        gradients(3);
        now();
        model.merge();
        now();
        model.unmerge();
        model.detach('default');
      });
      expect(left).toEqual(NOTHING);
    });

    it.each([false, true])('dropout is seeded, in training only, and right on average (DoRA: %s)', dora => {
      model.attach(lora({ rank: 4, alpha: 8, targets: ['q_proj', 'down_proj'], dropout: 0.5, dora, init: 'gaussian' }));
      for (const parameter of model.adapters.get('default')!.parameters)
        if (parameter.name.includes('lora_B'))
          tf.tidy(() => parameter.write(tf.randomNormal([...parameter.shape], 0, 0.02, 'float32', 5)));
      const loss = (seed?: number) => gradients(seed)[0]![0]!;
      const plain = loss();
      expect(loss()).toBe(plain);
      expect(gradients(11)).toEqual(gradients(11));
      expect(loss(11)).not.toBe(loss(12));
      const evaluated = model.lossSum(batch).numerator;
      expect(Math.abs(evaluated / plain - 1)).toBeLessThan(1e-5);
      // The mean over seeds: a small update moves the loss nearly linearly.
      const seeds = Array.from({ length: 60 }, (_, seed) => loss(seed));
      const mean = seeds.reduce((a, b) => a + b) / seeds.length;
      const deviation = Math.sqrt(seeds.reduce((sum, x) => sum + (x - mean) ** 2, 0) / seeds.length);
      if (!dora) expect(Math.abs(mean - plain)).toBeLessThan(4 * (deviation / Math.sqrt(60)) + 0.02 * Math.abs(plain));
    });

    it.each([false, true])('with dropout the gradient is the slope, measured (DoRA: %s)', dora => {
      model.attach(lora({ rank: 4, alpha: 8, dropout: 0.4, dora, bias: 'lora_only' }));
      const { parameters } = model.adapters.get('default')!;
      for (const parameter of parameters)
        if (parameter.name.includes('lora_B'))
          tf.tidy(() => parameter.write(tf.randomNormal([...parameter.shape], 0, 0.3, 'float32', 5)));
      const [, ...slopes] = gradients(9);
      // Lengths count as constants in DoRA's gradient: measured by its magnitudes and biases alone.
      parameters.forEach((parameter, i) => {
        if (dora && parameter.name.includes('.lora_') && !parameter.name.includes('magnitude')) return;
        const value = parameter.read();
        const sum = (t: number) => {
          tf.tidy(() => parameter.write(tf.add(value, tf.mul(direction, t))));
          return gradients(9)[0]![0]!;
        };
        const direction = tf.randomNormal([...parameter.shape], 0, 1, 'float32', i);
        const expectedSlope = slopes[i]!.reduce((s, g, j) => s + g * direction.dataSync()[j]!, 0);
        const step = 2e-3;
        const measured = (sum(step) - sum(-step)) / (2 * step);
        parameter.write(value);
        const size = Math.sqrt(slopes[i]!.reduce((s, g) => s + g * g, 0) * direction.size);
        expect(Math.abs(measured - expectedSlope), parameter.name).toBeLessThan(0.02 * size + 0.02);
        tf.dispose([value, direction]);
      });
    });

    it.each(['dora', 'embedding', 'saved', 'ia3'])('generation goes through the adapter (%s)', async name => {
      await loadAdapter(model, adapterFolder(name));
      const prompts = [
        [5, 17, 3],
        [33, 8, 60, 2, 9],
      ];
      const ours = await model.generate(prompts, { maxNewTokens: 6, stopIds: [] });
      for (const [b, prompt] of prompts.entries()) {
        const row = [...prompt];
        for (let i = 0; i < 6; i++) {
          const all = logits(model, { ids: [row], decoderIds: null });
          const last = all.subarray(all.length - 61);
          row.push(last.indexOf(Math.max(...last)));
        }
        expect(ours.ids[b]).toEqual(row);
      }
    });

    it('are written so that PEFT can place them: a pattern that names other modules too becomes names', () => {
      const targets = (spec: ReturnType<typeof lora>) => {
        const { config } = model.attach(spec).toPeft();
        model.detach('default');
        return config.target_modules;
      };
      expect(targets(lora({ targets: /.*self_attn\.q_proj/ }))).toBe('.*self_attn\\.q_proj');
      expect(targets(lora({ targets: /.*layers\.1\.self_attn.*/ }))).toEqual(
        ['q', 'k', 'v', 'o'].map(letter => `model.layers.1.self_attn.${letter}_proj`),
      );
      expect(targets(lora({ targets: ['q_proj'] }))).toEqual(['q_proj']);
    });

    it('say what they cannot do', () => {
      expect(() => model.attach(lora({ targets: ['query'] }))).toThrow(/q_proj, k_proj/);
      expect(() => model.attach(lora({ targets: 'q_proj' }))).toThrow(/as a list/);
      expect(() => lora({ rank: 0 })).toThrow(BadInput);
      expect(() => lora({ rank: 1e9 })).toThrow(/from 1 to 65536/);
      expect(() => model.attach({} as never)).toThrow(/no adapter.*models\.lora/);
      expect(() => lora({ dropout: 1 })).toThrow(BadInput);
      expect(() => lora({ r: 4 } as object)).toThrow(/no such option/);
      expect(() => lora({ targets: 'all-linear', layers: 1 })).toThrow(BadInput);
      expect(() => model.attach(lora({ modulesToSave: ['nothing'] }))).toThrow(/nothing/);
      expect(() => model.attach(lora({ trainTokens: [61] }))).toThrow(/resizeVocabulary/);
      expect(() => lora({ trainTokens: 5 as never })).toThrow(/list of token ids/);
      const twice = { trainTokens: [4], modulesToSave: ['embed_tokens'] };
      expect(() => model.attach(lora(twice))).toThrow(/single rows of a weight that it changes as a whole/);
      expect(() => ia3({ rank: 3 } as object)).toThrow(/no such option/);
      expect(model.adapters.size).toBe(0);
      expect(model.baseParameters.every(p => p.trainable)).toBe(true);
    });

    it('refuse what PEFT would not compute: the shared embedding of T5, experts as a whole', async () => {
      const t5 = await base('t5');
      expect(() => t5.attach(lora({ targets: ['shared', 'q'] }))).toThrow(/no effect in PEFT/);
      expect(() => t5.attach(lora({ modulesToSave: ['shared'] }))).toThrow(/no effect in PEFT/);
      expect(() => t5.attach(ia3({ modulesToSave: ['shared'] }))).toThrow(/no effect in PEFT/);
      t5.dispose();
      const mixtral = init({ modelType: 'mixtral', vocabSize: 16, hiddenSize: 8, intermediateSize: 8, numHiddenLayers: 1 });
      expect(() => mixtral.attach(lora({ modulesToSave: ['experts'] }))).toThrow(/Experts cannot be trained/);
      const { parameters } = mixtral.attach(lora({ modulesToSave: ['gate'] }));
      expect(parameters.at(-1)!.name).toBe('model.layers.0.block_sparse_moe.gate.modules_to_save.default.weight');
      const files = mixtral.adapters
        .get('default')!
        .toPeft()
        .tensors.map(({ name }) => name);
      expect(files).toContain('base_model.model.model.layers.0.mlp.gate.weight');
      mixtral.dispose();
    });

    it('on embedding and head: generation computes these once, says what the merged model says, and leaves nothing behind', async () => {
      for (const options of [{ trainTokens: [7, 12] }, { targets: ['embed_tokens', 'lm_head', 'q_proj'] }]) {
        const own = await base('llama');
        const adapter = own.attach(lora({ rank: 2, ...options }));
        const random = new Random(3);
        for (const parameter of adapter.parameters) {
          const values = Float32Array.from({ length: parameter.size }, () => random.normal() * 0.5);
          tf.tidy(() => parameter.write(tf.tensor(values, [...parameter.shape])));
        }
        const ask = () => own.generate([[3, 7, 12, 5], [9]], { maxNewTokens: 8, stopIds: [] });
        const left = await leftBehind(ask);
        expect(left).toEqual(NOTHING);
        const { ids } = await ask();
        own.merge();
        expect((await ask()).ids).toEqual(ids);
        own.dispose();
      }
    });

    it('stand on a model from scratch by the defaults of its family', () => {
      const scratch = init('nano', { vocabSize: 64 });
      const names = scratch.attach(lora()).parameters.map(p => p.name);
      expect(names.every(name => /\.(q|v)_proj\.lora_[AB]\.default\.weight$/.test(name))).toBe(true);
      scratch.dispose();
    });
  });

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { use } from '../../../../src/base/backend/index.js';
import { loadAdapter, type Model, resizeVocabulary, saveAdapter } from '../../../../src/learn/models/index.js';
import { adamw } from '../../../../src/learn/train/index.js';
import { usable } from '../../../helpers/backends.js';
import { relative } from '../fixtures.js';
import { adapterFolder, base, type Expected, expected, fileNames, logits, tensors } from './fixtures.js';

const LIMIT = { native: 1e-5, wasm: 1e-4 } as const;
const ADAPTERS = [
  'lora rslora dora regex all-linear layers saved bias bias-dora embedding embedding-dora ia3',
  't5-lora t5-all-linear t5-ia3 tied-embedding tied-head gpt2-lora gpt2-dora gpt2-ia3 gpt2-embedding phi3-lora gemma3-lora',
  'tokens-tied tokens-apart tokens-untied tokens-gemma3 tokens-gpt2 tokens-t5',
]
  .join(' ')
  .split(' ');
/** Embedding and head share a matrix that only one of them has changed: there is nothing to merge into. */
const UNMERGED = ['tied-embedding', 'tied-head', 'gpt2-embedding', 'gemma3-lora', 'tokens-apart'];

for (const { backend, here } of await usable('native', 'wasm'))
  describe.skipIf(!here).each(ADAPTERS)(`%s on ${backend} against PEFT`, name => {
    const limit = LIMIT[backend as keyof typeof LIMIT];
    let model: Model;
    let want: Expected;
    let values: Map<string, Float32Array>;

    beforeAll(async () => {
      await use(backend);
      want = await expected(name);
      values = await tensors(name);
      model = await base(want.base);
    });
    afterEach(() => {
      if (model.adapters.size > 0) model.detach('default');
    });
    afterAll(() => model?.dispose());

    it('logits with the adapter, without it, merged and unmerged', async () => {
      expect(relative(logits(model, want), values.get('base')!)).toBeLessThan(limit);
      const bytes = model.baseParameters.map(p => tf.tidy(() => p.read().dataSync().slice()));
      const adapter = await loadAdapter(model, adapterFolder(name));
      const merged = values.get('merged');
      const withAdapter = logits(model, want);
      expect(relative(withAdapter, values.get('logits')!)).toBeLessThan(limit);
      model.use(undefined);
      expect(relative(logits(model, want), values.get('base')!)).toBeLessThan(limit);
      model.use('default');
      if (UNMERGED.includes(name)) {
        expect(() => model.merge()).toThrow(/share/);
        expect(merged).toBeUndefined();
      } else {
        model.merge();
        expect(relative(logits(model, want), merged!)).toBeLessThan(2 * limit);
        model.unmerge();
      }
      model.baseParameters.forEach((p, i) => {
        expect(tf.tidy(() => p.read().dataSync())).toEqual(bytes[i]);
      });
      expect(logits(model, want)).toEqual(withAdapter);
      expect(adapter.parameters.every(({ name }) => !name.startsWith('base_model'))).toBe(true);
    });

    it('gradients of the adapter and of nothing else', async () => {
      const adapter = await loadAdapter(model, adapterFolder(name));
      const trained = model.parameters.filter(p => p.trainable);
      expect(trained).toEqual(adapter.parameters);
      const files = fileNames(adapter);
      const { numerator, denominator, gradients } = model.lossAndGradients(want.batches[0]!);
      expect(denominator).toBe(want.first.denominator);
      expect(relative(numerator.dataSync(), [want.first.numerator])).toBeLessThan(limit);
      const ofFile = [...values.keys()].filter(key => key.startsWith('gradient.'));
      expect(gradients.length).toBe(ofFile.length);
      trained.forEach((parameter, i) => {
        const theirs = values.get(`gradient.base_model.model.${files.get(parameter.name)!.slice('base_model.model.'.length)}`);
        expect(theirs, parameter.name).toBeDefined();
        expect(relative(gradients[i]!.dataSync(), theirs!), parameter.name).toBeLessThan(5 * limit);
      });
      tf.dispose([numerator, ...gradients]);
    });

    it('three steps of AdamW', async () => {
      const adapter = await loadAdapter(model, adapterFolder(name));
      const { lr, betas, eps, weight_decay, clip } = want.optimizer;
      const optimizer = adamw({ betas, eps, weightDecay: weight_decay });
      const state = optimizer.init(adapter.parameters);
      want.batches.forEach((batch, i) => {
        const { numerator, denominator, gradients } = model.lossAndGradients(batch);
        const squares = gradients.map(g => tf.tidy(() => tf.sum(tf.square(g)).dataSync()[0]!));
        const norm = Math.sqrt(squares.reduce((a, b) => a + b)) / denominator;
        expect(Math.abs(numerator.dataSync()[0]! / denominator / want.steps[i]!.loss - 1)).toBeLessThan(1e-4);
        expect(Math.abs(norm / want.steps[i]!.gradNorm - 1)).toBeLessThan(1e-3);
        numerator.dispose();
        optimizer.step(adapter.parameters, gradients, state, {
          scale: Math.min(1, clip / (norm + 1e-6)) / denominator,
          learningRate: lr,
        });
      });
      for (const slots of Object.values(state.slots)) for (const slot of slots) slot.dispose();
      const files = fileNames(adapter);
      for (const parameter of adapter.parameters) {
        const value = parameter.read();
        expect(relative(value.dataSync(), values.get(`after.${files.get(parameter.name)}`)!), parameter.name).toBeLessThan(1e-3);
        value.dispose();
      }
    });

    it('is saved as PEFT saves it, byte by byte', async () => {
      await loadAdapter(model, adapterFolder(name));
      const dir = await mkdtemp(join(tmpdir(), 'tunebook-peft-'));
      try {
        await saveAdapter(model, dir);
        const [ours, theirs] = await Promise.all(
          [dir, adapterFolder(name)].map(at => readFile(join(at, 'adapter_model.safetensors'))),
        );
        expect(ours!.equals(theirs!)).toBe(true);
        const [our, their] = await Promise.all(
          [dir, adapterFolder(name)].map(async at => JSON.parse(await readFile(join(at, 'adapter_config.json'), 'utf8'))),
        );
        // A set to PEFT; the fixture's is sorted.
        if (Array.isArray(our.target_modules)) our.target_modules.sort();
        expect(our).toEqual(their);
      } finally {
        await rm(dir, { recursive: true });
      }
    });
  });

describe('an adapter of a base that got new tokens in Python, which brings the whole embedding', () => {
  beforeAll(() => use('cpu'));

  it.each(['resized', 'resized-tokens', 'resized-saved'])('%s: loads when the model has rows for them', async name => {
    const { ids, logits: theirs } = JSON.parse(await readFile(join(adapterFolder(name), 'expected.json'), 'utf8'));
    const model = await base('tied');
    await expect(loadAdapter(model, adapterFolder(name))).rejects.toThrow(/resize/);
    resizeVocabulary(model, 63);
    await loadAdapter(model, adapterFolder(name));
    expect(relative(logits(model, { ids, decoderIds: null }), theirs)).toBeLessThan(1e-5);
    model.dispose();
  });

  it('and is refused where the other rows are not those of its base', async () => {
    const model = await base('tied');
    resizeVocabulary(model, 63);
    const weight = model.parameter('model.embed_tokens.weight');
    tf.tidy(() => weight.write(tf.mul(weight.read(), 1.5)));
    const before = tf.tidy(() => weight.read().dataSync().slice());
    await expect(loadAdapter(model, adapterFolder('resized'))).rejects.toThrow(/base weight of its own.*another row 0/s);
    expect(tf.tidy(() => weight.read().dataSync())).toEqual(before);
    expect(model.adapters.size).toBe(0);
    model.dispose();
  });
});

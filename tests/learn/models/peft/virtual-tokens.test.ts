import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { use } from '../../../../src/base/backend/index.js';
import { init, load, type Model } from '../../../../src/learn/models/index.js';
import { PeftConfig } from '../../../../src/learn/models/peft/format.js';
import { prefixFormat, prefixTuning } from '../../../../src/learn/models/peft/prefix.js';
import { promptFormat, promptTuning } from '../../../../src/learn/models/peft/prompt.js';
import { Tokenizer } from '../../../../src/prepare/tokens/index.js';
import { leftBehind, NOTHING } from '../../../helpers/leak.js';
import { relative, tensorsOf } from '../fixtures.js';

const FIXTURES = fileURLToPath(new URL('./fixtures/prompts', import.meta.url));
const read = (parameter: { read(): tf.Tensor }) => tf.tidy(() => parameter.read().dataSync<'float32'>().slice());
const std = (values: Float32Array) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);
const nano = () => init('nano', { vocabSize: 50, maxPositionEmbeddings: 64, seed: 1 });

let model: Model | undefined;
beforeAll(() => use('cpu'));
afterEach(() => {
  model?.dispose();
  model = undefined;
});

describe('promptTuning', () => {
  it.each(['llama', 'gpt2', 'gemma3'])('begins on %s with the values PEFT reads from a text', async base => {
    const tokenizer = await Tokenizer.fromFile(`${FIXTURES}/text-init`);
    const expected = await tensorsOf(`${FIXTURES}/text-init/expected.safetensors`);
    model = await load(`${FIXTURES}/${base}`);
    const mine = [...expected.keys()].filter(key => key.startsWith(`${base}: `));
    expect(mine).toHaveLength(2);
    for (const key of mine) {
      const text = key.slice(base.length + 2);
      const { parameters } = model.attach(promptTuning({ virtualTokens: 7, init: { text, tokenizer } }), { name: 'a' });
      expect(parameters.map(p => [p.name, p.shape])).toEqual([['prompt_encoder.a.embedding.weight', [7, 24]]]);
      expect(relative(read(parameters[0]!), expected.get(key)!)).toBeLessThan(1e-6);
      model.detach('a');
    }
  });

  it('begins at random as wide as the embeddings, or with tokens of the vocabulary; equal seeds are equal', () => {
    model = nano();
    const first = (options: object) => {
      const values = read(model!.attach(promptTuning({ virtualTokens: 20, ...options })).parameters[0]!);
      model!.detach('default');
      return values;
    };
    const table = read(model.parameter('model.embed_tokens.weight'));
    expect(std(first({})) / std(table)).toBeCloseTo(1, 1);
    expect(first({ seed: 5 })).toEqual(first({ seed: 5 }));
    expect(first({ seed: 5 })).not.toEqual(first({ seed: 6 }));
    const { hiddenSize } = model.config;
    const rows = (values: Float32Array) =>
      Array.from({ length: values.length / hiddenSize }, (_, i) => values.slice(i * hiddenSize, (i + 1) * hiddenSize).join());
    const known = new Set(rows(table));
    const drawn = rows(first({ init: 'vocabulary' }));
    expect(drawn.every(row => known.has(row))).toBe(true);
    expect(new Set(drawn).size).toBeGreaterThan(5);
  });

  it('takes part in the context', () => {
    model = nano();
    model.attach(promptTuning({ virtualTokens: 8 }));
    const row = (length: number) => [new Array<number>(length).fill(3)];
    model.logits({ ids: row(56) }).dispose();
    expect(() => model!.logits({ ids: row(57) })).toThrow(/56|64/);
    expect(() => model!.attach(promptTuning({ virtualTokens: 64 }), { name: 'b' })).toThrow(/fewer than 64/);
    // A refused adapter leaves the model as it was.
    expect([...model.adapters.keys()]).toEqual(['default']);
  });

  it('says what is wrong', () => {
    model = nano();
    const encoding = (...ids: number[]) => ({ encode: () => ({ ids }) });
    expect(() => promptTuning({ virtualTokens: 0 })).toThrow(/whole number from 1/);
    expect(() => promptTuning({ tokens: 3 } as never)).toThrow(/virtualTokens, init, seed/);
    expect(() => promptTuning({ init: 'text' as never })).toThrow(/tokenizer/);
    expect(() => model!.attach(promptTuning({ init: { text: '', tokenizer: encoding() } }))).toThrow(/no tokens/);
    expect(() => model!.attach(promptTuning({ init: { text: 'a', tokenizer: encoding(50) } }))).toThrow(/ids from 0 to 49/);
    const t5 = { config: { modelType: 't5', hiddenSize: 8 } } as unknown as Model;
    expect(() => promptTuning().build(t5, 'a')).toThrow(/for decoders/);
    expect(() => prefixTuning().build(t5, 'a')).toThrow(/for decoders/);
  });
});

describe('prefixTuning', () => {
  it('has keys and values for every layer, or a network that makes them', () => {
    model = nano();
    const { numHiddenLayers, numKeyValueHeads, headDim } = model.config as never as Record<string, number>;
    const width = numKeyValueHeads! * headDim!;
    const columns = 2 * numHiddenLayers! * width;
    const plain = model.attach(prefixTuning({ virtualTokens: 3 }), { name: 'p' });
    expect(plain.parameters.map(p => p.shape)).toEqual([[3, columns]]);
    const projected = model.attach(prefixTuning({ virtualTokens: 3, prefixProjection: true, encoderHiddenSize: 5 }), {
      name: 'q',
    });
    expect(Object.fromEntries(projected.parameters.map(p => [p.name, p.shape]))).toEqual({
      'prompt_encoder.q.embedding.weight': [3, width],
      'prompt_encoder.q.transform.0.weight': [5, width],
      'prompt_encoder.q.transform.0.bias': [5],
      'prompt_encoder.q.transform.2.weight': [columns, 5],
      'prompt_encoder.q.transform.2.bias': [columns],
    });
    expect(() => prefixTuning({ encoderHiddenSize: 0 })).toThrow(/at least 1/);
  });
});

describe('configurations of prompts and prefixes', () => {
  const good = { num_virtual_tokens: 4, num_transformer_submodules: 1, token_dim: 96, num_layers: 3, modules_to_save: null };

  it.each([
    ['num_virtual_tokens', undefined],
    ['num_virtual_tokens', -1],
    ['num_virtual_tokens', 1e9],
    ['num_virtual_tokens', '4'],
    ['num_transformer_submodules', 2],
    ['token_dim', 95],
    ['token_dim', 'wide'],
    ['num_layers', 99],
    ['modules_to_save', ['lm_head']],
  ])('%s of %s is refused by its name', (key, value) => {
    model = nano();
    for (const format of [promptFormat, prefixFormat]) {
      const attach = (values: object) =>
        model!.attach(format.spec(new PeftConfig({ ...good, ...values }, 'adapter_config.json')));
      const { hiddenSize, numHiddenLayers } = model.config as never as Record<string, number>;
      attach({ token_dim: hiddenSize, num_layers: numHiddenLayers });
      model.detach('default');
      let said = '';
      try {
        attach({ token_dim: hiddenSize, num_layers: numHiddenLayers, [key]: value });
      } catch (error) {
        said = (error as Error).message;
      }
      expect(said).toContain(key);
    }
  });

  it('leaves nothing behind when attached and detached', async () => {
    model = nano();
    const left = await leftBehind(() => {
      for (const spec of [promptTuning(), promptTuning({ init: 'vocabulary' }), prefixTuning({ prefixProjection: true })]) {
        model!.attach(spec);
        model!.detach('default');
      }
    });
    expect(left).toEqual(NOTHING);
  });
});

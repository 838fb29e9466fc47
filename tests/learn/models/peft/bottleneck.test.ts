import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { use } from '../../../../src/base/backend/index.js';
import { init, load, type Model } from '../../../../src/learn/models/index.js';
import { bottleneck, bottleneckFormat } from '../../../../src/learn/models/peft/bottleneck.js';
import { PeftConfig } from '../../../../src/learn/models/peft/format.js';
import { prefixTuning } from '../../../../src/learn/models/peft/prefix.js';
import { promptTuning } from '../../../../src/learn/models/peft/prompt.js';
import type { T5Model } from '../../../../src/learn/models/t5/t5-model.js';

const logits = (model: Model) => {
  const tensor = model.logits({ ids: [[1, 2, 3, 4]] });
  const values = tensor.dataSync<'float32'>().slice();
  tensor.dispose();
  return values;
};

describe('bottleneck', () => {
  beforeAll(() => use('cpu'));

  it('begins as the base, freezes it, and goes as it came', () => {
    const model = init('nano', { vocabSize: 50, seed: 1 });
    const before = logits(model);
    for (const placement of ['houlsby', 'pfeiffer'] as const) {
      const { parameters } = model.attach(bottleneck({ placement }), { name: placement });
      expect(logits(model)).toEqual(before);
      expect(model.parameters.filter(p => p.trainable)).toEqual(parameters);
      // Weights and biases down and up, in one or two places a layer.
      expect(parameters).toHaveLength(
        (placement === 'houlsby' ? 8 : 4) * (model.config as never as { numHiddenLayers: number }).numHiddenLayers,
      );
    }
    model.detach('houlsby');
    model.detach('pfeiffer');
    expect(model.parameters.every(p => p.trainable)).toBe(true);
    model.dispose();
  });

  it('is as wide as told, where told, and named after the module it stands behind', () => {
    const model = init('nano', { vocabSize: 50, seed: 1 });
    const { hiddenSize } = model.config;
    const shapes = (options: object) => {
      const { parameters } = model.attach(bottleneck(options), { name: 'b' });
      const found = Object.fromEntries(parameters.map(p => [p.name, p.shape.join('×')]));
      model.detach('b');
      return found;
    };
    expect(shapes({ placement: 'pfeiffer', layers: [1], size: 3 })).toEqual({
      'model.layers.1.mlp.bottleneck_down.b.weight': `3×${hiddenSize}`,
      'model.layers.1.mlp.bottleneck_down.b.bias': '3',
      'model.layers.1.mlp.bottleneck_up.b.weight': `${hiddenSize}×3`,
      'model.layers.1.mlp.bottleneck_up.b.bias': `${hiddenSize}`,
    });
    expect(shapes({})['model.layers.0.self_attn.bottleneck_down.b.bias']).toBe(`${Math.floor(hiddenSize / 16)}`);
    expect(shapes({ reduction: 1e9 })['model.layers.0.self_attn.bottleneck_down.b.bias']).toBe('1');
    expect(() => model.attach(bottleneck({ layers: [7] }))).toThrow(/no such layer/);
    model.dispose();
  });

  it('knows the sub-layers of every family', () => {
    const kinds = { gpt2: ['attn', 'mlp'], mixtral: ['self_attn', 'block_sparse_moe'], phi3: ['self_attn', 'mlp'] } as const;
    for (const [modelType, parts] of Object.entries(kinds)) {
      const model = init({
        modelType: modelType as keyof typeof kinds,
        vocabSize: 20,
        hiddenSize: 16,
        intermediateSize: 16,
        numHiddenLayers: 2,
        numAttentionHeads: 2,
        ...(modelType === 'mixtral' ? { numExperts: 2, numExpertsPerToken: 1 } : {}),
      });
      const { parameters } = model.attach(bottleneck());
      const modules = new Set(parameters.map(p => p.name.replace(/\.bottleneck_.*/, '')));
      const layer = modelType === 'gpt2' ? 'transformer.h' : 'model.layers';
      expect([...modules].sort()).toEqual([0, 1].flatMap(i => parts.map(part => `${layer}.${i}.${part}`)).sort());
      expect(logits(model).every(Number.isFinite)).toBe(true);
      model.dispose();
    }
  });

  it('stands behind both attentions of an encoder–decoder, whose decoder layers count on', async () => {
    const model = await load(fileURLToPath(new URL('../t5/fixtures/t5-flan', import.meta.url)));
    const run = () => {
      const tensor = (model as T5Model).logits({ ids: [[3, 4, 5]], decoderIds: [[0, 6]] });
      const values = tensor.dataSync<'float32'>().slice();
      tensor.dispose();
      return values;
    };
    const before = run();
    const { numHiddenLayers: encoder, numDecoderLayers: decoder } = model.config as never as Record<string, number>;
    const { parameters } = model.attach(bottleneck(), { name: 'all' });
    expect(parameters).toHaveLength(4 * (2 * encoder! + 3 * decoder!));
    expect(run()).toEqual(before);
    // Every one of them is in the path.
    for (const parameter of parameters.filter(p => p.name.endsWith('bottleneck_up.all.bias'))) {
      const [zeros, some] = [0, 1].map(v => tf.tensor1d(Array.from({ length: parameter.size }, (_, i) => v * (i % 3))));
      parameter.write(some!);
      expect(run(), parameter.name).not.toEqual(before);
      parameter.write(zeros!);
      tf.dispose([zeros!, some!]);
    }
    expect(run()).toEqual(before);
    const first = model.attach(bottleneck({ placement: 'pfeiffer', layers: [encoder!] }), { name: 'first' });
    expect(new Set(first.parameters.map(p => p.name.split('.bottleneck')[0]))).toEqual(
      new Set(['decoder.block.0.layer.2.DenseReluDense']),
    );
    expect(() => model.attach(promptTuning(), { name: 'p' })).toThrow(/for decoders/);
    expect(() => model.attach(prefixTuning(), { name: 'p' })).toThrow(/for decoders/);
    model.dispose();
  });

  it('says what is wrong', () => {
    expect(() => bottleneck({ reduction: 0 })).toThrow(/reduction/);
    expect(() => bottleneck({ size: 2, reduction: 4 })).toThrow(/one width/);
    expect(() => bottleneck({ activation: 'swish' as never })).toThrow(/silu/);
    expect(() => bottleneck({ placement: 'parallel' as never })).toThrow(/houlsby or pfeiffer/);
    expect(() => bottleneck({ layers: [] })).toThrow(/layers/);
    expect(() => bottleneck({ dropout: 0.1 } as never)).toThrow(/no such option/);
    const config = { placement: 'houlsby', bottleneck_size: 4, activation: 'relu', scale: 1 };
    const spec = (values: object) => () => bottleneckFormat.spec(new PeftConfig({ ...config, ...values }, 'adapter_config.json'));
    expect(spec({})).not.toThrow();
    expect(spec({ bottleneck_size: 0 })).toThrow(/bottleneck_size/);
    expect(spec({ activation: ['relu'] })).toThrow(/activation/);
    expect(spec({ layers_to_transform: ['0'] })).toThrow(/layers/);
    expect(spec({ scale: 'one' })).toThrow(/scale/);
  });
});

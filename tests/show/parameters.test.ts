import { describe, expect, it } from 'vitest';
import { setView } from '../../src/base/core/index.js';
import { parameters, toFigure } from '../../src/show/index.js';
import { compileSpec } from '../../src/show/render.js';
import { modelFacts } from './examples.js';

/** 100 base parameters and an adapter of 5. */
const tiny = () => ({
  architecture: 'GPT2LMHeadModel',
  weights: [
    { name: 'transformer.wte.weight', shape: [6, 10], trainable: false },
    { name: 'transformer.h.0.ln_1.weight', shape: [10], trainable: false },
    { name: 'transformer.h.0.attn.c_attn.weight', shape: [3, 10], trainable: false },
    { name: 'transformer.h.0.attn.c_attn.lora_A.a.weight', shape: [5], trainable: true, group: 'a' },
  ],
});

interface Bar {
  label: string;
  series: string;
  size: number;
}

function memoryBars(figure: ReturnType<typeof parameters>): Bar[] {
  const [memory] = figure.spec!.hconcat as { layer: { data: { values: Bar[] } }[] }[];
  return memory!.layer[0]!.data.values;
}

describe('parameters', () => {
  it('counts weights, gradients and optimizer state of what learns', () => {
    const figure = parameters(tiny(), { full: false });
    expect(memoryBars(figure).map(bar => [bar.label, bar.series, bar.size])).toEqual([
      ['a', 'frozen weights', 400],
      ['a', 'trained weights', 20],
      ['a', 'gradients', 20],
      ['a', 'optimizer state', 40],
    ]);
    expect(figure.alt).toBe('5 of 105 parameters learn (4.8 %): 480 B to train.');
    expect(memoryBars(parameters(tiny(), { full: false, optimizer: 'sgd' }))[3]!.size).toBe(0);
    expect(memoryBars(parameters(tiny(), { full: false, optimizer: 3 }))[3]!.size).toBe(60);
  });

  it('sets a frozen base beside training all of it, without the adapters', () => {
    const bars = memoryBars(parameters(tiny()));
    expect(bars.filter(bar => bar.label === 'all of the base').map(bar => bar.size)).toEqual([0, 0.4, 0.4, 0.8]);
    const trained = { weights: tiny().weights.map(weight => ({ ...weight, trainable: true, group: 'base' })) };
    expect(new Set(memoryBars(parameters(trained)).map(bar => bar.label))).toEqual(new Set(['model']));
  });

  it('lists groups and parts of the network in its table', () => {
    const { text, html } = parameters(tiny(), { full: false });
    const lines = text.split('\n').map(line => line.replace(/ {2,}/g, ' | '));
    expect(lines).toContain('base | embeddings | 60 | 57 % | 0 | 0 %');
    expect(lines).toContain('base | norms | 10 | 9.5 % | 0 | 0 %');
    expect(lines).toContain('base | attention | 30 | 29 % | 0 | 0 %');
    expect(lines).toContain('a | attention | 5 | 4.8 % | 5 | 100 %');
    expect(html).toContain('<td dir="auto">embeddings</td>');
  });

  it('knows the parts of every family', () => {
    const names: Record<string, string> = {
      'model.layers.0.post_attention_layernorm.weight': 'norms',
      'model.layers.0.self_attn.q_norm.weight': 'norms',
      'model.layers.0.block_sparse_moe.experts.1.w1.weight': 'feed-forward',
      'shared.weight': 'embeddings',
      'encoder.block.0.layer.0.SelfAttention.q.weight': 'attention',
      'encoder.block.0.layer.1.DenseReluDense.wi.weight': 'feed-forward',
      'decoder.block.0.layer.1.layer_norm.weight': 'norms',
      'transformer.wpe.weight': 'embeddings',
      'lm_head.weight': 'head',
      'prompt_encoder.default.embedding.weight': 'soft prompt',
      'something.else': 'other',
    };
    for (const [name, part] of Object.entries(names))
      expect(parameters({ weights: [{ name, shape: [7], trainable: true }] }).text, name).toMatch(new RegExp(`base +${part} +7`));
  });

  it('shows each adapter as if it were alone', () => {
    const figure = parameters(modelFacts(), { adapters: true });
    const bars = memoryBars(figure);
    const labels = [...new Set(bars.map(bar => bar.label))];
    expect(labels).toEqual(['answers (lora)', 'houlsby (bottleneck)', 'soft (prompt)', 'all of the base']);
    const frozen = labels.slice(0, 3).map(label => bars.find(bar => bar.label === label)!.size);
    expect(new Set(frozen).size).toBe(1);
    expect(figure.text).toMatch(/soft \(prompt\) +[\d,]+ +2,560 +0\.\d+ %/);
    expect(() => parameters(modelFacts(), { adapters: ['other'] })).toThrow(/answers, houlsby, soft/);
  });

  it('compares several models, and takes objects that describe themselves', () => {
    class Thing {}
    setView(Thing, () => ({ kind: 'model', data: tiny() }));
    const figure = parameters([{ label: 'before', model: tiny() }, new Thing(), { label: 'before', model: new Thing() }]);
    expect([...new Set(memoryBars(figure).map(bar => bar.label))]).toEqual(['before', 'GPT2LMHeadModel', 'before (2)']);
    expect(toFigure(new Thing())!.kind).toBe('parameters');
    expect(toFigure(new Thing())).toEqual(parameters(new Thing()));
  });

  it('compiles without a warning, also when nothing learns or there is nothing', async () => {
    const nothing = { weights: tiny().weights.map(weight => ({ ...weight, trainable: false })) };
    for (const source of [modelFacts(), nothing, { weights: [] }]) {
      const warnings: string[] = [];
      await compileSpec(parameters(source, { full: false }).spec!, 'light', message => warnings.push(message));
      expect(warnings).toEqual([]);
    }
  });

  it('says what is wrong with its input', () => {
    expect(() => parameters(5 as never)).toThrow(/needs a model/);
    expect(() => parameters([])).toThrow(/no model/);
    expect(() => parameters({ weights: [{ name: 'a', shape: [-1] }] })).toThrow(/weights\[0\]/);
    expect(() => parameters(tiny(), { optimizer: 'adam' as never })).toThrow(/momentum/);
  });
});

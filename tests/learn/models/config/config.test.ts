import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { BadInput } from '../../../../src/base/core/index.js';
import { parseConfig, toHuggingFace } from '../../../../src/learn/models/config/index.js';
import { configJson } from '../../../../src/learn/models/files/config-json.js';
import { DECODERS, fixture } from '../fixtures.js';

const SIZES = {
  vocab_size: 50,
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 4,
  num_attention_heads: 4,
};
const LLAMA = { model_type: 'llama', ...SIZES, num_key_value_heads: 2 };
const of = (modelType: string, more: Record<string, unknown> = {}) => parseConfig({ model_type: modelType, ...SIZES, ...more });

function refusal(json: unknown): string {
  try {
    parseConfig(json, 'config.json');
  } catch (error) {
    expect(error).toBeInstanceOf(BadInput);
    return (error as Error).message;
  }
  throw new Error('was read');
}

describe('what is no decoder of a known family', () => {
  it.each([
    [{ architectures: ['BertForMaskedLM'], model_type: 'bert' }],
    [{ architectures: ['LlamaForSequenceClassification'], model_type: 'llama', ...SIZES }],
    [{ architectures: ['Gemma3ForConditionalGeneration'], model_type: 'gemma3' }],
    [{ architectures: ['LlamaForCausalLM'], model_type: 'mistral', ...SIZES }],
    [{ model_type: 'constructor' }],
    [{}],
  ])('%j: the known architectures are listed', json => {
    const said = refusal(json);
    for (const name of ['LlamaForCausalLM', 'MixtralForCausalLM', 'GPT2LMHeadModel', 'Gemma3ForCausalLM', 'Phi3ForCausalLM'])
      expect(said).toContain(name);
  });

  it.each([[null], [[]], ['llama'], [3]])('%j is no object', json => {
    expect(refusal(json)).toContain('not a JSON object');
  });
});

describe('values that cannot be meant name file and key', () => {
  it.each<[string, unknown, Record<string, unknown>?]>([
    ['vocab_size', '50'],
    ['vocab_size', 2 ** 40],
    ['hidden_size', 0],
    ['hidden_size', null],
    ['num_hidden_layers', 1.5],
    // Lists of weights are made before a file is looked at: these would use up the memory.
    ['num_hidden_layers', 1e9],
    ['num_hidden_layers', 1e9, { model_type: 'qwen2' }],
    ['num_hidden_layers', 1e9, { model_type: 'mistral' }],
    ['n_layer', 1e9, { model_type: 'gpt2' }],
    ['num_local_experts', 1e9, { model_type: 'mixtral' }],
    ['num_local_experts', 1024, { model_type: 'mixtral', num_hidden_layers: 1000 }],
    ['num_attention_heads', -4],
    ['num_key_value_heads', 3],
    ['head_dim', 5],
    ['rms_norm_eps', '1e-5'],
    ['rms_norm_eps', -1],
    ['hidden_act', 'mish'],
    ['hidden_act', ['silu']],
    ['attention_bias', 'yes'],
    ['mlp_bias', 1],
    ['tie_word_embeddings', 'false'],
    ['rope_theta', 'big'],
    ['rope_scaling', [2]],
    ['rope_scaling', 'linear'],
    ['partial_rotary_factor', 0.5],
    ['quantization_config', { bits: 4 }],
    ['eos_token_id', '</s>'],
    ['eos_token_id', [2, null]],
    ['pad_token_id', 0.5],
    ['max_position_embeddings', {}],
    ['sliding_window', 0, { model_type: 'mistral' }],
    ['sliding_window', '8', { model_type: 'mistral' }],
    ['max_window_layers', 'two', { model_type: 'qwen2' }],
    ['use_sliding_window', 1, { model_type: 'qwen2' }],
    ['layer_types', ['full_attention'], { model_type: 'qwen3', head_dim: 8 }],
    ['layer_types', 'full_attention', { model_type: 'gemma2', head_dim: 8, num_key_value_heads: 2 }],
    ['layer_types', ['chunked_attention', ...new Array(3).fill('full_attention')], { model_type: 'qwen2' }],
    ['num_experts_per_tok', 9, { model_type: 'mixtral', num_local_experts: 8 }],
    ['use_bidirectional_attention', true, { model_type: 'gemma3_text', head_dim: 8, num_key_value_heads: 2 }],
    ['add_cross_attention', true, { model_type: 'gpt2' }],
    ['n_embd', 10, { model_type: 'gpt2', n_head: 3 }],
    ['scale_attn_weights', 'no', { model_type: 'gpt2' }],
  ])('%s: %j', (key, value, more) => {
    const said = refusal({ ...LLAMA, ...more, [key]: value });
    expect(said).toContain('config.json');
    expect(said).toContain(key);
  });

  it.each<[string, Record<string, unknown>]>([
    ['rope_type', { rope_type: 'ntk' }],
    ['type', { type: 'ntk' }],
    ['factor', { rope_type: 'linear' }],
    ['factor', { rope_type: 'dynamic', factor: 'x' }],
    ['low_freq_factor', { rope_type: 'llama3', factor: 8, high_freq_factor: 4 }],
    ['long_factor', { rope_type: 'longrope', short_factor: [1, 1] }],
    ['short_factor', { rope_type: 'longrope', short_factor: ['a', 1], long_factor: [1, 1] }],
    ['rope_parameters', { rope_type: 'longrope', short_factor: [1, 1, 1], long_factor: [1, 1], factor: 2 }],
    ['rope_theta', { rope_theta: -1 }],
  ])('in rope_parameters: %s', (key, rope) => {
    expect(refusal({ ...LLAMA, rope_parameters: rope })).toContain(key);
    expect(refusal({ ...LLAMA, rope_scaling: rope })).toContain(key);
  });
});

describe('what config.json leaves out is what transformers assumes', () => {
  it('key heads: null means as many as heads, absence the default of the family', () => {
    const wide = { num_attention_heads: 16, hidden_size: 64 };
    expect(of('llama').numKeyValueHeads).toBe(4);
    expect(of('mistral', wide).numKeyValueHeads).toBe(8);
    expect(of('mistral', { ...wide, num_key_value_heads: null }).numKeyValueHeads).toBe(16);
    expect(of('gemma2').numKeyValueHeads).toBe(4);
    expect(of('gemma', { num_attention_heads: 16 })).toMatchObject({ numKeyValueHeads: 16, headDim: 256 });
  });

  it('windows: Mistral has one unless it says null; Qwen has none unless it uses one', () => {
    expect(of('mistral', { num_key_value_heads: 4 }).slidingWindow).toBe(4096);
    expect(of('mistral', { num_key_value_heads: 4, sliding_window: null }).slidingWindow).toBeUndefined();
    expect(of('mixtral', { num_key_value_heads: 4 }).slidingWindow).toBeUndefined();
    const qwen = { num_key_value_heads: 4, sliding_window: 8 };
    expect(of('qwen2', { ...qwen, max_window_layers: 0 }).slidingWindow).toBeUndefined();
    expect(of('qwen2', { ...qwen, max_window_layers: 3, use_sliding_window: true }).layerTypes).toEqual([
      ...new Array(3).fill('full_attention'),
      'sliding_attention',
    ]);
  });

  it('soft caps: absent they are Gemma 2’s, null there is none', () => {
    expect(of('gemma2')).toMatchObject({ attentionSoftcap: 50, logitSoftcap: 30 });
    const none = of('gemma2', { attn_logit_softcapping: null, final_logit_softcapping: null });
    expect([none.attentionSoftcap, none.logitSoftcap]).toEqual([undefined, undefined]);
    expect(of('gemma3_text').logitSoftcap).toBeUndefined();
  });

  it('Gemma says gelu and means the tanh form; Gemma 3 turns local layers by a base of their own', () => {
    expect(of('gemma', { num_key_value_heads: 4, hidden_act: 'gelu' }).activation).toBe('gelu_new');
    const gemma3 = of('gemma3_text', { num_hidden_layers: 7, rope_scaling: { rope_type: 'linear', factor: 8 } });
    expect(gemma3.rope).toMatchObject({ type: 'linear', factor: 8, theta: 1e6 });
    expect(gemma3.localRope).toMatchObject({ type: 'default', theta: 10_000 });
    expect(gemma3.layerTypes?.map(type => type[0]).join('')).toBe('sssssfs');
  });

  it('a dynamic context is as long as its factor says', () => {
    const dynamic = of('llama', { max_position_embeddings: 100, rope_scaling: { type: 'dynamic', factor: 2.5 } });
    expect(dynamic.maxPositionEmbeddings).toBe(250);
    expect(toHuggingFace(dynamic)).toMatchObject({ max_position_embeddings: 100, rope_scaling: { factor: 2.5 } });
  });
});

it.each(DECODERS)('%s: what is written is read as the same, in either spelling', async name => {
  const config = parseConfig(JSON.parse(await readFile(`${fixture(name)}/config.json`, 'utf8')));
  const written = toHuggingFace(config);
  expect(parseConfig(written)).toEqual(config);
  // transformers 4 does not know rope_parameters. (It has layer types from 4.54 on.)
  const { rope_parameters, ...older } = written;
  expect(parseConfig(older)).toEqual(config);
});

it('config.json has a point where transformers wants a float', () => {
  const text = configJson({
    final_logit_softcapping: 3,
    router_jitter_noise: 0,
    vocab_size: 3,
    rms_norm_eps: 1e-6,
    name: 'rms_norm_eps": 1',
  });
  expect(text).toContain('"final_logit_softcapping": 3.0,');
  expect(text).toContain('"router_jitter_noise": 0.0,');
  expect(text).toContain('"vocab_size": 3,');
  expect(JSON.parse(text)).toEqual({
    final_logit_softcapping: 3,
    router_jitter_noise: 0,
    vocab_size: 3,
    rms_norm_eps: 1e-6,
    name: 'rms_norm_eps": 1',
  });
});

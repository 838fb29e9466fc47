import { BadInput, quote } from '../../base/core/index.js';

/** Shape of a decoder. Names are those of Hugging Face's config.json in camel case. */
export interface DecoderConfig {
  vocabSize: number;
  hiddenSize: number;
  /** Width of the feed-forward block. */
  intermediateSize: number;
  numHiddenLayers: number;
  numAttentionHeads: number;
  /** Fewer than the attention heads: grouped queries. */
  numKeyValueHeads: number;
  headDim: number;
  rmsNormEps: number;
  ropeTheta: number;
  maxPositionEmbeddings: number;
  attentionBias: boolean;
  mlpBias: boolean;
  /** The output head is the embedding matrix. */
  tieWordEmbeddings: boolean;
  bosTokenId?: number;
  /** Any of these ends a generation. */
  eosTokenIds: number[];
  padTokenId?: number;
}

/** Sizes for work from scratch. The vocabulary is the caller's tokenizer's; give `vocabSize`. */
export type Preset = 'nano' | 'tiny' | 'small';

const DEFAULTS: DecoderConfig = {
  vocabSize: 8192,
  hiddenSize: 96,
  intermediateSize: 192,
  numHiddenLayers: 3,
  numAttentionHeads: 4,
  numKeyValueHeads: 4,
  headDim: 24,
  rmsNormEps: 1e-5,
  ropeTheta: 10_000,
  maxPositionEmbeddings: 2048,
  attentionBias: false,
  mlpBias: false,
  tieWordEmbeddings: true,
  eosTokenIds: [],
};

/** `nano` is the quickstart's 0.3 M-parameter model, `tiny` 1 M, `small` 6.8 M with its 8,192 tokens. */
const PRESETS: Record<Preset, Partial<DecoderConfig>> = {
  nano: { hiddenSize: 96, intermediateSize: 192, numHiddenLayers: 3, numAttentionHeads: 4 },
  tiny: { hiddenSize: 128, intermediateSize: 344, numHiddenLayers: 4, numAttentionHeads: 4 },
  small: { hiddenSize: 256, intermediateSize: 688, numHiddenLayers: 6, numAttentionHeads: 8 },
};

/** A whole configuration from a preset or from some of its fields; the rest are `nano`'s. */
export function decoderConfig(from: Preset | Partial<DecoderConfig>, overrides: Partial<DecoderConfig> = {}): DecoderConfig {
  if (typeof from === 'string' && !Object.hasOwn(PRESETS, from))
    throw new BadInput({
      problem: 'Unknown model preset',
      expected: Object.keys(PRESETS).join(', '),
      found: quote(from),
      fix: 'name one of them, or give a configuration object',
    });
  const given = defined({ ...(typeof from === 'string' ? PRESETS[from] : from), ...defined(overrides) });
  const heads = given.numAttentionHeads ?? DEFAULTS.numAttentionHeads;
  const config = {
    ...DEFAULTS,
    numKeyValueHeads: heads,
    headDim: Math.floor((given.hiddenSize ?? DEFAULTS.hiddenSize) / heads),
    ...given,
  };
  checkConfig(config);
  return config;
}

function defined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as T;
}

/** Read Hugging Face's config.json. Throws BadInput, naming the file and key, for what is not a Llama-shape decoder. */
export function parseConfig(json: unknown, file?: string): DecoderConfig {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new BadInput({ problem: 'The model configuration is not a JSON object', where: { file }, found: quote(json) });
  const raw = json as Record<string, unknown>;
  const architectures = Array.isArray(raw.architectures) ? raw.architectures : [];
  const known = raw.model_type === 'llama' || (raw.model_type === undefined && architectures[0] === 'LlamaForCausalLM');
  if (!known || architectures.some(name => name !== 'LlamaForCausalLM'))
    throw new BadInput({
      problem: 'This architecture is not known',
      where: { file, key: architectures.length > 0 ? 'architectures' : 'model_type' },
      expected: '"LlamaForCausalLM" (model_type "llama")',
      found: `${quote(raw.architectures ?? null)} (model_type ${quote(raw.model_type ?? null)})`,
      fix: 'load a model of this architecture',
    });
  refuse(raw, 'hidden_act', value => value === undefined || value === 'silu', '"silu"', file);
  refuse(raw, 'quantization_config', value => value === undefined || value === null, 'no quantization', file);
  const count = (key: string, fallback?: number) => number(raw, key, file, fallback, 1);
  const hiddenSize = count('hidden_size');
  const numAttentionHeads = count('num_attention_heads');
  const eos = raw.eos_token_id;
  const config: DecoderConfig = {
    vocabSize: count('vocab_size'),
    hiddenSize,
    intermediateSize: count('intermediate_size'),
    numHiddenLayers: count('num_hidden_layers'),
    numAttentionHeads,
    numKeyValueHeads: count('num_key_value_heads', numAttentionHeads),
    headDim: count('head_dim', Math.floor(hiddenSize / numAttentionHeads)),
    rmsNormEps: number(raw, 'rms_norm_eps', file, 1e-6),
    ropeTheta: ropeTheta(raw, file),
    maxPositionEmbeddings: count('max_position_embeddings', 2048),
    attentionBias: raw.attention_bias === true,
    mlpBias: raw.mlp_bias === true,
    tieWordEmbeddings: raw.tie_word_embeddings === true,
    bosTokenId: tokenId(raw.bos_token_id),
    eosTokenIds: (Array.isArray(eos) ? eos : [eos]).map(tokenId).filter(id => id !== undefined),
    padTokenId: tokenId(raw.pad_token_id),
  };
  checkConfig(config, file);
  return config;
}

/** transformers 5 writes `rope_parameters: {rope_theta, rope_type}`, earlier versions `rope_theta` and `rope_scaling`. */
function ropeTheta(raw: Record<string, unknown>, file?: string): number {
  for (const key of ['rope_parameters', 'rope_scaling']) {
    const value = raw[key];
    if (value === undefined || value === null) continue;
    const rope = (typeof value === 'object' ? value : {}) as Record<string, unknown>;
    const type = rope.rope_type ?? rope.type ?? 'default';
    if (type !== 'default')
      throw new BadInput({
        problem: 'This kind of rotary embedding is not known',
        where: { file, key },
        expected: 'rope_type "default"',
        found: quote(type),
        fix: 'load a model without rope scaling',
      });
    if (rope.rope_theta !== undefined) return number(rope, 'rope_theta', file);
  }
  return number(raw, 'rope_theta', file, 10_000);
}

function refuse(raw: Record<string, unknown>, key: string, good: (v: unknown) => boolean, expected: string, file?: string): void {
  if (!good(raw[key]))
    throw new BadInput({ problem: 'This setting is not supported', where: { file, key }, expected, found: quote(raw[key]) });
}

function tokenId(value: unknown): number | undefined {
  return Number.isInteger(value) && (value as number) >= 0 ? (value as number) : undefined;
}

function number(raw: Record<string, unknown>, key: string, file?: string, fallback?: number, integerFrom?: number): number {
  const value = raw[key] ?? fallback;
  const good =
    typeof value === 'number' &&
    Number.isFinite(value) &&
    (integerFrom === undefined ? value > 0 : Number.isInteger(value) && value >= integerFrom && value < 2 ** 31);
  if (!good)
    throw new BadInput({
      problem: 'The model configuration cannot be used',
      where: { file, key },
      expected: integerFrom === undefined ? 'a number above 0' : `an integer from ${integerFrom}`,
      found: quote(value ?? null),
      fix: 'use the config.json that was saved with the weights',
    });
  return value as number;
}

function checkConfig(config: DecoderConfig, file?: string): void {
  const wrong = (key: string, expected: string, found: unknown) => {
    throw new BadInput({
      problem: 'The model configuration cannot be used',
      where: { file, key },
      expected,
      found: quote(found),
    });
  };
  const counts = [
    'vocabSize',
    'hiddenSize',
    'intermediateSize',
    'numHiddenLayers',
    'numAttentionHeads',
    'numKeyValueHeads',
    'headDim',
    'maxPositionEmbeddings',
  ] as const;
  for (const key of counts)
    if (!(Number.isInteger(config[key]) && config[key] >= 1)) wrong(key, 'an integer from 1', config[key]);
  if (config.numAttentionHeads % config.numKeyValueHeads !== 0)
    wrong('num_key_value_heads', `a divisor of num_attention_heads (${config.numAttentionHeads})`, config.numKeyValueHeads);
  if (config.headDim % 2 !== 0) wrong('head_dim', 'an even number (rotary embeddings turn pairs)', config.headDim);
}

/** config.json as transformers reads it; settings of the file the model came from are kept. */
export function toHuggingFace(config: DecoderConfig, original: Record<string, unknown> = {}): Record<string, unknown> {
  const eos = config.eosTokenIds;
  const rope = original.rope_parameters as Record<string, unknown> | undefined;
  return {
    ...original,
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    hidden_act: 'silu',
    vocab_size: config.vocabSize,
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    num_hidden_layers: config.numHiddenLayers,
    num_attention_heads: config.numAttentionHeads,
    num_key_value_heads: config.numKeyValueHeads,
    head_dim: config.headDim,
    rms_norm_eps: config.rmsNormEps,
    // Both forms: transformers 4 reads the first, transformers 5 the second.
    rope_theta: config.ropeTheta,
    rope_parameters: { ...rope, rope_type: 'default', rope_theta: config.ropeTheta },
    max_position_embeddings: config.maxPositionEmbeddings,
    attention_bias: config.attentionBias,
    mlp_bias: config.mlpBias,
    tie_word_embeddings: config.tieWordEmbeddings,
    bos_token_id: config.bosTokenId ?? null,
    eos_token_id: eos.length > 1 ? eos : (eos[0] ?? null),
    pad_token_id: config.padTokenId ?? null,
    torch_dtype: 'float32',
    dtype: 'float32',
  };
}

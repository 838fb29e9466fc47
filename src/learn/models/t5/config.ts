import { BadInput, quote } from '../../../base/core/index.js';
import type { Nonlinearity } from '../../../base/ops/index.js';
import type { ModelConfig } from '../config/index.js';

/** Shape of a T5. Sizes have the names they have in all models; config.json's own stand beside them. */
export interface T5Config extends ModelConfig {
  modelType: 't5';
  /** Width of an attention head: d_kv. Heads · headDim need not be hiddenSize. */
  headDim: number;
  /** Width of the feed-forward block: d_ff. */
  intermediateSize: number;
  /** Layers of the encoder: num_layers. */
  numHiddenLayers: number;
  numDecoderLayers: number;
  /** num_heads. */
  numAttentionHeads: number;
  /** Distances are told apart by so many learned biases a head, see `relativeBucket`. */
  relativeAttentionNumBuckets: number;
  /** From this distance on all are one. */
  relativeAttentionMaxDistance: number;
  layerNormEpsilon: number;
  /** A nonlinearity, or `gated-` and one; `gated-gelu` is that by tanh, as transformers has it. */
  feedForwardProj: string;
  /** The decoder's output is multiplied by hiddenSize^−½ before the head: the first T5s, not T5 1.1 and FLAN-T5. */
  scaleDecoderOutputs: boolean;
  /** What the decoder begins with. */
  decoderStartTokenId: number;
  padTokenId: number;
}

const DEFAULTS: T5Config = {
  modelType: 't5',
  vocabSize: 8192,
  hiddenSize: 96,
  headDim: 24,
  intermediateSize: 192,
  numHiddenLayers: 3,
  numDecoderLayers: 3,
  numAttentionHeads: 4,
  relativeAttentionNumBuckets: 32,
  relativeAttentionMaxDistance: 128,
  layerNormEpsilon: 1e-6,
  feedForwardProj: 'gated-gelu',
  tieWordEmbeddings: true,
  scaleDecoderOutputs: true,
  decoderStartTokenId: 0,
  padTokenId: 0,
  eosTokenIds: [1],
  maxPositionEmbeddings: Number.POSITIVE_INFINITY,
};

/** A whole configuration from some of its fields; the rest are those of a `nano`-sized model. Throws BadInput for what cannot be. */
export function t5Config(given: Partial<T5Config> = {}): T5Config {
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Partial<T5Config>;
  const hiddenSize = set.hiddenSize ?? DEFAULTS.hiddenSize;
  const config: T5Config = {
    ...DEFAULTS,
    headDim: Math.max(1, Math.floor(hiddenSize / (set.numAttentionHeads ?? DEFAULTS.numAttentionHeads))),
    intermediateSize: 2 * hiddenSize,
    numDecoderLayers: set.numHiddenLayers ?? DEFAULTS.numDecoderLayers,
    scaleDecoderOutputs: set.tieWordEmbeddings ?? DEFAULTS.tieWordEmbeddings,
    decoderStartTokenId: set.padTokenId ?? DEFAULTS.padTokenId,
    ...set,
  };
  checkT5(config);
  return config;
}

/** What the feed-forward block computes: its nonlinearity, and whether a second projection is multiplied with it. */
export function feedForward(proj: string): { kind: Nonlinearity; gated: boolean } | undefined {
  const gated = proj.startsWith('gated-');
  const name = gated ? proj.slice('gated-'.length) : proj;
  // transformers reads T5 1.1's "gated-gelu" as the approximation by tanh that those models were trained with.
  const kind = gated && name === 'gelu' ? 'gelu_new' : Object.hasOwn(KINDS, name) ? KINDS[name] : undefined;
  return kind && { kind, gated };
}

const KINDS: Record<string, Nonlinearity> = {
  relu: 'relu',
  gelu: 'gelu',
  gelu_new: 'gelu_new',
  gelu_pytorch_tanh: 'gelu_new',
  gelu_python: 'gelu',
  silu: 'silu',
  swish: 'silu',
};

/** Throws BadInput for a shape that no T5 has. */
export function checkT5(config: T5Config, file?: string): void {
  const wrong = (key: keyof T5Config, expected: string): never => {
    throw new BadInput({
      problem: 'The T5 configuration cannot be used',
      where: { file, key: huggingFaceKey(key) },
      expected,
      found: quote(config[key] ?? null),
      fix: file ? 'use the config.json that was saved with the weights' : 'see models.T5Config',
    });
  };
  const counts = ['vocabSize', 'hiddenSize', 'headDim', 'intermediateSize', 'numAttentionHeads'] as const;
  for (const key of counts) if (!isCount(config[key], 1)) wrong(key, 'an integer from 1');
  // A list of weights is made from these before any file is looked at.
  for (const key of ['numHiddenLayers', 'numDecoderLayers'] as const)
    if (!isCount(config[key], 1) || config[key] > 1000) wrong(key, 'an integer from 1 to 1000');
  if (!isCount(config.relativeAttentionNumBuckets, 4)) wrong('relativeAttentionNumBuckets', 'an integer from 4');
  const exact = Math.floor(config.relativeAttentionNumBuckets / 2);
  if (!isCount(config.relativeAttentionMaxDistance, exact + 1))
    wrong('relativeAttentionMaxDistance', `an integer above ${exact}, half the buckets`);
  if (!(Number.isFinite(config.layerNormEpsilon) && config.layerNormEpsilon > 0)) wrong('layerNormEpsilon', 'a number above 0');
  if (typeof config.feedForwardProj !== 'string' || !feedForward(config.feedForwardProj))
    wrong('feedForwardProj', `one of ${Object.keys(KINDS).join(', ')}, or gated-… of one`);
  const isToken = (id: unknown) => isCount(id, 0) && (id as number) < config.vocabSize;
  for (const key of ['padTokenId', 'decoderStartTokenId'] as const)
    if (!isToken(config[key])) wrong(key, `a token id, from 0 to ${config.vocabSize - 1}`);
}

function isCount(value: unknown, from: number): boolean {
  return Number.isInteger(value) && (value as number) >= from && (value as number) < 2 ** 31;
}

/** Keys of config.json that are not the camel-case names. */
const KEYS: Partial<Record<keyof T5Config, string>> = {
  hiddenSize: 'd_model',
  headDim: 'd_kv',
  intermediateSize: 'd_ff',
  numHiddenLayers: 'num_layers',
  numAttentionHeads: 'num_heads',
};

function huggingFaceKey(key: keyof T5Config): string {
  return KEYS[key] ?? key.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`);
}

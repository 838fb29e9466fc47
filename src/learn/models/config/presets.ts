import { BadInput, quote } from '../../../base/core/index.js';
import { checkConfig } from './check.js';
import { FAMILIES } from './families.js';
import { LLAMA } from './family.js';
import type { DecoderConfig, RopeConfig } from './types.js';

/** Sizes for work from scratch. The vocabulary is the caller's tokenizer's; give `vocabSize`. */
export type Preset = 'nano' | 'tiny' | 'small';

/** A configuration in parts: whatever is left out is the preset's or the family's. */
export type PartialConfig = Partial<Omit<DecoderConfig, 'rope' | 'localRope'>> & {
  rope?: Partial<RopeConfig>;
  localRope?: Partial<RopeConfig>;
};

const DEFAULTS: DecoderConfig = {
  ...LLAMA,
  modelType: 'llama',
  vocabSize: 8192,
  hiddenSize: 96,
  intermediateSize: 192,
  numHiddenLayers: 3,
  numAttentionHeads: 4,
  numKeyValueHeads: 4,
  headDim: 24,
  normEps: 1e-5,
  rope: { theta: 10_000, type: 'default', partial: 1 },
  maxPositionEmbeddings: 2048,
  tieWordEmbeddings: true,
  eosTokenIds: [],
};

/** `nano` is the quickstart's 0.3 M-parameter model, `tiny` 1 M, `small` 6.8 M with its 8,192 tokens. */
const PRESETS: Record<Preset, PartialConfig> = {
  nano: { hiddenSize: 96, intermediateSize: 192, numHiddenLayers: 3, numAttentionHeads: 4 },
  tiny: { hiddenSize: 128, intermediateSize: 344, numHiddenLayers: 4, numAttentionHeads: 4 },
  small: { hiddenSize: 256, intermediateSize: 688, numHiddenLayers: 6, numAttentionHeads: 8 },
};

/** The sizes of a preset. */
export function presetSizes(name: Preset): PartialConfig {
  if (Object.hasOwn(PRESETS, name)) return PRESETS[name];
  throw new BadInput({
    problem: 'Unknown model preset',
    expected: Object.keys(PRESETS).join(', '),
    found: quote(name),
    fix: 'name one of them, or give a configuration object',
  });
}

/** A whole configuration from a preset or from some of its fields; the rest are `nano`'s and the family's. */
export function decoderConfig(from: Preset | PartialConfig, overrides: PartialConfig = {}): DecoderConfig {
  const { rope, localRope, ...given } = defined({
    ...(typeof from === 'string' ? presetSizes(from) : from),
    ...defined(overrides),
  });
  const modelType = given.modelType ?? 'llama';
  if (!Object.hasOwn(FAMILIES, modelType))
    throw new BadInput({
      problem: 'Unknown decoder family',
      where: { key: 'modelType' },
      expected: Object.keys(FAMILIES).join(', '),
      found: quote(modelType),
      fix: 'name one of them',
    });
  const heads = given.numAttentionHeads ?? DEFAULTS.numAttentionHeads;
  const hiddenSize = given.hiddenSize ?? DEFAULTS.hiddenSize;
  const learned = modelType === 'gpt2';
  const config: DecoderConfig = {
    ...DEFAULTS,
    numKeyValueHeads: heads,
    headDim: Math.floor(hiddenSize / heads),
    ...fresh(modelType, hiddenSize),
    ...FAMILIES[modelType].fixed,
    ...given,
    rope: learned ? undefined : { ...DEFAULTS.rope!, ...rope },
  };
  if (localRope) config.localRope = { ...DEFAULTS.rope!, ...localRope };
  checkConfig(config);
  return config;
}

/** What a new model of the family begins with where a loaded one's config.json decides. */
function fresh(modelType: DecoderConfig['modelType'], hiddenSize: number): Partial<DecoderConfig> {
  if (modelType === 'gpt2') return { activation: 'gelu_new' };
  if (modelType === 'mixtral') return { numExperts: 4, numExpertsPerToken: 2 };
  if (modelType.startsWith('gemma')) return { activation: 'gelu_new', embeddingScale: Math.fround(Math.sqrt(hiddenSize)) };
  return {};
}

function defined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as T;
}

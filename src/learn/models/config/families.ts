import { ACTIVATION_NAMES, ACTIVATIONS, type Family, LLAMA } from './family.js';
import { type Fields, MOST_EXPERTS, MOST_LAYERS } from './fields.js';
import { gpt2 } from './gpt2.js';
import { type RopeReading, readLayerRope, readRope, writeRope } from './rope.js';
import type { DecoderConfig, LayerType, ModelType } from './types.js';

/** How families differ from Llama's reading. */
interface Traits {
  architecture: string;
  fixed?: Partial<DecoderConfig>;
  /** Fields read beyond the common ones, or read otherwise. */
  more?: (fields: Fields, common: DecoderConfig) => Partial<DecoderConfig>;
  /** Keys written beyond the common ones. */
  also?: (config: DecoderConfig) => Record<string, unknown>;
  /** What transformers assumes where config.json is silent. */
  defaults?: {
    ropeTheta?: number;
    normEps?: number;
    headDim?: number;
    tied?: boolean;
    activation?: string;
    keyValueHeads?: number;
    context?: number;
  };
  activationKey?: string;
  rope?: Partial<RopeReading>;
}

function llamaLike(modelType: ModelType, traits: Traits): Family {
  const { architecture, fixed = {}, more, also, defaults = {}, activationKey = 'hidden_act', rope = {} } = traits;
  return {
    architecture,
    fixed,
    read(fields) {
      const hiddenSize = fields.count('hidden_size');
      const heads = fields.count('num_attention_heads');
      const context = fields.count('max_position_embeddings', defaults.context ?? 2048);
      const attentionBias = fixed.attentionBias ?? fields.flag('attention_bias', false);
      const turn = readRope(fields, { theta: defaults.ropeTheta ?? 10_000, context, ...rope });
      const common: DecoderConfig = {
        ...LLAMA,
        modelType,
        vocabSize: fields.count('vocab_size'),
        hiddenSize,
        intermediateSize: fields.count('intermediate_size'),
        numHiddenLayers: fields.count('num_hidden_layers', undefined, 1, MOST_LAYERS),
        numAttentionHeads: heads,
        // null: as many as heads; absence: the family's default.
        numKeyValueHeads: fields.count(
          'num_key_value_heads',
          fields.silent('num_key_value_heads') ? (defaults.keyValueHeads ?? heads) : heads,
        ),
        headDim: fields.count('head_dim', defaults.headDim ?? Math.floor(hiddenSize / heads)),
        normEps: fields.number('rms_norm_eps', defaults.normEps ?? 1e-6),
        activation: fields.oneOf(activationKey, ACTIVATIONS, defaults.activation ?? 'silu'),
        attentionBias,
        attentionOutputBias: attentionBias,
        rope: turn,
        maxPositionEmbeddings: turn.type === 'dynamic' ? Math.max(context, Math.floor(context * turn.factor!)) : context,
        tieWordEmbeddings: fields.flag('tie_word_embeddings', defaults.tied ?? false),
        eosTokenIds: [],
        ...fixed,
      };
      return { ...common, ...more?.(fields, common) };
    },
    write(config) {
      const rope = config.rope!;
      const layers = config.localRope
        ? { full_attention: writeRope(rope), sliding_attention: writeRope(config.localRope) }
        : writeRope(rope);
      return {
        vocab_size: config.vocabSize,
        hidden_size: config.hiddenSize,
        intermediate_size: config.intermediateSize,
        num_hidden_layers: config.numHiddenLayers,
        num_attention_heads: config.numAttentionHeads,
        num_key_value_heads: config.numKeyValueHeads,
        head_dim: config.headDim,
        rms_norm_eps: config.normEps,
        [activationKey]: ACTIVATION_NAMES[config.activation],
        attention_bias: config.attentionBias,
        // Three forms: transformers 4 reads the first two, transformers 5 the third.
        rope_theta: rope.theta,
        rope_scaling: rope.type === 'default' ? undefined : writeRope(rope),
        ...(rope.partial !== 1 && { partial_rotary_factor: rope.partial }),
        rope_parameters: layers,
        max_position_embeddings:
          (rope.type === 'dynamic' ? rope.originalMaxPositionEmbeddings : undefined) ?? config.maxPositionEmbeddings,
        tie_word_embeddings: config.tieWordEmbeddings,
        ...also?.(config),
      };
    },
  };
}

/** Window of a model whose layers all slide, when it has one; null says that it has none. */
function everyLayer(fields: Fields, { numHiddenLayers }: DecoderConfig, fallback?: number): Partial<DecoderConfig> {
  const slidingWindow = fields.silent('sliding_window') ? fallback : fields.optionalCount('sliding_window');
  return slidingWindow ? { slidingWindow, layerTypes: new Array<LayerType>(numHiddenLayers).fill('sliding_attention') } : {};
}

/** Window and layer types where config.json names them, or a rule does. */
function someLayers(
  fields: Fields,
  { numHiddenLayers }: DecoderConfig,
  slides: (layer: number) => boolean,
  window: number | undefined,
): Partial<DecoderConfig> {
  const given = fields.raw.layer_types;
  const rule = () =>
    Array.from({ length: numHiddenLayers }, (_, i): LayerType => (slides(i) ? 'sliding_attention' : 'full_attention'));
  const layerTypes = given === undefined || given === null ? rule() : (given as LayerType[]);
  const known = ['full_attention', 'sliding_attention'];
  if (!Array.isArray(layerTypes) || layerTypes.length !== numHiddenLayers || !layerTypes.every(type => known.includes(type)))
    throw fields.wrong('layer_types', `${numHiddenLayers} of ${known.join(' or ')}`, given);
  if (layerTypes.includes('sliding_attention') && window === undefined)
    throw fields.wrong('sliding_window', 'an integer from 1, as layers slide', null);
  return layerTypes.includes('sliding_attention') ? { slidingWindow: window, layerTypes: layerTypes.slice() } : {};
}

function qwenLayers(fields: Fields, common: DecoderConfig): Partial<DecoderConfig> {
  const window = fields.flag('use_sliding_window', false) ? fields.count('sliding_window', 4096) : undefined;
  const first = fields.count('max_window_layers', 28, 0);
  return someLayers(fields, common, layer => window !== undefined && layer >= first, window);
}

function writeQwenLayers(config: DecoderConfig): Record<string, unknown> {
  const { slidingWindow, layerTypes } = config;
  return {
    use_sliding_window: slidingWindow !== undefined,
    sliding_window: slidingWindow ?? null,
    layer_types: layerTypes ?? new Array(config.numHiddenLayers).fill('full_attention'),
  };
}

/** Gemma's embeddings are multiplied with √hiddenSize, its norms with 1 + weight. */
const GEMMA: Partial<DecoderConfig> = { normOffset: 1 };
const GEMMA_DEFAULTS = { headDim: 256, tied: true, activation: 'gelu_pytorch_tanh', context: 8192 };

function gemmaScales(fields: Fields, { hiddenSize, headDim }: DecoderConfig, defaultScalar?: number): Partial<DecoderConfig> {
  fields.refuse('use_bidirectional_attention', value => !value, 'causal attention');
  return {
    embeddingScale: Math.fround(Math.sqrt(hiddenSize)),
    // Gemma 1 has no such key.
    attentionScale: (defaultScalar ? fields.number('query_pre_attn_scalar', defaultScalar) : headDim) ** -0.5,
  };
}

export const FAMILIES: Readonly<Record<ModelType, Family>> = {
  llama: llamaLike('llama', {
    architecture: 'LlamaForCausalLM',
    more: fields => ({ mlpBias: fields.flag('mlp_bias', false) }),
    also: config => ({ mlp_bias: config.mlpBias }),
  }),
  mistral: llamaLike('mistral', {
    architecture: 'MistralForCausalLM',
    fixed: { attentionBias: false, attentionOutputBias: false },
    defaults: { keyValueHeads: 8, context: 131_072 },
    more: (fields, common) => everyLayer(fields, common, 4096),
    also: config => ({ sliding_window: config.slidingWindow ?? null }),
  }),
  mixtral: llamaLike('mixtral', {
    architecture: 'MixtralForCausalLM',
    fixed: { attentionBias: false, attentionOutputBias: false, mlp: 'experts' },
    defaults: { ropeTheta: 1e6, normEps: 1e-5, keyValueHeads: 8, context: 131_072 },
    more: (fields, common) => ({
      ...everyLayer(fields, common),
      numExperts: fields.count('num_local_experts', 8, 1, MOST_EXPERTS),
      numExpertsPerToken: fields.count('num_experts_per_tok', 2),
    }),
    also: config => ({
      sliding_window: config.slidingWindow ?? null,
      num_local_experts: config.numExperts,
      num_experts_per_tok: config.numExpertsPerToken,
    }),
  }),
  qwen2: llamaLike('qwen2', {
    architecture: 'Qwen2ForCausalLM',
    fixed: { attentionBias: true, attentionOutputBias: false },
    defaults: { keyValueHeads: 32, context: 32_768 },
    more: qwenLayers,
    also: writeQwenLayers,
  }),
  qwen3: llamaLike('qwen3', {
    architecture: 'Qwen3ForCausalLM',
    fixed: { queryKeyNorm: true },
    defaults: { keyValueHeads: 32, headDim: 128, context: 32_768 },
    more: qwenLayers,
    also: writeQwenLayers,
  }),
  gpt2,
  gemma: llamaLike('gemma', {
    architecture: 'GemmaForCausalLM',
    fixed: GEMMA,
    defaults: { ...GEMMA_DEFAULTS, keyValueHeads: 16 },
    // Old files say "gelu" and mean the tanh approximation.
    more: (fields, common) => ({
      ...gemmaScales(fields, common),
      activation: common.activation === 'gelu' ? 'gelu_new' : common.activation,
    }),
  }),
  gemma2: llamaLike('gemma2', {
    architecture: 'Gemma2ForCausalLM',
    fixed: { ...GEMMA, postNorms: true },
    defaults: { ...GEMMA_DEFAULTS, keyValueHeads: 4 },
    activationKey: 'hidden_activation',
    more: (fields, common) => ({
      ...gemmaScales(fields, common, 256),
      ...someLayers(fields, common, layer => layer % 2 === 0, fields.count('sliding_window', 4096)),
      attentionSoftcap: softcap(fields, 'attn_logit_softcapping', 50),
      logitSoftcap: softcap(fields, 'final_logit_softcapping', 30),
    }),
    also: writeGemma,
  }),
  gemma3_text: llamaLike('gemma3_text', {
    architecture: 'Gemma3ForCausalLM',
    fixed: { ...GEMMA, postNorms: true, queryKeyNorm: true },
    defaults: { ...GEMMA_DEFAULTS, keyValueHeads: 4, context: 131_072 },
    activationKey: 'hidden_activation',
    more: (fields, common) => {
      const pattern = fields.count('sliding_window_pattern', 6);
      const context = common.maxPositionEmbeddings;
      return {
        ...gemmaScales(fields, common, 256),
        ...someLayers(fields, common, layer => (layer + 1) % pattern !== 0, fields.count('sliding_window', 4096)),
        logitSoftcap: softcap(fields, 'final_logit_softcapping'),
        rope: readLayerRope(fields, { theta: 1e6, context }, 'full_attention'),
        localRope: readLayerRope(fields, { theta: 10_000, context }, 'sliding_attention'),
      };
    },
    also: config => ({
      ...writeGemma(config),
      rope_local_base_freq: config.localRope?.theta,
    }),
  }),
  phi3: llamaLike('phi3', {
    architecture: 'Phi3ForCausalLM',
    fixed: { attentionBias: false, attentionOutputBias: false },
    defaults: { normEps: 1e-5, context: 4096 },
    rope: { partial: true, originalContext: 4096 },
    more: everyLayer,
    also: config => ({
      sliding_window: config.slidingWindow ?? null,
      ...(config.rope?.originalMaxPositionEmbeddings && {
        original_max_position_embeddings: config.rope.originalMaxPositionEmbeddings,
      }),
    }),
  }),
};

/** null switches a cap off, absence means the default. */
function softcap(fields: Fields, key: string, fallback?: number): number | undefined {
  if (fields.raw[key] === null) return undefined;
  return fields.raw[key] === undefined ? fallback : fields.number(key);
}

function writeGemma(config: DecoderConfig): Record<string, unknown> {
  return {
    // transformers wants the integer that the square root came from.
    query_pre_attn_scalar: Number(((config.attentionScale ?? config.headDim ** -0.5) ** -2).toPrecision(12)),
    sliding_window: config.slidingWindow ?? 4096,
    layer_types: config.layerTypes ?? new Array(config.numHiddenLayers).fill('full_attention'),
    attn_logit_softcapping: config.attentionSoftcap ?? null,
    final_logit_softcapping: config.logitSoftcap ?? null,
  };
}

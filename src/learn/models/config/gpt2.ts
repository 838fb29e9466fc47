import { ACTIVATION_NAMES, ACTIVATIONS, type Family, LLAMA } from './family.js';
import { MOST_LAYERS } from './fields.js';
import type { DecoderConfig } from './types.js';

const FIXED: Partial<DecoderConfig> = {
  norm: 'layer',
  attentionBias: true,
  attentionOutputBias: true,
  mlpBias: true,
  mlp: 'plain',
};

/** GPT-2 (Radford et al. 2019): learned positions, LayerNorm, its own key names. */
export const gpt2: Family = {
  architecture: 'GPT2LMHeadModel',
  fixed: FIXED,
  read(fields) {
    fields.refuse('add_cross_attention', value => !value, 'false');
    const hiddenSize = fields.count('n_embd', 768);
    const numAttentionHeads = fields.count('n_head', 12);
    const headDim = Math.floor(hiddenSize / numAttentionHeads);
    return {
      ...LLAMA,
      ...FIXED,
      modelType: 'gpt2',
      vocabSize: fields.count('vocab_size', 50_257),
      hiddenSize,
      intermediateSize: fields.count('n_inner', 4 * hiddenSize),
      numHiddenLayers: fields.count('n_layer', 12, 1, MOST_LAYERS),
      numAttentionHeads,
      numKeyValueHeads: numAttentionHeads,
      headDim,
      normEps: fields.number('layer_norm_epsilon', 1e-5),
      activation: fields.oneOf('activation_function', ACTIVATIONS, 'gelu_new'),
      attentionScale: fields.flag('scale_attn_weights', true) ? headDim ** -0.5 : 1,
      scaleByLayer: fields.flag('scale_attn_by_inverse_layer_idx', false),
      maxPositionEmbeddings: fields.count('n_positions', 1024),
      tieWordEmbeddings: fields.flag('tie_word_embeddings', true),
      eosTokenIds: [],
    };
  },
  write: config => ({
    vocab_size: config.vocabSize,
    n_embd: config.hiddenSize,
    n_inner: config.intermediateSize,
    n_layer: config.numHiddenLayers,
    n_head: config.numAttentionHeads,
    n_positions: config.maxPositionEmbeddings,
    n_ctx: config.maxPositionEmbeddings,
    layer_norm_epsilon: config.normEps,
    activation_function: config.activation === 'gelu_new' ? 'gelu_new' : ACTIVATION_NAMES[config.activation],
    scale_attn_weights: config.attentionScale !== 1,
    scale_attn_by_inverse_layer_idx: config.scaleByLayer ?? false,
    tie_word_embeddings: config.tieWordEmbeddings,
  }),
};

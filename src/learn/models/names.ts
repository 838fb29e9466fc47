import type { DecoderConfig } from './config/types.js';

/** Hugging Face names of a layer's modules; a weight is `${module}.weight`, a bias `${module}.bias`. */
export interface LayerNames {
  module: string;
  inputNorm: string;
  attention: {
    module: string;
    /** One projection each, or one for all three: rows of queries, then keys, then values. */
    query: string;
    key: string;
    value: string;
    fused?: string;
    queryNorm: string;
    keyNorm: string;
    output: string;
  };
  postAttentionNorm: string;
  mlpNorm: string;
  mlp: {
    module: string;
    gate: string;
    up: string;
    /** Gate and up in one: rows of gate, then up. */
    fused?: string;
    down: string;
    router: string;
    expert(index: number): { gate: string; up: string; down: string };
  };
  postMlpNorm: string;
}

/** Hugging Face names of a decoder's modules. */
export interface ModelNames {
  embedding: string;
  /** Learned positions. */
  positions?: string;
  layer(index: number): LayerNames;
  finalNorm: string;
  /** Where it is a matrix of its own. */
  head: string;
  /** The layers' matrices are stored [in, out] (Conv1D). */
  transposed: boolean;
}

/** The names of a family's modules. */
export function modelNames({ modelType }: Pick<DecoderConfig, 'modelType'>): ModelNames {
  if (modelType === 'gpt2') return GPT2;
  return {
    embedding: 'model.embed_tokens',
    layer: index => layerNames(modelType, index),
    finalNorm: 'model.norm',
    head: 'lm_head',
    transposed: false,
  };
}

function layerNames(modelType: DecoderConfig['modelType'], index: number): LayerNames {
  const layer = `model.layers.${index}`;
  const [attention, mlp] = [`${layer}.self_attn`, modelType === 'mixtral' ? `${layer}.block_sparse_moe` : `${layer}.mlp`];
  const postNorms = modelType === 'gemma2' || modelType === 'gemma3_text';
  return {
    module: layer,
    inputNorm: `${layer}.input_layernorm`,
    attention: {
      module: attention,
      query: `${attention}.q_proj`,
      key: `${attention}.k_proj`,
      value: `${attention}.v_proj`,
      fused: modelType === 'phi3' ? `${attention}.qkv_proj` : undefined,
      queryNorm: `${attention}.q_norm`,
      keyNorm: `${attention}.k_norm`,
      output: `${attention}.o_proj`,
    },
    postAttentionNorm: `${layer}.post_attention_layernorm`,
    mlpNorm: postNorms ? `${layer}.pre_feedforward_layernorm` : `${layer}.post_attention_layernorm`,
    mlp: {
      module: mlp,
      gate: `${mlp}.gate_proj`,
      up: `${mlp}.up_proj`,
      fused: modelType === 'phi3' ? `${mlp}.gate_up_proj` : undefined,
      down: `${mlp}.down_proj`,
      router: `${mlp}.gate`,
      expert: e => ({ gate: `${mlp}.experts.${e}.w1`, up: `${mlp}.experts.${e}.w3`, down: `${mlp}.experts.${e}.w2` }),
    },
    postMlpNorm: `${layer}.post_feedforward_layernorm`,
  };
}

const GPT2: ModelNames = {
  embedding: 'transformer.wte',
  positions: 'transformer.wpe',
  layer(index) {
    const layer = `transformer.h.${index}`;
    const names = layerNames('llama', index);
    return {
      ...names,
      module: layer,
      inputNorm: `${layer}.ln_1`,
      attention: { ...names.attention, module: `${layer}.attn`, fused: `${layer}.attn.c_attn`, output: `${layer}.attn.c_proj` },
      mlpNorm: `${layer}.ln_2`,
      mlp: { ...names.mlp, module: `${layer}.mlp`, up: `${layer}.mlp.c_fc`, down: `${layer}.mlp.c_proj` },
    };
  },
  finalNorm: 'transformer.ln_f',
  head: 'lm_head',
  transposed: true,
};

/** Name of the stored matrix that turns hidden states into logits. */
export function headName(config: DecoderConfig): string {
  const { embedding, head } = modelNames(config);
  return `${config.tieWordEmbeddings ? embedding : head}.weight`;
}

/** Buffers that old checkpoints carry although they are computed. */
const COMPUTED = /(\.rotary_emb\.inv_freq|\.attn\.(bias|masked_bias))$/;

/**
 * The name under which a weight of a file is known here, or undefined for what need not be read: computed buffers, and a
 * head that is the embedding. GPT-2's own files leave "transformer." out.
 */
export function canonicalName(config: DecoderConfig, name: string): string | undefined {
  if (COMPUTED.test(name)) return undefined;
  if (config.tieWordEmbeddings && name === 'lm_head.weight') return undefined;
  return config.modelType === 'gpt2' && /^(wte|wpe|h|ln_f)\./.test(name) ? `transformer.${name}` : name;
}

import { Random } from '../../base/core/index.js';
import type { DecoderConfig } from './config.js';

/** One weight of a decoder: its Hugging Face name, its shape and how it begins. */
export interface WeightSpec {
  name: string;
  shape: number[];
  /** Norms begin at one, biases at zero; the rest is normal with this standard deviation. */
  init: 'ones' | 'zeros' | number;
}

/** Embeddings begin with this standard deviation. */
const EMBEDDING_STD = 0.05;

/**
 * The weights of a decoder in the order of the layers.
 *
 * Matrices begin as N(0, 1/√fan_in), those that write into the residual stream (attention output, feed-forward down)
 * scaled by (2 · layers)^−½ (GPT-2), so that the stream's variance does not grow with depth. The usual 0.02 fails on small models.
 */
export function weightSpecs(config: DecoderConfig): WeightSpec[] {
  const { hiddenSize: d, headDim, numAttentionHeads, numKeyValueHeads, intermediateSize, vocabSize } = config;
  const residual = (2 * config.numHiddenLayers) ** -0.5;
  const specs: WeightSpec[] = [{ name: 'model.embed_tokens.weight', shape: [vocabSize, d], init: EMBEDDING_STD }];
  const matrix = (name: string, out: number, fanIn: number, bias: boolean, scale = 1) => {
    specs.push({ name: `${name}.weight`, shape: [out, fanIn], init: scale / Math.sqrt(fanIn) });
    if (bias) specs.push({ name: `${name}.bias`, shape: [out], init: 'zeros' });
  };
  for (let i = 0; i < config.numHiddenLayers; i++) {
    const layer = `model.layers.${i}`;
    const { attentionBias, mlpBias } = config;
    specs.push({ name: `${layer}.input_layernorm.weight`, shape: [d], init: 'ones' });
    matrix(`${layer}.self_attn.q_proj`, numAttentionHeads * headDim, d, attentionBias);
    matrix(`${layer}.self_attn.k_proj`, numKeyValueHeads * headDim, d, attentionBias);
    matrix(`${layer}.self_attn.v_proj`, numKeyValueHeads * headDim, d, attentionBias);
    matrix(`${layer}.self_attn.o_proj`, d, numAttentionHeads * headDim, attentionBias, residual);
    specs.push({ name: `${layer}.post_attention_layernorm.weight`, shape: [d], init: 'ones' });
    matrix(`${layer}.mlp.gate_proj`, intermediateSize, d, mlpBias);
    matrix(`${layer}.mlp.up_proj`, intermediateSize, d, mlpBias);
    matrix(`${layer}.mlp.down_proj`, d, intermediateSize, mlpBias, residual);
  }
  specs.push({ name: 'model.norm.weight', shape: [d], init: 'ones' });
  if (!config.tieWordEmbeddings) matrix('lm_head', vocabSize, d, false);
  return specs;
}

/** First values of a weight. Every weight has its own stream of random numbers, so that one's shape does not change another. */
export function initialValues(spec: WeightSpec, seed: number | string): Float32Array {
  const values = new Float32Array(spec.shape.reduce((a, b) => a * b, 1));
  if (spec.init === 'zeros') return values;
  if (spec.init === 'ones') return values.fill(1);
  const random = new Random(seed).fork(spec.name);
  for (let i = 0; i < values.length; i++) values[i] = random.normal() * spec.init;
  return values;
}

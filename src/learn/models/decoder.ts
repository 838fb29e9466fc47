import type * as tf from '@tensorflow/tfjs-core';
import { add } from '@tensorflow/tfjs-core';
import { gatherRows, linear, rmsNorm, swiglu } from '../../base/ops/index.js';
import type { DecoderConfig } from './config.js';

/** The weights of one pass, by Hugging Face name. Frozen ones get no gradient. */
export interface Weights {
  get(name: string): tf.Tensor;
  has(name: string): boolean;
  frozen(name: string): boolean;
}

/** Self-attention of one layer between its projections: positions, cache and masks are the caller's matter. */
export type Attend = (q: tf.Tensor2D, k: tf.Tensor2D, v: tf.Tensor2D, layer: number) => tf.Tensor2D;

/**
 * A Llama-shape decoder (Touvron et al. 2023): pre-norm blocks of grouped-query attention with rotary positions and of
 * SwiGLU, then a last norm.
 *
 * @param ids int32 [tokens], whatever rows they belong to: only `attend` knows
 * @param keep int32, the tokens whose output is wanted; the last layer works on them alone after its attention
 * @returns [tokens or kept, hiddenSize], to be multiplied with the head
 */
export function decode(
  ids: tf.Tensor1D,
  weights: Weights,
  config: DecoderConfig,
  attend: Attend,
  keep?: tf.Tensor1D,
): tf.Tensor2D {
  const norm = (x: tf.Tensor2D, name: string) => rmsNorm(x, weights.get(`${name}.weight`) as tf.Tensor1D, config.rmsNormEps);
  const project = (x: tf.Tensor2D, name: string) => {
    const bias = weights.has(`${name}.bias`) ? (weights.get(`${name}.bias`) as tf.Tensor1D) : undefined;
    return linear(x, weights.get(`${name}.weight`) as tf.Tensor2D, bias, { frozen: weights.frozen(`${name}.weight`) });
  };

  let x = gatherRows(weights.get('model.embed_tokens.weight') as tf.Tensor2D, ids);
  for (let i = 0; i < config.numHiddenLayers; i++) {
    const attention = `model.layers.${i}.self_attn`;
    const mlp = `model.layers.${i}.mlp`;

    let h = norm(x, `model.layers.${i}.input_layernorm`);
    h = attend(project(h, `${attention}.q_proj`), project(h, `${attention}.k_proj`), project(h, `${attention}.v_proj`), i);
    if (keep && i === config.numHiddenLayers - 1) {
      x = gatherRows(x, keep);
      h = gatherRows(h, keep);
    }
    x = add(x, project(h, `${attention}.o_proj`));

    h = norm(x, `model.layers.${i}.post_attention_layernorm`);
    h = swiglu(project(h, `${mlp}.gate_proj`), project(h, `${mlp}.up_proj`));
    x = add(x, project(h, `${mlp}.down_proj`));
  }
  return norm(x, 'model.norm');
}

/** Name of the matrix that turns hidden states into logits. */
export function headName(config: DecoderConfig): string {
  return config.tieWordEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight';
}

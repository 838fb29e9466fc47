import * as tf from '@tensorflow/tfjs-core';
import {
  biasedAttention,
  gatedUnit,
  gatherRows,
  type LaneLayout,
  nonlinear,
  residual,
  rmsNorm,
} from '../../../base/ops/index.js';
import type { Weights } from '../reading.js';
import { feedForward, type T5Config } from './config.js';
import { relativeBias } from './relative-position.js';
import { SHARED } from './weights.js';

/** How one stack attends: its layers call it between their projections. */
export type StackAttend = (q: tf.Tensor2D, k: tf.Tensor2D, v: tf.Tensor2D, layer: number) => tf.Tensor2D;

/** Attention of the decoder to the encoder: keys and values may be at hand already. */
export type CrossAttend = (q: tf.Tensor2D, layer: number) => tf.Tensor2D;

/** The tokens of one side of a batch, laid out. */
export interface Laid {
  /** int32 [tokens]. */
  ids: tf.Tensor1D;
  layout: LaneLayout;
  /** int32 [time · time], see `relativeBuckets`. */
  buckets: tf.Tensor1D;
  /** Added to the embeddings, [tokens, hiddenSize]: NEFTune's noise. */
  noise?: tf.Tensor2D;
}

/**
 * The encoder (Raffel et al. 2020): pre-norm blocks of attention in both directions with relative positions and of a feed-forward
 * network, then a last norm.
 *
 * @returns [tokens, hiddenSize]
 */
export function encode({ ids, layout, buckets, noise }: Laid, weights: Weights, config: T5Config): tf.Tensor2D {
  const attend = selfAttention('encoder', layout, buckets, weights);
  let x = gatherRows(weights.get(SHARED) as tf.Tensor2D, ids);
  if (noise) x = tf.add(x, noise);
  for (let i = 0; i < config.numHiddenLayers; i++) {
    // What is not kept for a gradient is freed layer by layer.
    x = tf.tidy(() => {
      const h = selfBlock(x, `encoder.block.${i}.layer.0`, i, attend, weights, config);
      return mlpBlock(h, `encoder.block.${i}.layer.1`, i, weights, config);
    });
  }
  return norm(x, 'encoder.final_layer_norm', weights, config);
}

/**
 * The decoder: as the encoder, but looking back only, with attention to the encoder's output in every block.
 *
 * @param ids int32 [tokens], whatever rows they belong to: only the attentions know
 * @param keep int32, the tokens whose output is wanted
 * @returns [tokens or kept, hiddenSize], to be multiplied with the head; scaled where the configuration says so
 */
export function decode(
  ids: tf.Tensor1D,
  weights: Weights,
  config: T5Config,
  attend: StackAttend,
  cross: CrossAttend,
  keep?: tf.Tensor1D,
): tf.Tensor2D {
  let x = gatherRows(weights.get(SHARED) as tf.Tensor2D, ids);
  for (let i = 0; i < config.numDecoderLayers; i++) {
    const block = `decoder.block.${i}.layer`;
    // Layers count on behind the encoder's, so that each has a number of its own.
    const layer = config.numHiddenLayers + i;
    x = tf.tidy(() => {
      let h = selfBlock(x, `${block}.0`, layer, (q, k, v) => attend(q, k, v, i), weights, config);
      h = crossBlock(h, `${block}.1`, layer, q => cross(q, i), weights, config);
      // Nothing after the last attention looks at other tokens.
      if (keep && i === config.numDecoderLayers - 1) h = gatherRows(h, keep);
      return mlpBlock(h, `${block}.2`, layer, weights, config);
    });
  }
  x = norm(x, 'decoder.final_layer_norm', weights, config);
  return config.scaleDecoderOutputs ? tf.mul(x, config.hiddenSize ** -0.5) : x;
}

/** Biases of the distances between the decoder's tokens: [buckets, heads]. The first layer's table serves all. */
export const DECODER_BIAS = 'decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight';
const ENCODER_BIAS = 'encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight';

/** Attention within rows of one stack, with its relative bias. */
export function selfAttention(
  stack: 'encoder' | 'decoder',
  layout: LaneLayout,
  buckets: tf.Tensor1D,
  weights: Weights,
): StackAttend {
  const name = stack === 'encoder' ? ENCODER_BIAS : DECODER_BIAS;
  const bias = relativeBias(weights.get(name) as tf.Tensor2D, buckets, layout.queryTime, layout.keyTime);
  const frozen = weights.frozen(name);
  return (q, k, v) => biasedAttention(q, k, v, layout, { bias, frozen });
}

/** Keys and values that a decoder layer makes of the encoder's output: [encoder tokens, heads · headDim] each. */
export function crossKeyValues(encoded: tf.Tensor2D, layer: number, weights: Weights): { k: tf.Tensor2D; v: tf.Tensor2D } {
  const name = `decoder.block.${layer}.layer.1.EncDecAttention`;
  return { k: weights.project(encoded, `${name}.k`), v: weights.project(encoded, `${name}.v`) };
}

function norm(x: tf.Tensor2D, name: string, weights: Weights, config: T5Config): tf.Tensor2D {
  return rmsNorm(x, weights.get(`${name}.weight`) as tf.Tensor1D, config.layerNormEpsilon, {
    frozen: weights.frozen(`${name}.weight`),
  });
}

function selfBlock(
  x: tf.Tensor2D,
  name: string,
  layer: number,
  attend: StackAttend,
  weights: Weights,
  config: T5Config,
): tf.Tensor2D {
  const h = norm(x, `${name}.layer_norm`, weights, config);
  const module = `${name}.SelfAttention`;
  const [q, k, v] = ['q', 'k', 'v'].map(part => weights.project(h, `${module}.${part}`));
  const y = weights.project(attend(q!, k!, v!, layer), `${module}.o`);
  return residual(x, weights.behind(y, { layer, kind: 'attention', module }));
}

function crossBlock(
  x: tf.Tensor2D,
  name: string,
  layer: number,
  attend: (q: tf.Tensor2D) => tf.Tensor2D,
  weights: Weights,
  config: T5Config,
): tf.Tensor2D {
  const module = `${name}.EncDecAttention`;
  const q = weights.project(norm(x, `${name}.layer_norm`, weights, config), `${module}.q`);
  const y = weights.project(attend(q), `${module}.o`);
  return residual(x, weights.behind(y, { layer, kind: 'attention', module }));
}

function mlpBlock(x: tf.Tensor2D, name: string, layer: number, weights: Weights, config: T5Config): tf.Tensor2D {
  const { kind, gated } = feedForward(config.feedForwardProj)!;
  const module = `${name}.DenseReluDense`;
  const h = norm(x, `${name}.layer_norm`, weights, config);
  const inner = gated
    ? gatedUnit(weights.project(h, `${module}.wi_0`), weights.project(h, `${module}.wi_1`), kind)
    : nonlinear(weights.project(h, `${module}.wi`), kind);
  const y = weights.project(inner, `${module}.wo`);
  return residual(x, weights.behind(y, { layer, kind: 'mlp', module }));
}

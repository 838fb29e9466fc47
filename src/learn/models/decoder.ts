import * as tf from '@tensorflow/tfjs-core';
import { gatedUnit, gatherRows, layerNorm, nonlinear, residual, rmsNorm } from '../../base/ops/index.js';
import type { DecoderConfig } from './config/index.js';
import { mixture } from './mixture.js';
import { type LayerNames, modelNames } from './names.js';
import type { Packed } from './packed.js';
import type { Weights } from './reading.js';
import { wholeSublayers } from './sublayers.js';

/** Self-attention of one layer between its projections: rotation, cache and masks are the caller's matter. */
export type Attend = (q: tf.Tensor2D, k: tf.Tensor2D, v: tf.Tensor2D, layer: number, weights: Weights) => tf.Tensor2D;

/** All that a layer does. */
export type Layer = (x: tf.Tensor2D, layer: number) => tf.Tensor2D;

/** The tokens of a pass, and how they attend to each other, or how the whole of a layer is done. */
export type DecoderInput = Tokens & (Attending | { layer: Layer });

/** How tokens attend to each other. */
export interface Attending {
  attend: Attend;
  /** Where `attend` is nothing but attention within these rows: both halves of a layer may then be done in one call each. */
  within?: Packed;
  layer?: undefined;
}

/** The tokens of a pass, whatever rows they belong to: only {@link Attend} knows. */
interface Tokens {
  /** Ids of the real tokens, int32. */
  ids: tf.Tensor1D;
  /** Position of every token, int32; needed where positions are learned. */
  positions: tf.Tensor1D;
  /** Where virtual tokens stand between the real ones: {@link Packed.slots}. */
  slots?: tf.Tensor1D;
  /** Added to the embeddings of the real tokens, [tokens, hiddenSize]: NEFTune's noise. */
  noise?: tf.Tensor2D;
  /** int32, the tokens whose output is wanted; the last layer works on them alone after its attention. */
  keep?: tf.Tensor1D;
  /** Runs a layer so that nothing inside it is kept for the gradient. */
  recompute?: Recompute;
}

/**
 * Run a part of a model that the backward pass computes again.
 * @param module name of the module whose weights the part uses, e.g. model.layers.0
 */
export type Recompute = (module: string, x: tf.Tensor2D, part: (x: tf.Tensor2D, weights: Weights) => tf.Tensor2D) => tf.Tensor2D;

/**
 * A pre-norm decoder (Vaswani et al. 2017; GPT-2; Llama): blocks of self-attention and feed-forward, then a last norm. What
 * sets the families apart are options of the configuration.
 *
 * @returns [tokens or kept, hiddenSize], to be multiplied with the head
 */
export function decode(input: DecoderInput, weights: Weights, config: DecoderConfig): tf.Tensor2D {
  const names = modelNames(config);
  const inside: Recompute = input.recompute ?? ((_, x, part) => part(x, weights));
  let x = embed(input, weights, config);
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    const own = names.layer(layer);
    const next = tf.tidy(() =>
      input.layer ? input.layer(x, layer) : inside(own.module, x, (x, weights) => block(x, layer, own, input, weights, config)),
    );
    x.dispose();
    x = next;
  }
  return normalise(x, names.finalNorm, weights, config);
}

/** One layer: attention and feed-forward, each with its norm, each added to the residual stream. */
function block(
  x: tf.Tensor2D,
  layer: number,
  names: LayerNames,
  input: Tokens & Attending,
  weights: Weights,
  config: DecoderConfig,
): tf.Tensor2D {
  const keep = layer === config.numHiddenLayers - 1 ? input.keep : undefined;
  const { attention, mlp, ...norms } = names;
  const whole = wholeSublayers(x.shape[0], names, weights, config);
  const rows = input.within && whole?.attention(layer, input.within, keep);

  // What is not kept for a gradient is freed sub-layer by sub-layer: of 30 layers' intermediates one is enough.
  const stream = tf.tidy(() => {
    if (rows) return rows(x);
    let h = normalise(x, norms.inputNorm, weights, config);
    h = input.attend(...projections(h, attention, weights, config), layer, weights);
    h = weights.project(keep ? gatherRows(h, keep) : h, attention.output);
    if (config.postNorms) h = normalise(h, norms.postAttentionNorm, weights, config);
    return residual(keep ? gatherRows(x, keep) : x, weights.behind(h, { layer, kind: 'attention', module: attention.module }));
  });
  return tf.tidy(() => {
    if (whole?.feedForward) return whole.feedForward(stream);
    let h = normalise(stream, norms.mlpNorm, weights, config);
    h = feedForward(h, mlp, weights, config);
    if (config.postNorms) h = normalise(h, norms.postMlpNorm, weights, config);
    return residual(stream, weights.behind(h, { layer, kind: 'mlp', module: mlp.module }));
  });
}

/** Embeddings of the tokens, with virtual ones between and learned positions added. */
function embed({ ids, positions, slots, noise }: Tokens, weights: Weights, config: DecoderConfig): tf.Tensor2D {
  const names = modelNames(config);
  let x = gatherRows(weights.get(`${names.embedding}.weight`) as tf.Tensor2D, ids);
  if (config.embeddingScale !== 1) x = tf.mul(x, config.embeddingScale);
  if (noise) x = tf.add(x, noise);
  if (slots) {
    // A prefix has keys and values alone: what goes through the layers in its place is never looked at.
    const virtual = weights.prompt() ?? tf.zeros<tf.Rank.R2>([weights.virtualTokens, config.hiddenSize]);
    x = gatherRows(tf.concat([virtual, x], 0), slots);
  }
  if (!names.positions) return x;
  return tf.add(x, gatherRows(weights.get(`${names.positions}.weight`) as tf.Tensor2D, positions));
}

function projections(
  h: tf.Tensor2D,
  names: LayerNames['attention'],
  weights: Weights,
  config: DecoderConfig,
): [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D] {
  const { numAttentionHeads: heads, numKeyValueHeads: keyHeads, headDim } = config;
  let [q, k, v]: tf.Tensor2D[] = names.fused
    ? (tf.split(
        weights.project(h, names.fused),
        [heads, keyHeads, keyHeads].map(n => n * headDim),
        1,
      ) as tf.Tensor2D[])
    : weights.projectAll(h, [names.query, names.key, names.value]);
  if (config.queryKeyNorm) {
    const perHead = (x: tf.Tensor2D, name: string): tf.Tensor2D =>
      tf.reshape(normalise(tf.reshape(x, [-1, headDim]), name, weights, config), x.shape);
    [q, k] = [perHead(q!, names.queryNorm), perHead(k!, names.keyNorm)];
  }
  return [q!, k!, v!];
}

function feedForward(h: tf.Tensor2D, names: LayerNames['mlp'], weights: Weights, config: DecoderConfig): tf.Tensor2D {
  const { activation } = config;
  if (config.mlp === 'experts') return mixture(h, names, weights, config);
  if (config.mlp === 'plain') return weights.project(nonlinear(weights.project(h, names.up), activation), names.down);
  const [gate, up] = names.fused
    ? (tf.split(weights.project(h, names.fused), 2, 1) as [tf.Tensor2D, tf.Tensor2D])
    : (weights.projectAll(h, [names.gate, names.up]) as [tf.Tensor2D, tf.Tensor2D]);
  return weights.project(gatedUnit(gate, up, activation), names.down);
}

function normalise(x: tf.Tensor2D, name: string, weights: Weights, config: DecoderConfig): tf.Tensor2D {
  const weight = weights.get(`${name}.weight`) as tf.Tensor1D;
  const frozen = weights.frozen(`${name}.weight`);
  if (config.norm === 'rms') return rmsNorm(x, weight, config.normEps, { frozen, offset: config.normOffset });
  const bias = weights.get(`${name}.bias`) as tf.Tensor1D;
  return layerNorm(x, weight, bias, config.normEps, { frozen: frozen && weights.frozen(`${name}.bias`) });
}

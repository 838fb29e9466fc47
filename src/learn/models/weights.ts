import { Random } from '../../base/core/index.js';
import type { DecoderConfig } from './config/index.js';
import { modelNames } from './names.js';

/** One weight of a model: its Hugging Face name, its shape and how it begins. */
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
 * scaled by (2 · layers)^−½ (GPT-2), so that the stream's variance does not grow with depth. The usual 0.02 fails on small
 * models. Where embeddings are multiplied by a factor (Gemma), they begin that much smaller.
 */
export function weightSpecs(config: DecoderConfig): WeightSpec[] {
  const { hiddenSize: d, headDim, numAttentionHeads, numKeyValueHeads, intermediateSize: wide, vocabSize } = config;
  const [queries, keys] = [numAttentionHeads * headDim, numKeyValueHeads * headDim];
  const residual = (2 * config.numHiddenLayers) ** -0.5;
  const names = modelNames(config);
  const specs: WeightSpec[] = [];
  const table = (module: string, rows: number) =>
    specs.push({ name: `${module}.weight`, shape: [rows, d], init: EMBEDDING_STD / config.embeddingScale });
  const norm = (module: string, width = d) => {
    specs.push({ name: `${module}.weight`, shape: [width], init: config.normOffset ? 'zeros' : 'ones' });
    if (config.norm === 'layer') specs.push({ name: `${module}.bias`, shape: [width], init: 'zeros' });
  };
  const matrix = (module: string, out: number, fanIn: number, bias: boolean, scale = 1) => {
    const shape = names.transposed ? [fanIn, out] : [out, fanIn];
    specs.push({ name: `${module}.weight`, shape, init: scale / Math.sqrt(fanIn) });
    if (bias) specs.push({ name: `${module}.bias`, shape: [out], init: 'zeros' });
  };

  table(names.embedding, vocabSize);
  if (names.positions) table(names.positions, config.maxPositionEmbeddings);
  for (let i = 0; i < config.numHiddenLayers; i++) {
    const { attention, mlp, ...norms } = names.layer(i);
    const { attentionBias, mlpBias } = config;
    norm(norms.inputNorm);
    if (attention.fused) matrix(attention.fused, queries + 2 * keys, d, attentionBias);
    else {
      matrix(attention.query, queries, d, attentionBias);
      matrix(attention.key, keys, d, attentionBias);
      matrix(attention.value, keys, d, attentionBias);
    }
    if (config.queryKeyNorm) {
      norm(attention.queryNorm, headDim);
      norm(attention.keyNorm, headDim);
    }
    matrix(attention.output, d, queries, config.attentionOutputBias, residual);
    if (config.postNorms) norm(norms.postAttentionNorm);
    norm(norms.mlpNorm);
    if (config.mlp === 'experts') {
      matrix(mlp.router, config.numExperts!, d, false);
      for (let e = 0; e < config.numExperts!; e++) {
        const expert = mlp.expert(e);
        matrix(expert.gate, wide, d, false);
        matrix(expert.up, wide, d, false);
        matrix(expert.down, d, wide, false, residual);
      }
    } else {
      if (config.mlp === 'gated') {
        if (mlp.fused) matrix(mlp.fused, 2 * wide, d, mlpBias);
        else matrix(mlp.gate, wide, d, mlpBias);
      }
      if (!(config.mlp === 'gated' && mlp.fused)) matrix(mlp.up, wide, d, mlpBias);
      matrix(mlp.down, d, wide, mlpBias, residual);
    }
    if (config.postNorms) norm(norms.postMlpNorm);
  }
  norm(names.finalNorm);
  if (!config.tieWordEmbeddings) specs.push({ name: `${names.head}.weight`, shape: [vocabSize, d], init: 1 / Math.sqrt(d) });
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

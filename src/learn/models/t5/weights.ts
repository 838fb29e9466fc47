import type { WeightSpec } from '../weights.js';
import { feedForward, type T5Config } from './config.js';

/** The embedding matrix of encoder and decoder. */
export const SHARED = 'shared.weight';

/**
 * Weights that a file may hold though the model does not: copies of the embedding matrix, and a table of the cross attention
 * that the first T5s carried and nobody reads.
 */
export function isT5Copy(name: string): boolean {
  return COPIES.includes(name);
}

const COPIES = [
  'encoder.embed_tokens.weight',
  'decoder.embed_tokens.weight',
  'decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight',
];

/**
 * The weights of a T5 in the order of transformers.
 *
 * They begin as transformers has it: N(0, 1/√fan_in), the queries smaller by √headDim for want of a scale in attention. A head that
 * is not followed by hiddenSize^−½ begins with that as its standard deviation, so that the first loss is about ln(vocabSize).
 */
export function t5WeightSpecs(config: T5Config): WeightSpec[] {
  const { vocabSize, hiddenSize, headDim, intermediateSize, numAttentionHeads, relativeAttentionNumBuckets: buckets } = config;
  const inner = numAttentionHeads * headDim;
  const { gated } = feedForward(config.feedForwardProj)!;
  const specs: WeightSpec[] = [];
  const matrix = (name: string, out: number, fanIn: number, std: number = fanIn ** -0.5) =>
    specs.push({ name: `${name}.weight`, shape: [out, fanIn], init: std });
  const norm = (name: string) => specs.push({ name: `${name}.weight`, shape: [hiddenSize], init: 'ones' });
  const attention = (name: string) => {
    matrix(`${name}.q`, inner, hiddenSize, (hiddenSize * headDim) ** -0.5);
    matrix(`${name}.k`, inner, hiddenSize);
    matrix(`${name}.v`, inner, hiddenSize);
    matrix(`${name}.o`, hiddenSize, inner);
  };
  const stack = (name: string, layers: number, cross: boolean) => {
    for (let i = 0; i < layers; i++) {
      const block = `${name}.block.${i}.layer`;
      attention(`${block}.0.SelfAttention`);
      if (i === 0) matrix(`${block}.0.SelfAttention.relative_attention_bias`, buckets, numAttentionHeads, hiddenSize ** -0.5);
      norm(`${block}.0.layer_norm`);
      if (cross) {
        attention(`${block}.1.EncDecAttention`);
        norm(`${block}.1.layer_norm`);
      }
      const mlp = `${block}.${cross ? 2 : 1}`;
      for (const wi of gated ? ['wi_0', 'wi_1'] : ['wi']) matrix(`${mlp}.DenseReluDense.${wi}`, intermediateSize, hiddenSize);
      matrix(`${mlp}.DenseReluDense.wo`, hiddenSize, intermediateSize);
      norm(`${mlp}.layer_norm`);
    }
    norm(`${name}.final_layer_norm`);
  };
  matrix('shared', vocabSize, hiddenSize, config.tieWordEmbeddings && !config.scaleDecoderOutputs ? hiddenSize ** -0.5 : 1);
  stack('encoder', config.numHiddenLayers, false);
  stack('decoder', config.numDecoderLayers, true);
  if (!config.tieWordEmbeddings) matrix('lm_head', vocabSize, hiddenSize, config.scaleDecoderOutputs ? 1 : hiddenSize ** -0.5);
  return specs;
}

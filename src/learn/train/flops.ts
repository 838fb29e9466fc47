import type { Parameter } from '../../base/core/index.js';
import { countLabels } from './labels.js';
import { isSeq2Seq, sizesOf, type TrainableModel, type TrainRow } from './types.js';

/** Modules of a decoder's last layer that every token goes through; the others see the labelled tokens alone. */
const BEFORE_ATTENTION = /\.(q_proj|k_proj|v_proj|qkv_proj|c_attn)\./;

/**
 * Floating-point operations of the matrix products of a step, forward and backward, that the loss needs; nothing is counted for
 * padding. A matrix of N weights costs 2N a token forward, 2N for the gradient of its input and, where it is trained, 2N for its
 * own: 6N a token (Kaplan et al. 2020), 4N when frozen. The head counts for labelled tokens only, and so does what comes behind the
 * last layer's attention. Attention, QKᵀ and its product with V, costs 12 · width a pair of tokens and layer, and half of the
 * pairs in a causal row do not exist: 6 · width · length² · layers. Norms, activations, adapters' scaling and the optimizer are left
 * out. Undefined for a model without a configuration.
 */
export function stepFlops(model: TrainableModel, rows: readonly TrainRow[]): number | undefined {
  const config = sizesOf(model);
  if (!config) return undefined;
  const seq2seq = isSeq2Seq(model);
  const sum = (value: (row: TrainRow) => number) => rows.reduce((total, row) => total + value(row), 0);
  const read = sum(row => row.ids.length);
  const said = seq2seq ? sum(row => row.labels.length) : read;
  const labelled = sum(row => countLabels(row, seq2seq));
  const vocabulary = new Set(model.vocabularyMatrices?.());
  const last = `.${config.numHiddenLayers - 1}.`;
  const experts = config.numExperts ? (config.numExpertsPerToken ?? 1) / config.numExperts : 1;
  const tokensOf = ({ name }: Parameter): number => {
    if (seq2seq) return name.startsWith('decoder.') && !/EncDecAttention\.[kv]\./.test(name) ? said : read;
    return name.includes(last) && !BEFORE_ATTENTION.test(name) ? labelled : read;
  };
  let flops = 0;
  for (const parameter of model.parameters) {
    if (parameter.shape.length < 2 || vocabulary.has(parameter.name)) continue;
    const active = /\.experts\./.test(parameter.name) ? experts : 1;
    flops += (parameter.trainable ? 6 : 4) * parameter.size * active * tokensOf(parameter);
  }
  // The last of the vocabulary's matrices is the head, shared or not.
  const head = model.parameters.find(({ name }) => name === [...vocabulary].at(-1));
  if (head) flops += (head.trainable ? 6 : 4) * head.size * labelled;
  const width = config.numAttentionHeads * (config.headDim ?? config.hiddenSize / config.numAttentionHeads);
  const pairs = seq2seq
    ? sum(({ ids, labels }) => 12 * ids.length ** 2 + 6 * labels.length ** 2 + 12 * ids.length * labels.length)
    : sum(row => 6 * segments(row).reduce((total, length) => total + length ** 2, 0));
  return flops + width * config.numHiddenLayers * pairs;
}

function segments({ ids, segmentIds }: TrainRow): number[] {
  if (!segmentIds) return [ids.length];
  const lengths = new Map<number, number>();
  for (const segment of segmentIds) lengths.set(segment, (lengths.get(segment) ?? 0) + 1);
  return [...lengths.values()];
}

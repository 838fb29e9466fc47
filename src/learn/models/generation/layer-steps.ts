import * as tf from '@tensorflow/tfjs-core';
import { type AttentionStepParts, fewRowsOps, type ProductParts, rmsNorm, ropeTable } from '../../../base/ops/index.js';
import { byLayer, frequenciesOf, layerWindow } from '../attention-settings.js';
import type { DecoderConfig } from '../config/index.js';
import type { Layer } from '../decoder.js';
import { modelNames } from '../names.js';
import type { Weights } from '../reading.js';
import type { CacheStep } from './cache.js';
import { positionsBehind, type SharedPrefix } from './shared-prefix.js';

/** Layers for a step; undefined where its rows are too many. */
export type LayerSteps = (step: CacheStep) => Layer | undefined;

/**
 * A decoder's layers on one new token a row, in five calls each: norm and projections; rotation, cache and attention; output and
 * residual; norm, gate, up and unit; down and residual. The same as `decode` sub-layer by sub-layer, to rounding. There are none
 * where the kernels are not in use or a layer does more than they know: adapters, experts, capped scores.
 * @param weights of all steps; their tensors must live as long as the steps are used
 * @param shared what all rows have before what is in the cache
 * @returns to be called inside a tidy, which owns what the step's layers share
 */
export function layerSteps(weights: Weights, config: DecoderConfig, shared?: SharedPrefix): LayerSteps {
  const { activation } = config;
  const ops = fewRowsOps(1);
  const plain =
    weights.bare && !config.attentionSoftcap && config.mlp !== 'experts' && !(config.postNorms && config.norm !== 'rms');
  if (!ops || !plain || !ops.hasUnit(activation)) return () => undefined;
  const unit = { kind: activation, gated: config.mlp === 'gated' };
  const parts = Array.from({ length: config.numHiddenLayers }, (_, layer) => layerParts(layer, unit, weights, config));

  /** The last product of a sub-layer, added to the residual stream. */
  const join = (x: tf.Tensor2D, output: ProductParts, residual: tf.Tensor2D, after?: Norm): tf.Tensor2D => {
    if (!after) return ops.products(x, { ...output, residual });
    const { weight, epsilon, offset } = after;
    return tf.add(residual, rmsNorm(ops.products(x, output), weight, epsilon, { frozen: true, offset }));
  };
  return step => {
    if (!fewRowsOps(step.positions.length)) return undefined;
    const positions = tf.tensor1d([...step.positions], 'int32');
    const shapes = attentionShapes(step.positions, config, shared);
    return (x, layer) => {
      const { projections, norms, output, afterAttention, inner, down, afterMlp } = parts[layer]!;
      const { keys, values } = step.slots(layer);
      const heads = ops.products(x, projections);
      const seen = ops.attention(heads, keys.lanes, values.lanes, positions, { ...shapes[layer]!, norms });
      const stream = join(seen, output, x, afterAttention);
      return join(ops.products(stream, inner), down, stream, afterMlp);
    };
  };
}

type Norm = NonNullable<ProductParts['norm']>;

/** What the calls of a layer work on. */
interface LayerParts {
  projections: ProductParts;
  norms: AttentionStepParts['norms'];
  output: ProductParts;
  afterAttention?: Norm;
  inner: ProductParts;
  down: ProductParts;
  afterMlp?: Norm;
}

function layerParts(layer: number, unit: ProductParts['unit'], weights: Weights, config: DecoderConfig): LayerParts {
  const { normEps: epsilon, normOffset: offset, postNorms } = config;
  const { transposed, layer: namesOf } = modelNames(config);
  const { attention, mlp, ...names } = namesOf(layer);
  const vector = (name: string) => weights.get(name) as tf.Tensor1D;
  const norm = (name: string): Norm => ({
    weight: vector(`${name}.weight`),
    bias: config.norm === 'layer' ? vector(`${name}.bias`) : undefined,
    epsilon,
    offset,
  });
  const products = (...modules: string[]): ProductParts => ({
    matrices: modules.map(module => weights.get(`${module}.weight`) as tf.Tensor2D),
    biases: weights.has(`${modules[0]}.bias`) ? modules.map(module => vector(`${module}.bias`)) : undefined,
    transposed,
  });
  const { query, key, value, queryNorm, keyNorm } = attention;
  const projections = attention.fused ? products(attention.fused) : products(query, key, value);
  const inner = config.mlp === 'plain' ? products(mlp.up) : mlp.fused ? products(mlp.fused) : products(mlp.gate, mlp.up);
  return {
    projections: { ...projections, norm: norm(names.inputNorm) },
    norms: config.queryKeyNorm
      ? { query: vector(`${queryNorm}.weight`), key: vector(`${keyNorm}.weight`), epsilon, offset }
      : undefined,
    output: products(attention.output),
    afterAttention: postNorms ? norm(names.postAttentionNorm) : undefined,
    inner: { ...inner, norm: norm(names.mlpNorm), unit },
    down: products(mlp.down),
    afterMlp: postNorms ? norm(names.postMlpNorm) : undefined,
  };
}

/** By layer: heads, window, scale and the rotation to these positions. */
function attentionShapes(slots: readonly number[], config: DecoderConfig, shared?: SharedPrefix): AttentionStepParts[] {
  const { numAttentionHeads: heads, numKeyValueHeads: keyHeads, headDim } = config;
  const positions = positionsBehind(shared, slots);
  const length = Math.max(...positions) + 1;
  const turns = byLayer(config, ({ rope, scale }) => {
    if (!rope) return { scale };
    const { frequencies, attentionFactor } = frequenciesOf(rope, config, length);
    const { cos, sin } = ropeTable(positions, frequencies, 1, 1, { headDim, turnedScale: attentionFactor });
    return { scale, rotation: { cos, sin } };
  });
  return turns.map((turn, layer) => ({
    ...turn,
    heads,
    keyHeads,
    window: layerWindow(config, layer) ?? 0,
    shared: shared?.layer(layer),
  }));
}

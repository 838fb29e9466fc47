import type * as tf from '@tensorflow/tfjs-core';
import { type SublayerWeight, sublayerOps } from '../../base/ops/index.js';
import { layerWindow } from './attention-settings.js';
import type { DecoderConfig } from './config/index.js';
import type { LayerNames } from './names.js';
import type { Packed } from './packed.js';
import type { Weights } from './reading.js';

/** A half of a layer in one call, norm and residual stream included: differentiable. */
export type WholeSublayer = (x: tf.Tensor2D) => tf.Tensor2D;

/** The halves of a layer that can be done so; see {@link wholeSublayers}. */
export interface WholeSublayers {
  /** @param keep int32, the tokens that go on; all without it */
  attention(layer: number, rows: Packed, keep: tf.Tensor1D | undefined): WholeSublayer | undefined;
  feedForward?: WholeSublayer;
}

/**
 * The halves of a layer that one call does, forward and backward: those of the Llama shape, with norms by root mean square and without
 * biases, adapters and norms of queries and keys, where the fused kernels are in use. The same as sub-layer by sub-layer, to rounding.
 * @param rows tokens that the layer works on
 */
export function wholeSublayers(
  rows: number,
  { attention, mlp, ...norms }: LayerNames,
  weights: Weights,
  config: DecoderConfig,
): WholeSublayers | undefined {
  const ops = sublayerOps(rows);
  if (!ops || !weights.bare || config.norm !== 'rms' || config.postNorms) return undefined;
  const weight = (module: string): SublayerWeight => ({
    value: weights.get(`${module}.weight`),
    frozen: weights.frozen(`${module}.weight`),
  });
  const { normEps: epsilon, normOffset: offset, activation } = config;
  const gated = config.mlp === 'gated' && !mlp.fused && !config.mlpBias && ops.hasUnit(activation);
  const { query, key, value, output } = attention;
  const biased = config.attentionBias || config.attentionOutputBias;
  const attends = !attention.fused && !biased && !config.queryKeyNorm && !config.attentionSoftcap;
  return {
    attention(layer, rows, keep) {
      const rope = rows.rope(layer);
      if (!attends || !rope || weights.prefix(layer)) return undefined;
      const modules = { norm: norms.inputNorm, query, key, value, output };
      const parts = Object.fromEntries(Object.entries(modules).map(([part, module]) => [part, weight(module)]));
      const { layout } = rows;
      const window = layerWindow(config, layer);
      const given = { ...(parts as Record<keyof typeof modules, SublayerWeight>), rope, layout, window, keep, epsilon, offset };
      return x => ops.attention(x, given);
    },
    feedForward: gated
      ? x => {
          const [norm, gate, up, down] = [norms.mlpNorm, mlp.gate, mlp.up, mlp.down].map(weight) as [
            SublayerWeight,
            SublayerWeight,
            SublayerWeight,
            SublayerWeight,
          ];
          return ops.feedForward(x, { norm, gate, up, down, activation, epsilon, offset });
        }
      : undefined,
  };
}

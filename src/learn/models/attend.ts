import type * as tf from '@tensorflow/tfjs-core';
import { causalAttention, rope } from '../../base/ops/index.js';
import { attentionScale, layerWindow } from './attention-settings.js';
import type { DecoderConfig } from './config/index.js';
import type { Attending } from './decoder.js';
import type { Packed } from './packed.js';
import type { Weights } from './reading.js';

/** Attention of every token to the earlier ones of its row or segment. */
export function attendWithin(packed: Packed, config: DecoderConfig): Attending {
  return {
    within: packed,
    attend(q, k, v, layer, weights) {
      const [queries, keys, values] = turned(q, k, v, layer, packed, weights);
      return causalAttention(queries, keys, values, packed.layout, attentionOptions(config, layer, packed));
    },
  };
}

/** Queries, keys and values as attention takes them: rotated, and with a prefix in the place of virtual tokens. */
export function turned(
  q: tf.Tensor2D,
  k: tf.Tensor2D,
  v: tf.Tensor2D,
  layer: number,
  packed: Packed,
  weights: Weights,
): [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D] {
  const tables = packed.rope(layer);
  const [queries, keys] = tables ? [rope(q, tables.query), rope(k, tables.key)] : [q, k];
  const prefix = packed.slots && weights.prefix(layer);
  return prefix ? [queries, packed.prefixed(prefix.keys, keys), packed.prefixed(prefix.values, v)] : [queries, keys, v];
}

/** How a layer attends within {@link Packed.layout}. */
export function attentionOptions(
  config: DecoderConfig,
  layer: number,
  packed: Packed,
): { scale: number; window?: number; softcap?: number } {
  const scale = packed.rope(layer) ? 1 : attentionScale(config, layer);
  return { scale, window: layerWindow(config, layer), softcap: config.attentionSoftcap };
}

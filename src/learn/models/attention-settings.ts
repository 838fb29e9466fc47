import type { DecoderConfig } from './config/index.js';
import { type RopeFrequencies, ropeFrequenciesOf } from './rope-frequencies.js';

/** A layer's sliding window in tokens: a query at position i sees keys at j when i − window < j ≤ i. Undefined: all before. */
export function layerWindow({ layerTypes, slidingWindow }: DecoderConfig, layer: number): number | undefined {
  return layerTypes?.[layer] === 'sliding_attention' ? slidingWindow : undefined;
}

/** Factor of the scores of a layer. */
export function attentionScale({ attentionScale: given, headDim, scaleByLayer }: DecoderConfig, layer: number): number {
  return (given ?? headDim ** -0.5) / (scaleByLayer ? layer + 1 : 1);
}

/**
 * The rotation of a layer's queries and keys, or undefined where positions are learned. Layers of one `kind` share it.
 * @param length longest row at hand, virtual tokens included
 */
export function ropeOf(
  config: DecoderConfig,
  layer: number,
  length: number,
): (RopeFrequencies & { kind: 'global' | 'local' }) | undefined {
  const local = config.localRope !== undefined && layerWindow(config, layer) !== undefined;
  const rope = local ? config.localRope : config.rope;
  if (!rope) return undefined;
  return {
    ...ropeFrequenciesOf(rope, config.headDim, length, config.maxPositionEmbeddings),
    kind: local ? 'local' : 'global',
  };
}

import type { DecoderConfig, RopeConfig } from './config/index.js';
import { type RopeFrequencies, ropeFrequenciesOf } from './rope-frequencies.js';

/** A layer's sliding window in tokens: a query at position i sees keys at j when i − window < j ≤ i. Undefined: all before. */
export function layerWindow({ layerTypes, slidingWindow }: DecoderConfig, layer: number): number | undefined {
  return layerTypes?.[layer] === 'sliding_attention' ? slidingWindow : undefined;
}

/** Factor of the scores of a layer. */
export function attentionScale({ attentionScale: given, headDim, scaleByLayer }: DecoderConfig, layer: number): number {
  return (given ?? headDim ** -0.5) / (scaleByLayer ? layer + 1 : 1);
}

/** What a layer's rotation is made from. */
export interface TurnSettings {
  /** Undefined where positions are learned. */
  rope: RopeConfig | undefined;
  /** Factor of the layer's scores, which the rotation of the queries carries. */
  scale: number;
}

/** By layer, what `make` makes of its rotation and scale: once for all layers that have the same. */
export function byLayer<T>(config: DecoderConfig, make: (settings: TurnSettings) => T): T[] {
  const made = new Map<string, T>();
  return Array.from({ length: config.numHiddenLayers }, (_, layer) => {
    const local = config.localRope !== undefined && layerWindow(config, layer) !== undefined;
    const scale = attentionScale(config, layer);
    const kind = `${local} ${scale}`;
    if (!made.has(kind)) made.set(kind, make({ rope: local ? config.localRope : config.rope, scale }));
    return made.get(kind)!;
  });
}

/**
 * The frequencies of a rotation of these settings.
 * @param length longest row at hand, virtual tokens included
 */
export function frequenciesOf(rope: RopeConfig, config: DecoderConfig, length: number): RopeFrequencies {
  return ropeFrequenciesOf(rope, config.headDim, length, config.maxPositionEmbeddings);
}

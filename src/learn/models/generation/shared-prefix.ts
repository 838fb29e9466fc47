import * as tf from '@tensorflow/tfjs-core';
import {
  type AttentionPart,
  besideKeys,
  causalAttention,
  causalAttentionPart,
  type SharedKeys,
  sharedAttention,
} from '../../../base/ops/index.js';
import { attentionOptions, turned } from '../attend.js';
import { layerWindow } from '../attention-settings.js';
import type { DecoderConfig } from '../config/index.js';
import { type Attend, decode } from '../decoder.js';
import { type Packed, pack } from '../packed.js';
import type { Weights } from '../reading.js';

/** Positions of tokens in these slots of the cache, behind what all rows share. */
export const positionsBehind = (shared: SharedPrefix | undefined, slots: readonly number[]): readonly number[] =>
  shared ? slots.map(slot => shared.length + slot) : slots;

/**
 * Keys and values of a beginning that many rows share, virtual tokens included: computed, kept and read once for all of them. Rows
 * hold what comes behind it.
 */
export class SharedPrefix {
  readonly #config: DecoderConfig;
  readonly #layers: SharedKeys[];

  /** @param layers by layer, to be disposed with this */
  private constructor(
    config: DecoderConfig,
    layers: SharedKeys[],
    /** Places it takes. */
    readonly length: number,
  ) {
    this.#config = config;
    this.#layers = layers;
  }

  /** Run the tokens through the model. */
  static of(tokens: readonly number[], weights: Weights, config: DecoderConfig): SharedPrefix {
    const layers: SharedKeys[] = [];
    const { virtualTokens } = weights;
    const length = tokens.length + virtualTokens;
    try {
      tf.tidy(() => {
        const packed = pack([tokens], config, { shared: false, virtualTokens });
        const attend: Attend = (q, k, v, layer) => {
          const [queries, keys, values] = turned(q, k, v, layer, packed, weights);
          layers.push({ keys: tf.keep(besideKeys(keys, packed.layout)), values: tf.keep(besideKeys(values, packed.layout)) });
          return causalAttention(queries, keys, values, packed.layout, attentionOptions(config, layer, packed));
        };
        try {
          decode({ ...packed, attend, keep: tf.tensor1d([length - 1], 'int32') }, weights, config);
        } finally {
          packed.dispose();
        }
      });
      return new SharedPrefix(config, layers, length);
    } catch (error) {
      release(layers);
      throw error;
    }
  }

  /** What a layer keeps of it; it belongs to this. */
  layer(layer: number): SharedKeys {
    return this.#layers[layer]!;
  }

  /**
   * Attention of rows that go on behind it.
   * @param packed laid out with `behind`: {@link length}
   * @param took is told the rows' own keys and values, as attention takes them
   */
  behind(packed: Packed, took?: (layer: number, keys: tf.Tensor2D, values: tf.Tensor2D) => void): Attend {
    const { layout } = packed;
    const positions = layout.lengths.flatMap(length => Array.from({ length }, (_, t) => this.length + t));
    return (q, k, v, layer, weights) => {
      const [queries, keys, values] = turned(q, k, v, layer, packed, weights);
      took?.(layer, keys, values);
      const { scale, ...options } = attentionOptions(this.#config, layer, packed);
      const scaled: tf.Tensor2D = scale === 1 ? queries : tf.mul(queries, scale);
      return this.join(scaled, causalAttentionPart(scaled, keys, values, layout, { ...options, scale: 1 }), layer, positions);
    };
  }

  /**
   * Attention that goes on from what is behind the prefix to the prefix.
   * @param q [tokens, heads · headDim], scaled
   * @param positions in the whole row
   */
  join(q: tf.Tensor2D, own: AttentionPart, layer: number, positions: readonly number[]): tf.Tensor2D {
    const { numAttentionHeads: heads, attentionSoftcap: softcap } = this.#config;
    return sharedAttention(q, own, this.layer(layer), positions, { heads, window: layerWindow(this.#config, layer), softcap });
  }

  dispose(): void {
    release(this.#layers);
  }
}

/**
 * Whether what is computed for a beginning holds whatever comes behind it, up to this length: rotations that depend on the length at
 * hand (`dynamic`, `longrope`) turn the beginning of a long row otherwise.
 */
export function holdsBefore(length: number, { rope, localRope, maxPositionEmbeddings }: DecoderConfig): boolean {
  return [rope, localRope].every(
    settings =>
      (settings?.type !== 'dynamic' && settings?.type !== 'longrope') ||
      length <= (settings.originalMaxPositionEmbeddings ?? maxPositionEmbeddings),
  );
}

function release(layers: SharedKeys[]): void {
  for (const { keys, values } of layers) tf.dispose([keys, values]);
  layers.length = 0;
}

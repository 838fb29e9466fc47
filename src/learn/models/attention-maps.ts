import * as tf from '@tensorflow/tfjs-core';
import { BadInput } from '../../base/core/index.js';
import { causalAttention, softcapped } from '../../base/ops/index.js';
import { attentionOptions, turned } from './attend.js';
import { type Attend, decode } from './decoder.js';
import type { DecoderModel } from './decoder-model.js';
import { pack } from './packed.js';

/** What one head of one layer looks at, as plain numbers: `show.attention({ tokens, maps })` draws it. */
export interface AttentionWeights {
  /** `layer 0, head 3`. */
  name: string;
  layer: number;
  head: number;
  /** `weights[query][key]`, from 0 to 1. A query's weights add up to 1, less what it gives to virtual tokens. */
  weights: Float32Array[];
}

export interface AttentionMapsOptions {
  /** Layers wanted; all of them unless told. Negative ones count from the last. */
  layers?: readonly number[];
}

/** Numbers kept at most: 128 MB. */
const MOST = 2 ** 25;

/**
 * Attention weights of one row of tokens in a decoder, by layer and head, with the adapters in use. Costs one pass, and for every
 * layer wanted the square of the tokens for each head. Throws BadInput where that is more than 2²⁵ numbers.
 */
export function attentionMaps(
  model: DecoderModel,
  ids: readonly number[],
  options: AttentionMapsOptions = {},
): AttentionWeights[] {
  const { config } = model;
  const { numHiddenLayers: count, numAttentionHeads: heads, numKeyValueHeads: keyHeads, headDim } = config;
  const wanted = layersOf(options.layers, count);
  if (wanted.size * heads * ids.length ** 2 > MOST)
    throw new BadInput({
      problem: 'too many attention weights',
      expected: `at most ${MOST.toLocaleString('en')} of them`,
      found: `${wanted.size} layers × ${heads} heads × ${ids.length}² tokens`,
      fix: 'ask for a shorter row or fewer layers: { layers: [0, -1] }',
    });
  const maps: AttentionWeights[] = [];
  tf.tidy(() => {
    const weights = model.readWeights(model.readValues());
    const virtual = weights.virtualTokens;
    const packed = pack([ids], config, { virtualTokens: virtual, shared: false });
    const attend: Attend = (q, k, v, layer) => {
      const [queries, keys, values] = turned(q, k, v, layer, packed, weights);
      const how = attentionOptions(config, layer, packed);
      if (wanted.has(layer)) {
        const time = ids.length + virtual;
        const shares = tf.tidy(() => {
          const perHead = (x: tf.Tensor2D, of: number) => tf.transpose(tf.reshape(x, [time, of, headDim]), [1, 0, 2]);
          // Heads of a group share their keys.
          const shared = tf.tile(tf.expandDims(perHead(keys, keyHeads), 1), [1, heads / keyHeads, 1, 1]);
          const scores = tf.matMul(
            tf.mul(perHead(queries, heads), how.scale),
            tf.reshape(shared, [heads, time, headDim]) as tf.Tensor3D,
            false,
            true,
          );
          return tf.softmax(tf.add(softcapped(scores, how.softcap), hidden(time, how.window)));
        });
        const numbers = shares.dataSync();
        shares.dispose();
        for (let head = 0; head < heads; head++)
          maps.push({
            name: `layer ${layer}, head ${head}`,
            layer,
            head,
            weights: ids.map((_, query) => {
              const start = (head * time + virtual + query) * time + virtual;
              return Float32Array.from(numbers.subarray(start, start + ids.length));
            }),
          });
      }
      return causalAttention(queries, keys, values, packed.layout, how);
    };
    try {
      decode({ ...packed, attend }, weights, config);
    } finally {
      packed.dispose();
    }
  });
  return maps;
}

/** 0 where a query may look, a very small number where it may not. */
function hidden(time: number, window = Number.POSITIVE_INFINITY): tf.Tensor2D {
  const mask = new Float32Array(time * time);
  for (let i = 0; i < time; i++) for (let j = 0; j < time; j++) if (j > i || j <= i - window) mask[i * time + j] = -1e30;
  return tf.tensor2d(mask, [time, time]);
}

function layersOf(given: readonly number[] | undefined, count: number): Set<number> {
  const layers = given?.map(layer => (layer < 0 ? count + layer : layer));
  for (const [i, layer] of (layers ?? []).entries())
    if (!Number.isInteger(layer) || layer < 0 || layer >= count)
      throw new BadInput({ problem: 'no such layer', expected: `a layer from ${-count} to ${count - 1}`, found: `${given![i]}` });
  return new Set(layers ?? Array.from({ length: count }, (_, layer) => layer));
}

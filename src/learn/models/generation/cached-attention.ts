import * as tf from '@tensorflow/tfjs-core';
import { native } from '../../../base/backend/index.js';
import {
  type AttentionPart,
  batchMatmul,
  cachedAttention,
  matmul,
  type RopeTable,
  rope,
  ropeTable,
  rotation,
  softcapped,
  weighted,
} from '../../../base/ops/index.js';
import { byLayer, frequenciesOf, layerWindow } from '../attention-settings.js';
import type { DecoderConfig } from '../config/index.js';
import type { Attend } from '../decoder.js';
import type { CacheStep } from './cache.js';
import { positionsBehind, type SharedPrefix } from './shared-prefix.js';

/** A single row with at most this many key heads is worked off without a batched product. */
const FEW_HEADS = 8;

/**
 * Attention of one new token a row to all that its row has in the cache, which takes its key and value, and to what all rows share
 * before that. Call inside a tidy.
 */
export function attendCached(step: CacheStep, config: DecoderConfig, shared?: SharedPrefix): Attend {
  const { numAttentionHeads: heads, numKeyValueHeads: keyHeads, headDim, attentionSoftcap } = config;
  const rows = step.positions.length;
  const places = positionsBehind(shared, step.positions);
  const turn = turning(places, config);
  const whole = (queries: tf.Tensor2D) => tf.reshape(queries, [rows, heads * headDim]) as tf.Tensor2D;
  const join = (queries: tf.Tensor2D, own: AttentionPart, layer: number): tf.Tensor2D =>
    shared ? shared.join(queries, own, layer, places) : own.out;
  const door = native();
  if (door?.fused && !attentionSoftcap) {
    const positions = tf.tensor1d([...step.positions], 'int32');
    return (q, k, v, layer) => {
      const { queries, keys: fresh } = turn(q, k, layer);
      const { keys, values } = step.append(layer, fresh, tf.reshape(v, [rows * keyHeads, headDim]));
      const options = { heads, keyHeads, window: layerWindow(config, layer) };
      return join(whole(queries), cachedAttention(whole(queries), keys.lanes, values.lanes, positions, options)!, layer);
    };
  }
  // On CPUs a batched product costs more than all keys against all queries, of which a mask keeps the own ones.
  const together = !shared && rows === 1 && keyHeads <= FEW_HEADS && door !== undefined && !door.gpu;
  // What layers share is made here, not in the scope of the first layer that wants it.
  const masks = Array.from({ length: config.numHiddenLayers }, (_, layer) => {
    const window = layerWindow(config, layer);
    return together ? step.headMask(heads, window) : step.mask(window);
  });
  return (q, k, v, layer) => {
    const { queries, keys: fresh } = turn(q, k, layer);
    const { keys, values } = step.append(layer, fresh, tf.reshape(v, [rows * keyHeads, headDim]));
    const mask = masks[layer]!;
    if (together) {
      const scores = softcapped(matmul(queries, keys.flat, false, true), attentionSoftcap);
      const p = tf.softmax(tf.add(scores, mask)) as tf.Tensor2D;
      return tf.reshape(matmul(p, values.flat), [1, heads * headDim]);
    }
    const grouped = tf.reshape(queries, [rows * keyHeads, heads / keyHeads, headDim]) as tf.Tensor3D;
    const scores = softcapped(batchMatmul(grouped, keys.lanes, false, true), attentionSoftcap);
    const { out, logSum } = weighted(tf.add(scores, mask), values.lanes);
    return join(
      whole(queries),
      { out: tf.reshape(out, [rows, heads * headDim]), logSum: tf.reshape(logSum, [rows, heads]) },
      layer,
    );
  };
}

interface Turned {
  /** Rotated and scaled, [rows · heads, headDim]. */
  queries: tf.Tensor2D;
  /** Rotated, [rows · keyHeads, headDim]. */
  keys: tf.Tensor2D;
}

/** Rotates queries and keys to these positions, and scales queries. */
function turning(positions: readonly number[], config: DecoderConfig): (q: tf.Tensor2D, k: tf.Tensor2D, layer: number) => Turned {
  const { numAttentionHeads: heads, numKeyValueHeads: keyHeads, headDim } = config;
  const length = Math.max(...positions) + 1;
  const narrow = (x: tf.Tensor2D) => tf.reshape(x, [-1, headDim]) as tf.Tensor2D;
  const turns = byLayer(config, ({ rope: settings, scale }): ((q: tf.Tensor2D, k: tf.Tensor2D) => Turned) => {
    if (!settings) return (q, k) => ({ queries: narrow(tf.mul(q, scale)), keys: narrow(k) });
    const { frequencies, attentionFactor } = frequenciesOf(settings, config, length);
    const options = { headDim, turnedScale: attentionFactor };
    if (positions.every(position => position === positions[0])) {
      // One position: the rotation is one small matrix for all heads.
      const [query, key] = [scale, 1].map(factor => rotation(positions[0]!, frequencies, factor, options));
      return (q, k) => ({ queries: matmul(narrow(q), query!), keys: matmul(narrow(k), key!) });
    }
    const table = (count: number, factor: number): RopeTable => ropeTable(positions, frequencies, count, factor, options);
    const [query, key] = [table(heads, scale), table(keyHeads, 1)];
    return (q, k) => ({ queries: narrow(rope(q, query)), keys: narrow(rope(k, key)) });
  });
  return (q, k, layer) => turns[layer]!(q, k);
}

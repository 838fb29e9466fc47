import * as tf from '@tensorflow/tfjs-core';
import { biasedAttention, type LaneLayout, laneLayout } from '../../../base/ops/index.js';
import type { Weights } from '../reading.js';
import type { EncoderRows } from './batch.js';
import type { T5Config } from './config.js';
import { crossKeyValues, decode, encode, type Laid, selfAttention } from './network.js';
import { relativeBuckets } from './relative-position.js';

/** Both sides of a batch, laid out with everything that the layers share. */
export interface Pair {
  encoder: Laid;
  decoder: Laid;
  /** Of the decoder's tokens to the encoder's. */
  cross: LaneLayout;
  dispose(): void;
}

/** Lay the encoder's rows out. */
export function layEncoder({ rows, hidden }: EncoderRows, config: T5Config): Laid & { dispose(): void } {
  return lay(rows, config, laneLayoutOf(rows, config, { hidden }), true);
}

/** Lay both sides out. Dispose it after the gradients have run. */
export function layPair(encoderRows: EncoderRows, decoderRows: readonly (readonly number[])[], config: T5Config): Pair {
  const encoder = layEncoder(encoderRows, config);
  const decoder = lay(decoderRows, config, laneLayoutOf(decoderRows, config, { causal: true }), false);
  const lengths = (rows: readonly (readonly number[])[]) => rows.map(row => row.length);
  const { hidden } = encoderRows;
  const cross = laneLayout(lengths(decoderRows), lengths(encoderRows.rows), config.numAttentionHeads, { hidden });
  return {
    encoder,
    decoder,
    cross,
    dispose() {
      encoder.dispose();
      decoder.dispose();
      cross.dispose();
    },
  };
}

/** Hidden states of the decoder's tokens (or of those to keep), ready for the head: [tokens, hiddenSize]. Differentiable. */
export function hiddenStates(pair: Pair, weights: Weights, config: T5Config, keep?: tf.Tensor1D): tf.Tensor2D {
  const encoded = encode(pair.encoder, weights, config);
  const { ids, layout, buckets } = pair.decoder;
  return decode(
    ids,
    weights,
    config,
    selfAttention('decoder', layout, buckets, weights),
    (q, layer) => {
      const { k, v } = crossKeyValues(encoded, layer, weights);
      return biasedAttention(q, k, v, pair.cross);
    },
    keep,
  );
}

function laneLayoutOf(
  rows: readonly (readonly number[])[],
  config: T5Config,
  options: { causal?: boolean; hidden?: boolean[][] },
): LaneLayout {
  const lengths = rows.map(row => row.length);
  return laneLayout(lengths, lengths, config.numAttentionHeads, options);
}

function lay(
  rows: readonly (readonly number[])[],
  config: T5Config,
  layout: LaneLayout,
  bidirectional: boolean,
): Laid & { dispose(): void } {
  const ids = tf.tensor1d(Int32Array.from(rows.flat()), 'int32');
  const buckets = relativeBuckets(layout.queryTime, layout.keyTime, config, bidirectional);
  return {
    ids,
    layout,
    buckets,
    dispose() {
      tf.dispose([ids, buckets]);
      layout.dispose();
    },
  };
}

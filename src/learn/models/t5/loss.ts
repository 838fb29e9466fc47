import * as tf from '@tensorflow/tfjs-core';
import { matmul, tokenCrossEntropy } from '../../../base/ops/index.js';
import type { LossOptions } from '../model.js';
import { objective } from '../objective.js';
import { HEAD, type Weights } from '../reading.js';
import { checkDecoderRows, encoderRows, type T5Input, type T5Targets } from './batch.js';
import type { T5Config } from './config.js';
import { hiddenStates, layPair, type Pair } from './pass.js';

/** Logits of every position of the decoder: [batch, decoder time, vocabSize]; zeros behind the end of shorter rows. */
export function t5Logits(input: T5Input, weights: Weights, config: T5Config): tf.Tensor3D {
  const rows = encoderRows(input, config);
  const decoderIds = checkDecoderRows(input.decoderIds, rows.rows.length, config);
  const time = Math.max(...decoderIds.map(row => row.length));
  const shape: [number, number, number] = [decoderIds.length, time, config.vocabSize];
  return tf.tidy(() => {
    const hidden = hiddenStates(layPair(rows, decoderIds, config), weights, config);
    const flat = matmul(hidden, weights.get(HEAD) as tf.Tensor2D, false, true);
    const slots = decoderIds.flatMap((row, b) => row.map((_, t) => b * time + t));
    if (slots.length === shape[0] * time) return tf.reshape(flat, shape);
    return tf.reshape(tf.unsortedSegmentSum(flat, tf.tensor1d(slots, 'int32'), shape[0] * time), shape);
  });
}

/** What of a pass with labels the layers share. Dispose it after the gradients have run. */
export interface LabelledPair extends Pair {
  keep: tf.Tensor1D;
  labels: tf.Tensor1D;
  factors: tf.Tensor1D;
}

/** Lay out a batch with labels. */
export function layTargets({ encoder, decoder, keep, labels, weights }: T5Targets, config: T5Config): LabelledPair {
  const pair = layPair({ rows: encoder }, decoder, config);
  const tensors = {
    keep: tf.tensor1d(keep, 'int32'),
    labels: tf.tensor1d(labels, 'int32'),
    factors: tf.tensor1d(weights, 'float32'),
  };
  return {
    ...pair,
    ...tensors,
    dispose() {
      pair.dispose();
      tf.dispose([tensors.keep, tensors.labels, tensors.factors]);
    },
  };
}

/** The numerator of a batch, in nats. Differentiable. */
export function t5LossSum(
  pair: LabelledPair,
  weights: Weights,
  values: ReadonlyMap<string, tf.Tensor>,
  config: T5Config,
  options: LossOptions,
): tf.Scalar {
  const hidden = hiddenStates(pair, weights, config, pair.keep);
  return objective({ hidden, labels: pair.labels, factors: pair.factors, weights, values }, options);
}

/** The loss of every label that counts, in order. */
export function t5TokenLosses(targets: T5Targets, weights: Weights, config: T5Config): tf.Tensor1D {
  return tf.tidy(() => {
    const pair = layTargets(targets, config);
    const hidden = hiddenStates(pair, weights, config, pair.keep);
    return tokenCrossEntropy(hidden, weights.get(HEAD) as tf.Tensor2D, pair.labels);
  });
}

import * as tf from '@tensorflow/tfjs-core';
import { linearCrossEntropy, softcapped } from '../../base/ops/index.js';
import type { LossOptions } from './model.js';
import { HEAD, type Weights } from './reading.js';

/** What of a pass the loss is made from. */
export interface Scored {
  /** Hidden states of the labelled positions, [labelled, hiddenSize]. */
  hidden: tf.Tensor2D;
  labels: tf.Tensor1D;
  /** Factor of every position's loss. */
  factors: tf.Tensor1D;
  weights: Weights;
  values: ReadonlyMap<string, tf.Tensor>;
  softcap?: number;
}

/** The numerator of a batch: the cross entropy of its labels, an extra term, or both. Differentiable. */
export function objective({ hidden, labels, factors, weights, values, softcap }: Scored, options: LossOptions): tf.Scalar {
  const head = weights.get(HEAD) as tf.Tensor2D;
  const { extra, only, labelSmoothing: smoothing, observe } = options;
  const tokens = () =>
    linearCrossEntropy(hidden, head, labels, factors, { frozen: weights.frozen(HEAD), softcap, smoothing, observe });
  if (!extra) return tokens();
  const logits = () => softcapped(tf.matMul(hidden, head, false, true) as tf.Tensor2D, softcap);
  const term = extra({ hidden, head, labels, logits, weights: values });
  return only ? term : tf.add(tokens(), term);
}

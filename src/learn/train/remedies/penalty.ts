import * as tf from '@tensorflow/tfjs-core';
import { fused } from '../../../base/ops/index.js';
import type { TrainPass } from '../../models/index.js';
import type { LossContext } from '../hooks.js';
import type { KeptWeights } from './kept.js';

/**
 * ½ · Σ f · (θ − θ₀)² over weights, as one differentiable op: its gradient, f · (θ − θ₀), is computed on the way, and the tape holds one
 * node, however many weights there are.
 *
 * @param values the weights of the pass
 * @param start θ₀ of each
 * @param importance f of each; 1 without
 */
export function quadraticPenalty(
  values: readonly tf.Tensor[],
  start: readonly tf.Tensor[],
  importance?: readonly tf.Tensor[],
): tf.Scalar {
  return fused<tf.Scalar>([...values], save => {
    const terms: tf.Scalar[] = [];
    const pulls = values.map((value, i) =>
      tf.tidy(() => {
        const away = tf.sub(value, start[i]!);
        const pull = importance ? tf.mul(away, importance[i]!) : away;
        terms.push(tf.keep(tf.sum(tf.mul(away, pull)) as tf.Scalar));
        return pull;
      }),
    );
    const value = tf.mul(tf.addN(terms), 0.5) as tf.Scalar;
    tf.dispose(terms);
    save(...pulls);
    return { value, gradient: (dy, saved) => saved.map(pull => tf.mul(pull, dy)) };
  });
}

/** A penalty on the weights as a hook's loss: `strength` times it is added to the mean loss of the step, however it is cut into batches. */
export function penalty(
  strength: number,
  { weights }: TrainPass,
  { tokens }: LossContext,
  start: KeptWeights,
  importance?: KeptWeights,
): tf.Scalar {
  const names = start.names.filter(name => weights.has(name));
  const of = (kept: KeptWeights) => names.map(name => kept.get(name)!);
  const values = names.map(name => weights.get(name)!);
  // The step divides by the weights of all its labels; each batch brings its part of them.
  const share = tokens.weight.reduce((sum, weight) => sum + weight, 0);
  return tf.mul(quadraticPenalty(values, of(start), importance && of(importance)), strength * share) as tf.Scalar;
}

import * as tf from '@tensorflow/tfjs-core';
import type { Model } from '../../../../src/learn/models/index.js';
import type { Hooks } from '../../../../src/learn/train/index.js';

/**
 * Hooks that hold a model near another: weight · Σ KL(π ‖ π₀) over the trained tokens is added to the loss.
 * @param base the model as it was: load it a second time, or with adapters use one without any
 */
export function klToBase(base: Model, weight: number): Hooks {
  return {
    loss(pass, { rows, tokens }) {
      const all = base.logits({ ids: rows.map(({ ids }) => [...ids]) });
      // What predicts the token at t is the position before.
      const places = tokens.row.map((row, i) => row * all.shape[1] + tokens.at[i]! - 1);
      const flat = tf.reshape(all, [-1, all.shape[2]]);
      const before = tf.logSoftmax(tf.gather(flat, tf.tensor1d(places, 'int32')));
      const now = tf.logSoftmax(pass.logits());
      return tf.mul(tf.sum(tf.mul(tf.exp(now), tf.sub(now, before))), weight) as tf.Scalar;
    },
  };
}

import * as tf from '@tensorflow/tfjs-core';
import { checkNumber, refuseUnknown } from '../check.js';
import type { Optimizer, OptimizerState } from '../types.js';
import { zerosLike } from './slots.js';

export interface SgdOptions {
  learningRate?: number;
  /** Default 0: no momentum, and no memory for it. */
  momentum?: number;
}

/** Stochastic gradient descent as `torch.optim.SGD`: b ← μ b + g, p ← p − lr · b (without momentum p ← p − lr · g). */
export function sgd(options: SgdOptions = {}): Optimizer {
  refuseUnknown('sgd', options, ['learningRate', 'momentum']);
  const momentum = checkNumber('momentum', options.momentum ?? 0, { from: 0, below: 1 });
  return {
    name: 'sgd',
    learningRate: options.learningRate === undefined ? undefined : checkNumber('learningRate', options.learningRate, { from: 0 }),
    settings: { momentum },
    init: parameters => {
      const slots: OptimizerState['slots'] = {};
      if (momentum > 0) slots.velocity = parameters.map(zerosLike);
      return { updates: 0, slots };
    },
    step(parameters, gradients, state, { scale, learningRate }) {
      state.updates++;
      parameters.forEach((parameter, i) => {
        const velocity = state.slots.velocity?.[i];
        tf.tidy(() => {
          let change: tf.Tensor = tf.mul(gradients[i]!, scale);
          if (velocity) {
            change = tf.add(tf.mul(velocity.read(), momentum), change);
            velocity.write(change);
          }
          parameter.write(tf.sub(parameter.read(), tf.mul(change, learningRate)));
        });
        gradients[i]!.dispose();
      });
    },
  };
}

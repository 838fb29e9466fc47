import * as tf from '@tensorflow/tfjs-core';
import { refuseUnknown } from '../../../base/core/index.js';
import { checkNumber } from '../check.js';
import type { Optimizer } from '../types.js';
import { countLayers, GROUP_OPTIONS, type GroupOptions, treatments } from './groups.js';
import { average, shrink, subtractFrom } from './in-place.js';
import { zerosLike } from './slots.js';

/** Settings of {@link lion}. Defaults are the paper's. */
export interface LionOptions extends GroupOptions {
  /** Weight of the past in the update, and in the momentum. Default [0.9, 0.99]. */
  betas?: readonly [number, number];
  /** Decoupled weight decay. Default 0. */
  weightDecay?: number;
}

/**
 * Lion (Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms"): every weight moves by the same amount, only the sign
 * is learned; half the memory of AdamW. Wants a learning rate 3 to 10 times smaller than AdamW's and a weight decay as much larger.
 *
 *     p ← p (1 − lr·wd) − lr · sign(β₁ m + (1−β₁) g)         m ← β₂ m + (1−β₂) g
 */
export function lion(options: LionOptions = {}): Optimizer {
  refuseUnknown('lion', options, [...GROUP_OPTIONS, 'betas', 'weightDecay']);
  const [first, second] = options.betas ?? [0.9, 0.99];
  const beta1 = checkNumber('betas', first, { from: 0, below: 1 });
  const beta2 = checkNumber('betas', second, { from: 0, below: 1 });
  const weightDecay = checkNumber('weightDecay', options.weightDecay ?? 0, { from: 0 });
  const how = treatments(options, weightDecay);
  return {
    name: 'lion',
    learningRate: how.learningRate,
    settings: { beta1, beta2, weightDecay, ...how.settings },
    check: how.check,
    init: parameters => ({ updates: 0, slots: { m: parameters.map(zerosLike) }, layers: countLayers(parameters) }),
    step(parameters, gradients, state, { scale, learningRate }) {
      state.updates++;
      parameters.forEach((parameter, i) => {
        const m = state.slots.m![i]!;
        const treatment = how.of(parameter, state.layers);
        const lr = learningRate * treatment.rate;
        shrink(parameter, 1 - lr * treatment.weightDecay);
        const gradient = tf.mul(gradients[i]!, scale);
        gradients[i]!.dispose();
        // β₁ m + (1−β₁) g has the sign of m + (1−β₁)/β₁ · g: one product less.
        const change = tf.tidy(() => {
          const blend = beta1 === 0 ? gradient : tf.add(m.read(), tf.mul(gradient, (1 - beta1) / beta1));
          return tf.mul(tf.sign(blend), lr);
        });
        subtractFrom(parameter, change);
        change.dispose();
        average(m, gradient, beta2);
        gradient.dispose();
      });
    },
  };
}

import * as tf from '@tensorflow/tfjs-core';
import { native } from '../../../base/backend/index.js';
import { BadInput, type Parameter, refuseUnknown } from '../../../base/core/index.js';
import { checkNumber } from '../check.js';
import type { Optimizer, OptimizerState } from '../types.js';
import { countLayers, GROUP_OPTIONS, type GroupOptions, treatments } from './groups.js';
import { handles, subtractFrom } from './in-place.js';
import { zerosLike } from './slots.js';

/** Settings of {@link sgd}. Defaults are PyTorch's. */
export interface SgdOptions extends GroupOptions {
  /** Default 0: no momentum, and no memory for it. */
  momentum?: number;
  /** Step from where the momentum is about to lead (Sutskever et al. 2013). Default false. */
  nesterov?: boolean;
  /** L2 regularisation: weightDecay · p is added to the gradient. Default 0. */
  weightDecay?: number;
}

/**
 * Stochastic gradient descent as `torch.optim.SGD` with dampening 0:
 *
 *     g ← g + wd · p        b ← μ b + g        p ← p − lr · b    (Nesterov: p − lr · (g + μ b); without momentum: p − lr · g)
 *
 * On native one TensorFlow kernel updates a parameter in place.
 */
export function sgd(options: SgdOptions = {}): Optimizer {
  refuseUnknown('sgd', options, [...GROUP_OPTIONS, 'momentum', 'nesterov', 'weightDecay']);
  const momentum = checkNumber('momentum', options.momentum ?? 0, { from: 0, below: 1 });
  const weightDecay = checkNumber('weightDecay', options.weightDecay ?? 0, { from: 0 });
  const nesterov = options.nesterov ?? false;
  if (nesterov && momentum === 0)
    throw new BadInput({ problem: 'Nesterov needs momentum', where: { key: 'nesterov' }, fix: 'write momentum: 0.9 too' });
  const how = treatments(options, weightDecay);
  return {
    name: 'sgd',
    learningRate: how.learningRate,
    settings: { momentum, nesterov, weightDecay, ...how.settings },
    check: how.check,
    init: parameters => {
      const slots: OptimizerState['slots'] = {};
      if (momentum > 0) slots.velocity = parameters.map(zerosLike);
      return { updates: 0, slots, layers: countLayers(parameters) };
    },
    step(parameters, gradients, state, { scale, learningRate }) {
      state.updates++;
      parameters.forEach((parameter, i) => {
        const treatment = how.of(parameter, state.layers);
        const gradient = tf.tidy(() => {
          const scaled = tf.mul(gradients[i]!, scale);
          return treatment.weightDecay > 0 ? tf.add(scaled, tf.mul(parameter.read(), treatment.weightDecay)) : scaled;
        });
        gradients[i]!.dispose();
        descend(parameter, state.slots.velocity?.[i], gradient, learningRate * treatment.rate, { momentum, nesterov });
        gradient.dispose();
      });
    },
  };
}

function descend(
  parameter: Parameter<tf.Tensor>,
  velocity: Parameter<tf.Tensor> | undefined,
  gradient: tf.Tensor,
  lr: number,
  { momentum, nesterov }: { momentum: number; nesterov: boolean },
): void {
  const door = native();
  const variables = handles(velocity ? [parameter, velocity] : [parameter]);
  if (door && variables) {
    const attrs = [door.attr.type('T', 'float32'), door.attr.bool('use_locking', false)];
    tf.tidy(() => {
      if (velocity) {
        const inputs = [...variables, tf.scalar(lr), gradient, tf.scalar(momentum)];
        door.executeMany('ResourceApplyMomentum', [...attrs, door.attr.bool('use_nesterov', nesterov)], inputs, 0);
      } else door.executeMany('ResourceApplyGradientDescent', attrs, [...variables, tf.scalar(lr), gradient], 0);
    });
    return;
  }
  tf.tidy(() => {
    let change = gradient;
    if (velocity) {
      const next = tf.add(tf.mul(velocity.read(), momentum), gradient);
      velocity.write(next);
      change = nesterov ? tf.add(gradient, tf.mul(next, momentum)) : next;
    }
    subtractFrom(parameter, tf.mul(change, lr));
  });
}

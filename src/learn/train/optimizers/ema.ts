import * as tf from '@tensorflow/tfjs-core';
import type { Parameter } from '../../../base/core/index.js';
import { withValue } from '../../models/index.js';
import { checkNumber } from '../check.js';
import type { Optimizer, OptimizerState } from '../types.js';
import { average } from './in-place.js';
import { zerosLike } from './slots.js';

/**
 * An optimizer that also keeps an exponential moving average of the weights (Polyak & Juditsky 1992), e ← d · e + (1 − d) · p after
 * every update, from the weights as they were at first. It is one more slot, `ema`, so checkpoints hold it.
 */
export function withEma(optimizer: Optimizer, decay: number): Optimizer {
  checkNumber('ema', decay, { from: 0, below: 1 });
  return {
    name: optimizer.name,
    learningRate: optimizer.learningRate,
    check: parameters => optimizer.check?.(parameters),
    settings: { ...optimizer.settings, ema: decay },
    init(parameters) {
      const state = optimizer.init(parameters);
      state.slots.ema = parameters.map(copyOf);
      return state;
    },
    step(parameters, gradients, state, options) {
      const { ema, ...slots } = state.slots;
      const inner: OptimizerState = { ...state, slots };
      optimizer.step(parameters, gradients, inner, options);
      state.updates = inner.updates;
      parameters.forEach((parameter, i) => {
        withValue(parameter, value => average(ema![i]!, value, decay));
      });
    },
  };
}

/** Put the averages where the weights are and the weights where the averages were; called twice it changes nothing. */
export function swapEma(parameters: readonly Parameter<tf.Tensor>[], state: OptimizerState): void {
  const byName = new Map(parameters.map(parameter => [parameter.name, parameter]));
  for (const average of state.slots.ema ?? []) {
    const parameter = byName.get(average.name)!;
    tf.tidy(() => {
      const [mean, value] = [average.read(), parameter.read()];
      parameter.write(mean);
      average.write(value);
    });
  }
}

function copyOf(parameter: Parameter<tf.Tensor>): Parameter<tf.Tensor> {
  const copy = zerosLike(parameter);
  tf.tidy(() => copy.write(parameter.read()));
  return copy;
}

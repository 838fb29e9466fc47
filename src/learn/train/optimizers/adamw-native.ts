import * as tf from '@tensorflow/tfjs-core';
import { native } from '../../../base/backend/index.js';
import type { Parameter } from '../../../base/core/index.js';
import type { ModelParameter } from '../../models/index.js';
import type { OptimizerState, UpdateOptions } from '../types.js';
import { type AdamWSettings, decayFactor } from './adamw-settings.js';

/**
 * The update by TensorFlow's `ResourceApplyAdam`, in place. That kernel computes p ← p − lr·√c₂/c₁ · m/(√v + ε) with
 * cᵢ = 1 − βᵢᵗ, so ε·√c₂ is what puts epsilon where PyTorch has it; the weights are decayed before, which makes it AdamW.
 * Returns false, having done nothing, when parameters or state do not live inside TensorFlow.
 */
export function nativeAdamW(
  parameters: readonly Parameter<tf.Tensor>[],
  gradients: readonly tf.Tensor[],
  state: OptimizerState,
  { scale, learningRate }: UpdateOptions,
  settings: AdamWSettings,
): boolean {
  const door = native();
  const [p, m, v] = [handles(parameters), handles(state.slots.m!), handles(state.slots.v!)];
  if (!door || !p || !m || !v) return false;
  const { attr } = door;
  const { beta1, beta2, eps } = settings;
  const [power1, power2] = [beta1 ** state.updates, beta2 ** state.updates];
  const update = [attr.type('T', 'float32'), attr.bool('use_locking', false), attr.bool('use_nesterov', false)];
  const decay = [attr.type('dtype', 'float32')];
  tf.tidy(() => {
    const scalars = [power1, power2, learningRate, beta1, beta2, eps * Math.sqrt(1 - power2)].map(value => tf.scalar(value));
    const factor = tf.scalar(scale);
    parameters.forEach((parameter, i) => {
      const shrink = decayFactor(parameter, learningRate, settings);
      if (shrink !== 1) {
        // p ← p − (1 − shrink) · p: the subtraction is in place, where writing shrink · p would copy.
        const value = parameter.read();
        const loss = tf.mul(value, 1 - shrink);
        value.dispose();
        door.executeMany('AssignSubVariableOp', decay, [p[i]!, loss], 0);
        loss.dispose();
      }
      const gradient = tf.mul(gradients[i]!, factor);
      // Freed one by one, so that no more than one gradient exists twice.
      gradients[i]!.dispose();
      door.executeMany('ResourceApplyAdam', update, [p[i]!, m[i]!, v[i]!, ...scalars, gradient], 0);
      gradient.dispose();
    });
  });
  return true;
}

/** The TensorFlow variables behind parameters, or undefined when one of them lives elsewhere. */
function handles(parameters: readonly Parameter<tf.Tensor>[]): tf.Tensor[] | undefined {
  const found = parameters.flatMap(parameter => (parameter as ModelParameter).handle ?? []);
  return found.length === parameters.length ? found : undefined;
}

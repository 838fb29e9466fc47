import * as tf from '@tensorflow/tfjs-core';
import { native } from '../../../base/backend/index.js';
import type { Parameter } from '../../../base/core/index.js';
import type { OptimizerState, UpdateOptions } from '../types.js';
import type { AdamWSettings } from './adamw-settings.js';
import { handles, shrink } from './in-place.js';

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
  const { beta1, beta2, eps, treatments } = settings;
  const [power1, power2] = [beta1 ** state.updates, beta2 ** state.updates];
  const update = [attr.type('T', 'float32'), attr.bool('use_locking', false), attr.bool('use_nesterov', false)];
  tf.tidy(() => {
    const powers = [power1, power2].map(value => tf.scalar(value));
    const rest = [beta1, beta2, eps * Math.sqrt(1 - power2)].map(value => tf.scalar(value));
    const factor = tf.scalar(scale);
    const rates = new Map<number, tf.Scalar>();
    parameters.forEach((parameter, i) => {
      const { rate, weightDecay } = treatments.of(parameter, state.layers);
      const own = rates.get(rate) ?? tf.scalar(learningRate * rate);
      rates.set(rate, own);
      shrink(parameter, 1 - learningRate * rate * weightDecay);
      const gradient = tf.mul(gradients[i]!, factor);
      // Freed one by one, so that no more than one gradient exists twice.
      gradients[i]!.dispose();
      door.executeMany('ResourceApplyAdam', update, [p[i]!, m[i]!, v[i]!, ...powers, own, ...rest, gradient], 0);
      gradient.dispose();
    });
  });
  return true;
}

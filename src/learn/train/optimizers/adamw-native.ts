import * as tf from '@tensorflow/tfjs-core';
import { type NativeOps, native } from '../../../base/backend/index.js';
import type { Parameter } from '../../../base/core/index.js';
import { adamWInPlace } from '../../../base/ops/index.js';
import type { ModelParameter } from '../../models/index.js';
import type { OptimizerState, UpdateOptions } from '../types.js';
import type { AdamWSettings } from './adamw-settings.js';
import { handles, shrink } from './in-place.js';

type Weights = readonly Parameter<tf.Tensor>[];

/**
 * The update in place: of all weights by one kernel of our own, or of one after the other by TensorFlow's. Returns false, having
 * done nothing, when parameters or state do not live inside TensorFlow.
 */
export function nativeAdamW(
  parameters: Weights,
  gradients: readonly tf.Tensor[],
  state: OptimizerState,
  options: UpdateOptions,
  settings: AdamWSettings,
): boolean {
  const door = native();
  const lists = [parameters, state.slots.m!, state.slots.v!];
  if (!door || !lists.flat().every(parameter => (parameter as ModelParameter).own)) return false;
  (door.fused ? together : oneByOne)(door, parameters, gradients, state, options, settings);
  return true;
}

function together(
  door: NativeOps,
  parameters: Weights,
  gradients: readonly tf.Tensor[],
  state: OptimizerState,
  { scale, learningRate }: UpdateOptions,
  { beta1, beta2, eps, treatments }: AdamWSettings,
): void {
  const own = (list: Weights, i: number) => (list[i] as ModelParameter).own!();
  const targets = parameters.map((parameter, i) => {
    const { rate, weightDecay } = treatments.of(parameter, state.layers);
    return {
      weight: own(parameters, i),
      mean: own(state.slots.m!, i),
      square: own(state.slots.v!, i),
      gradient: gradients[i]!,
      learningRate: learningRate * rate,
      weightDecay,
    };
  });
  adamWInPlace(door, { scale, beta1, beta2, eps, updates: state.updates }, targets);
  tf.dispose(gradients as tf.Tensor[]);
}

/**
 * TensorFlow's `ResourceApplyAdam` computes p ← p − lr·√c₂/c₁ · m/(√v + ε) with cᵢ = 1 − βᵢᵗ, so ε·√c₂ is what puts epsilon where
 * PyTorch has it; the weights are decayed before, which makes it AdamW.
 */
function oneByOne(
  door: NativeOps,
  parameters: Weights,
  gradients: readonly tf.Tensor[],
  state: OptimizerState,
  { scale, learningRate }: UpdateOptions,
  { beta1, beta2, eps, treatments }: AdamWSettings,
): void {
  const [p, m, v] = [handles(parameters)!, handles(state.slots.m!)!, handles(state.slots.v!)!];
  const { attr } = door;
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
}

import * as tf from '@tensorflow/tfjs-core';
import type { Parameter } from '../../../base/core/index.js';
import { refuseUnknown } from '../../../base/core/index.js';
import { checkNumber } from '../check.js';
import type { Optimizer, OptimizerState, UpdateOptions } from '../types.js';
import { nativeAdamW } from './adamw-native.js';
import type { AdamWSettings } from './adamw-settings.js';
import { countLayers, GROUP_OPTIONS, type GroupOptions, treatments } from './groups.js';
import { zerosLike } from './slots.js';

/** Settings of {@link adamw}. Defaults are PyTorch's. */
export interface AdamWOptions extends GroupOptions {
  /** Decay of the running means of gradient and squared gradient. Default [0.9, 0.999]. */
  betas?: readonly [number, number];
  /** Added to √v̂, outside the root. Default 1e-8. */
  eps?: number;
  /** Decoupled weight decay: weights shrink by 1 − learningRate · weightDecay a step. Default 0.01. */
  weightDecay?: number;
}

/**
 * AdamW (Loshchilov & Hutter 2019), bias-corrected, epsilon where PyTorch puts it. With g the scaled gradient:
 *
 *     m ← β₁ m + (1−β₁) g         v ← β₂ v + (1−β₂) g²
 *     p ← p (1 − lr·wd) − lr · m̂ / (√v̂ + ε),   m̂ = m / (1−β₁ᵗ),  v̂ = v / (1−β₂ᵗ)
 *
 * On the native backend each parameter is updated in place by one fused TensorFlow kernel, elsewhere by tfjs ops.
 */
export function adamw(options: AdamWOptions = {}): Optimizer {
  refuseUnknown('adamw', options, [...GROUP_OPTIONS, 'betas', 'eps', 'weightDecay']);
  const [beta1, beta2] = options.betas ?? [0.9, 0.999];
  const weightDecay = checkNumber('weightDecay', options.weightDecay ?? 0.01, { from: 0 });
  const settings: AdamWSettings = {
    beta1: checkNumber('betas', beta1, { from: 0, below: 1 }),
    beta2: checkNumber('betas', beta2, { from: 0, below: 1 }),
    eps: checkNumber('eps', options.eps ?? 1e-8, { from: 0 }),
    treatments: treatments(options, weightDecay),
  };
  const { treatments: how, ...own } = settings;
  return {
    name: 'adamw',
    learningRate: how.learningRate,
    settings: { ...own, weightDecay, ...how.settings },
    check: how.check,
    init: parameters => ({
      updates: 0,
      slots: { m: parameters.map(zerosLike), v: parameters.map(zerosLike) },
      layers: countLayers(parameters),
    }),
    step(parameters, gradients, state, update) {
      state.updates++;
      if (!nativeAdamW(parameters, gradients, state, update, settings))
        portableAdamW(parameters, gradients, state, update, settings);
    },
  };
}

function portableAdamW(
  parameters: readonly Parameter<tf.Tensor>[],
  gradients: readonly tf.Tensor[],
  state: OptimizerState,
  { scale, learningRate }: UpdateOptions,
  { beta1, beta2, eps, treatments: how }: AdamWSettings,
): void {
  const correction1 = 1 - beta1 ** state.updates;
  const correction2 = 1 - beta2 ** state.updates;
  parameters.forEach((parameter, i) => {
    const [m, v] = [state.slots.m![i]!, state.slots.v![i]!];
    const { rate, weightDecay } = how.of(parameter, state.layers);
    const lr = learningRate * rate;
    tf.tidy(() => {
      const gradient = tf.mul(gradients[i]!, scale);
      const mean = tf.add(tf.mul(m.read(), beta1), tf.mul(gradient, 1 - beta1));
      const square = tf.add(tf.mul(v.read(), beta2), tf.mul(tf.square(gradient), 1 - beta2));
      const root = tf.add(tf.div(tf.sqrt(square), Math.sqrt(correction2)), eps);
      const decayed = tf.mul(parameter.read(), 1 - lr * weightDecay);
      parameter.write(tf.sub(decayed, tf.mul(tf.div(mean, root), lr / correction1)));
      m.write(mean);
      v.write(square);
    });
    gradients[i]!.dispose();
  });
}

import type { Parameter } from '../../../base/core/index.js';

/** The settings of AdamW with nothing left open. */
export interface AdamWSettings {
  beta1: number;
  beta2: number;
  eps: number;
  weightDecay: number;
  decay: 'matrices' | 'all';
}

/** The factor 1 − lr·wd that AdamW puts on a parameter before its update. */
export function decayFactor(parameter: Parameter, learningRate: number, settings: AdamWSettings): number {
  const decays = settings.decay === 'all' || parameter.shape.length > 1;
  return decays ? 1 - learningRate * settings.weightDecay : 1;
}

import * as tf from '@tensorflow/tfjs-core';
import type { Parameter } from '../../../base/core/index.js';
import { BadInput, refuseUnknown } from '../../../base/core/index.js';
import { createParameter } from '../../models/index.js';
import { checkNumber } from '../check.js';
import type { Optimizer, OptimizerState } from '../types.js';
import { countLayers, GROUP_OPTIONS, type GroupOptions, treatments } from './groups.js';
import { average, shrinkBy, subtractFrom } from './in-place.js';
import { zerosLike } from './slots.js';

/** Settings of {@link adafactor}. Defaults are those of transformers' `Adafactor`. */
export interface AdafactorOptions extends GroupOptions {
  /**
   * Take the step from the number of updates t: min(1e-2, 1/√t), or min(1e-6 · t, 1/√t) with `warmupInit`; the learning rate of the
   * run is then a factor on it (1 unless told). Default: true where no `learningRate` is given.
   */
  relativeStep?: boolean;
  /** Steps are relative to a weight's size: the rate is multiplied by max(eps[1], RMS(p)). Default true. */
  scaleParameter?: boolean;
  /** Default false. */
  warmupInit?: boolean;
  /** Added to the squared gradient, and the least RMS of a weight. Default [1e-30, 1e-3]. */
  eps?: readonly [number, number];
  /** The largest RMS of an update before the rate. Default 1. */
  clipThreshold?: number;
  /** The second moment's memory at update t is 1 − t^decayRate. Default −0.8. */
  decayRate?: number;
  /** Decay of a running mean of updates; without it none is kept. */
  beta1?: number;
  /** Decoupled weight decay, times the rate. Default 0. */
  weightDecay?: number;
}

/** A second moment as it is kept: of a matrix the means of rows and columns, else of every weight. */
type Second = { row: Parameter<tf.Tensor>; column: Parameter<tf.Tensor> } | { full: Parameter<tf.Tensor> };

/**
 * Adafactor (Shazeer & Stern 2018) as transformers computes it: the second moment of a matrix is kept as the means r of its rows
 * and c of its columns, which costs next to no memory.
 *
 *     r ← β r + (1−β) mean_row(g² + ε₁)     c likewise     β = 1 − t^decayRate
 *     u = g / √(r cᵀ / mean(r))             u ← u / max(1, RMS(u) / clipThreshold)
 *     p ← p (1 − lr·wd) − lr · u            lr = rate · max(ε₂, RMS(p)) where relative to the weight
 *
 * With `beta1` the step is the running mean of lr · u.
 */
export function adafactor(options: AdafactorOptions = {}): Optimizer {
  const own = ['relativeStep', 'scaleParameter', 'warmupInit', 'eps', 'clipThreshold', 'decayRate', 'beta1', 'weightDecay'];
  refuseUnknown('adafactor', options, [...GROUP_OPTIONS, ...own]);
  const { relativeStep = options.learningRate === undefined, scaleParameter = true, warmupInit = false, beta1 } = options;
  if (warmupInit && !relativeStep)
    throw new BadInput({
      problem: 'A first step that is warmed up belongs to relative steps',
      where: { key: 'warmupInit' },
      fix: 'leave learningRate out (or write relativeStep: true), or leave warmupInit out and give the run a warm-up',
    });
  const [eps1, eps2] = options.eps ?? [1e-30, 1e-3];
  const settings = {
    relativeStep,
    scaleParameter,
    warmupInit,
    eps1: checkNumber('eps', eps1, { from: 0 }),
    eps2: checkNumber('eps', eps2, { from: 0 }),
    clipThreshold: checkNumber('clipThreshold', options.clipThreshold ?? 1, { from: Number.MIN_VALUE }),
    decayRate: checkNumber('decayRate', options.decayRate ?? -0.8, { from: -1, below: 0 }),
    beta1: beta1 === undefined ? undefined : checkNumber('beta1', beta1, { from: 0, below: 1 }),
    weightDecay: checkNumber('weightDecay', options.weightDecay ?? 0, { from: 0 }),
  };
  const how = treatments(options, settings.weightDecay);
  return {
    name: 'adafactor',
    learningRate: how.learningRate ?? (relativeStep ? 1 : undefined),
    settings: { ...settings, ...how.settings },
    check: how.check,
    init: parameters => ({
      updates: 0,
      slots: slotsFor(parameters, beta1 !== undefined),
      layers: countLayers(parameters),
    }),
    step(parameters, gradients, state, { scale, learningRate }) {
      const t = ++state.updates;
      const keep = 1 - t ** settings.decayRate;
      const step = relativeStep ? Math.min(warmupInit ? 1e-6 * t : 1e-2, 1 / Math.sqrt(t)) : 1;
      const slot = slotsByName(state);
      parameters.forEach((parameter, i) => {
        const treatment = how.of(parameter, state.layers);
        const rate = learningRate * step * treatment.rate;
        const update = tf.tidy(() => {
          const g = tf.mul(gradients[i]!, scale);
          const u = normalised(g, slot(parameter.name), keep, settings.eps1);
          const lr = scaleParameter
            ? tf.mul(tf.maximum(rms(parameter.read()), settings.eps2), rate)
            : (tf.scalar(rate) as tf.Tensor);
          return [tf.mul(u, tf.div(lr, tf.maximum(tf.div(rms(u), settings.clipThreshold), 1))), lr] as const;
        });
        gradients[i]!.dispose();
        const [change, lr] = update;
        const mean = state.slots.mean?.find(({ name }) => name === parameter.name);
        if (mean) average(mean, change, settings.beta1!);
        if (treatment.weightDecay > 0) shrinkBy(parameter, lr, treatment.weightDecay);
        tf.tidy(() => subtractFrom(parameter, mean ? mean.read() : change));
        tf.dispose([change, lr]);
      });
    },
  };
}

function slotsFor(parameters: readonly Parameter<tf.Tensor>[], mean: boolean): OptimizerState['slots'] {
  const matrices = parameters.filter(({ shape }) => shape.length >= 2);
  const zeros = (name: string, shape: readonly number[]) => {
    const slot = createParameter(name, shape, new Float32Array(shape.reduce((a, b) => a * b, 1)));
    slot.trainable = false;
    return slot;
  };
  return {
    row: matrices.map(({ name, shape }) => zeros(name, shape.slice(0, -1))),
    column: matrices.map(({ name, shape }) => zeros(name, [...shape.slice(0, -2), ...shape.slice(-1)])),
    full: parameters.filter(({ shape }) => shape.length < 2).map(zerosLike),
    ...(mean && { mean: parameters.map(zerosLike) }),
  };
}

function slotsByName({ slots }: OptimizerState): (name: string) => Second {
  const names = (slot: readonly Parameter<tf.Tensor>[]) => new Map(slot.map(value => [value.name, value]));
  const [row, column, full] = [names(slots.row!), names(slots.column!), names(slots.full!)];
  return name => (row.has(name) ? { row: row.get(name)!, column: column.get(name)! } : { full: full.get(name)! });
}

/** g over the root of its second moment, which takes g in. */
function normalised(g: tf.Tensor, second: Second, keep: number, eps: number): tf.Tensor {
  const squared = tf.add(tf.square(g), eps);
  if ('full' in second) {
    average(second.full, squared, keep);
    return tf.mul(tf.rsqrt(second.full.read()), g);
  }
  average(second.row, tf.mean(squared, -1), keep);
  average(second.column, tf.mean(squared, -2), keep);
  const row = second.row.read();
  const rows = tf.rsqrt(tf.div(row, tf.mean(row, -1, true)));
  return tf.mul(tf.mul(g, tf.expandDims(rows, -1)), tf.expandDims(tf.rsqrt(second.column.read()), -2));
}

/** Root of the mean square, a scalar. */
function rms(x: tf.Tensor): tf.Tensor {
  return tf.sqrt(tf.mean(tf.square(x)));
}

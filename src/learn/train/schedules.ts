import { BadInput, quote } from '../../base/core/index.js';
import { refuseUnknown } from './check.js';

/**
 * A learning-rate schedule: the factor on the learning rate at optimizer step `step` (0 is the first) of `total`.
 * Plain functions, so your own is `(step, total) => …`.
 */
export type Schedule = (step: number, total: number) => number;

/** Names that {@link sft} accepts for the built-in schedules. */
export type ScheduleName = 'constant' | 'linear' | 'cosine';

/** What the built-in schedules take. */
export interface ScheduleOptions {
  /** Steps over which the factor rises linearly from 0 to 1; a number below 1 is a share of all steps. Default 0. */
  warmup?: number;
  /** The factor at the end, as a share of the peak. Default 0. */
  floor?: number;
}

/** Factor 1 after the warm-up (transformers' `get_constant_schedule_with_warmup`). */
export function constant(options: Pick<ScheduleOptions, 'warmup'> = {}): Schedule {
  refuseUnknown('constant', options, ['warmup']);
  return withWarmup(options.warmup, () => 1);
}

/** Straight line from 1 to `floor` (transformers' `get_linear_schedule_with_warmup` has floor 0). */
export function linear(options: ScheduleOptions = {}): Schedule {
  refuseUnknown('linear', options, ['warmup', 'floor']);
  const floor = checkFloor(options.floor);
  return withWarmup(options.warmup, done => floor + (1 - floor) * (1 - done));
}

/**
 * Half a cosine wave from 1 to `floor` (Loshchilov & Hutter 2017, without restarts; transformers'
 * `get_cosine_schedule_with_warmup` has floor 0, `get_cosine_with_min_lr_schedule_with_warmup` the others).
 */
export function cosine(options: ScheduleOptions = {}): Schedule {
  refuseUnknown('cosine', options, ['warmup', 'floor']);
  const floor = checkFloor(options.floor);
  return withWarmup(options.warmup, done => floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * done)));
}

/** Warm-up first, then `decay` over the share of the remaining steps that is done (0 → 1). */
function withWarmup(warmup: number | undefined, decay: (done: number) => number): Schedule {
  const asked = warmup ?? 0;
  if (!(asked >= 0) || (asked >= 1 && !Number.isInteger(asked)))
    throw new BadInput({
      problem: 'The warm-up is not usable',
      where: { key: 'warmup' },
      expected: 'a number of steps, or a share of all steps between 0 and 1',
      found: quote(warmup),
      fix: 'write warmup: 10 for ten steps or warmup: 0.03 for three per cent',
    });
  return (step, total) => {
    const steps = asked < 1 ? Math.ceil(asked * total) : asked;
    if (step < steps) return step / Math.max(1, steps);
    return decay(Math.min(1, (step - steps) / Math.max(1, total - steps)));
  };
}

function checkFloor(floor: number | undefined): number {
  const value = floor ?? 0;
  if (!(value >= 0 && value <= 1))
    throw new BadInput({
      problem: 'The floor of the schedule is not usable',
      where: { key: 'floor' },
      expected: 'a share of the peak learning rate between 0 and 1',
      found: quote(floor),
      fix: 'write floor: 0.1 to end at ten per cent of the learning rate',
    });
  return value;
}

import { BadInput, quote, refuseUnknown } from '../../base/core/index.js';
import { checkNumber } from './check.js';

/**
 * A learning-rate schedule: the factor on the learning rate at optimizer step `step` (0 is the first) of `total`.
 * Plain functions, so your own is `(step, total) => …`.
 */
export type Schedule = (step: number, total: number) => number;

/** Names that {@link sft} accepts for the built-in schedules. */
export type ScheduleName = 'constant' | 'linear' | 'cosine' | 'polynomial' | 'inverse-sqrt' | 'wsd';

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
  return made(
    'constant',
    options,
    withWarmup(options.warmup, () => 1),
  );
}

/** Straight line from 1 to `floor` (transformers' `get_linear_schedule_with_warmup` has floor 0). */
export function linear(options: ScheduleOptions = {}): Schedule {
  refuseUnknown('linear', options, ['warmup', 'floor']);
  const floor = checkFloor(options.floor);
  const decay = (done: number) => floor + (1 - floor) * (1 - done);
  return made('linear', options, withWarmup(options.warmup, decay));
}

/**
 * Half a cosine wave from 1 to `floor` (Loshchilov & Hutter 2017, without restarts; transformers'
 * `get_cosine_schedule_with_warmup` has floor 0, `get_cosine_with_min_lr_schedule_with_warmup` the others).
 */
export function cosine(options: ScheduleOptions = {}): Schedule {
  refuseUnknown('cosine', options, ['warmup', 'floor']);
  const floor = checkFloor(options.floor);
  const decay = (done: number) => floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * done));
  return made('cosine', options, withWarmup(options.warmup, decay));
}

/** (1 − share done)^power from 1 to `floor`; transformers' `get_polynomial_decay_schedule_with_warmup`. Power: default 1. */
export function polynomial(options: ScheduleOptions & { power?: number } = {}): Schedule {
  refuseUnknown('polynomial', options, ['warmup', 'floor', 'power']);
  const floor = checkFloor(options.floor);
  const power = checkNumber('power', options.power ?? 1, { from: 0 });
  const decay = (done: number) => floor + (1 - floor) * (1 - done) ** power;
  return made('polynomial', options, withWarmup(options.warmup, decay));
}

/**
 * √(timescale / (step − warm-up + timescale)) after the warm-up (Vaswani et al. 2017), never 0: the length need not be known.
 * `timescale` in steps: default the warm-up, else 10,000, as transformers' `get_inverse_sqrt_schedule`.
 */
export function inverseSqrt(options: Pick<ScheduleOptions, 'warmup'> & { timescale?: number } = {}): Schedule {
  refuseUnknown('inverseSqrt', options, ['warmup', 'timescale']);
  const asked = checkSteps('warmup', options.warmup ?? 0);
  if (options.timescale !== undefined) checkNumber('timescale', options.timescale, { from: Number.MIN_VALUE });
  return made('inverse-sqrt', options, (step, total) => {
    const warmup = stepsOf(asked, total);
    if (step < warmup) return step / warmup;
    const timescale = options.timescale ?? (warmup || 10_000);
    return 1 / Math.sqrt((step - warmup + timescale) / timescale);
  });
}

/** What {@link wsd} takes. */
export interface WsdOptions extends ScheduleOptions {
  /** Steps of the decay at the end; a number below 1 is a share of all steps. Default 0.1. */
  decay?: number;
  /** How it decays, with d the share of the decay that is done: 1 − d (default), 1 − √d, or half a cosine wave. */
  shape?: 'linear' | '1-sqrt' | 'cosine';
}

/**
 * Warm-up, stable, decay (Hu et al. 2024, MiniCPM; 1 − √d: Hägele et al. 2024): the full rate until shortly before the end, so a run
 * can be lengthened from any checkpoint of its stable part. Numbers as transformers' `get_wsd_schedule`, which warms up from `floor`.
 */
export function wsd(options: WsdOptions = {}): Schedule {
  refuseUnknown('wsd', options, ['warmup', 'floor', 'decay', 'shape']);
  const { shape = 'linear' } = options;
  const asked = checkSteps('warmup', options.warmup ?? 0);
  const decaying = checkSteps('decay', options.decay ?? 0.1);
  const floor = checkFloor(options.floor);
  const shapes: Record<NonNullable<WsdOptions['shape']>, (done: number) => number> = {
    linear: done => 1 - done,
    '1-sqrt': done => 1 - Math.sqrt(done),
    cosine: done => 0.5 * (1 + Math.cos(Math.PI * done)),
  };
  if (!Object.hasOwn(shapes, shape))
    throw new BadInput({
      problem: 'There is no such shape of decay',
      where: { key: 'shape' },
      expected: "'linear', '1-sqrt' or 'cosine'",
      found: quote(shape),
      fix: "write shape: '1-sqrt'",
    });
  return made('wsd', options, (step, total) => {
    const warmup = stepsOf(asked, total);
    const decay = stepsOf(decaying, total);
    // Where it is longer than what is left after the warm-up its beginning is cut off: it ends at the floor all the same.
    const begin = total - decay;
    if (step < warmup) return floor + (1 - floor) * (step / warmup);
    if (step < begin) return 1;
    return floor + (1 - floor) * shapes[shape](Math.min(1, (step - begin) / Math.max(1, decay)));
  });
}

/** What built-in schedules were made with, so that a record can hold them. */
const ORIGINS = new WeakMap<Schedule, { name: ScheduleName; options: object }>();

function made(name: ScheduleName, options: object, schedule: Schedule): Schedule {
  ORIGINS.set(schedule, { name, options: { ...options } });
  return schedule;
}

/** Which of the built-in schedules this one is, with its options; undefined for any other function. */
export function originOf(schedule: Schedule): { name: ScheduleName; options: object } | undefined {
  return ORIGINS.get(schedule);
}

/** What a schedule says of a step: no weight is touched with a rate that is none. */
export function factorOf(schedule: Schedule, step: number, total: number): number {
  const factor: unknown = schedule(step, total);
  if (typeof factor === 'number' && factor >= 0 && Number.isFinite(factor)) return factor;
  throw new BadInput({
    problem: `The schedule gives no usable factor for step ${step + 1} of ${total}`,
    where: { key: 'schedule' },
    expected: 'a number of at least 0, at once',
    found: quote(typeof factor === 'number' ? String(factor) : factor),
    fix: 'mend the function (step, total) → factor; train.cosine({ warmup: 10 }) is one',
  });
}

/** Warm-up first, then `decay` over the share of the remaining steps that is done (0 → 1). */
function withWarmup(warmup: number | undefined, decay: (done: number) => number): Schedule {
  const asked = checkSteps('warmup', warmup ?? 0);
  return (step, total) => {
    const steps = stepsOf(asked, total);
    if (step < steps) return step / Math.max(1, steps);
    return decay(Math.min(1, (step - steps) / Math.max(1, total - steps)));
  };
}

/** Steps, or a share of all below 1, rounded up as transformers does. */
function stepsOf(asked: number, total: number): number {
  return asked < 1 ? Math.ceil(asked * total) : asked;
}

function checkSteps(key: 'warmup' | 'decay', asked: number): number {
  if (asked >= 0 && (asked < 1 || Number.isInteger(asked))) return asked;
  throw new BadInput({
    problem: key === 'warmup' ? 'The warm-up is not usable' : 'The decay of the schedule is not usable',
    where: { key },
    expected: 'a number of steps, or a share of all steps between 0 and 1',
    found: quote(asked),
    fix: `write ${key}: 10 for ten steps or ${key}: 0.03 for three per cent`,
  });
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

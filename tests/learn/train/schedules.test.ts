import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { constant, cosine, inverseSqrt, linear, polynomial, type Schedule, wsd } from '../../../src/learn/train/schedules.js';

const oracle = JSON.parse(readFileSync(new URL('./fixtures/oracle.json', import.meta.url), 'utf8')) as {
  total: number;
  warmup: number;
  schedules: Record<string, number[]>;
};

describe('schedules equal transformers', () => {
  const { warmup, total } = oracle;
  const ours: Record<string, Schedule> = {
    constant: constant({ warmup }),
    linear: linear({ warmup }),
    cosine: cosine({ warmup }),
    cosineFloor: cosine({ warmup, floor: 0.1 }),
    polynomial: polynomial({ warmup, floor: 0.05, power: 2 }),
    inverseSqrt: inverseSqrt({ warmup }),
    inverseSqrtTimescale: inverseSqrt({ warmup, timescale: 100 }),
    inverseSqrtCold: inverseSqrt(),
    wsdLinear: wsd({ warmup, decay: 12 }),
    wsdSqrt: wsd({ warmup, decay: 0.3, shape: '1-sqrt', floor: 0.1 }),
    wsdCosine: wsd({ warmup, decay: 12, shape: 'cosine', floor: 0.1 }),
  };
  it.each(Object.keys(ours))('%s at every step', name => {
    const expected = oracle.schedules[name]!;
    expect(expected).toHaveLength(total);
    for (const [step, factor] of expected.entries()) expect(ours[name]!(step, total), `step ${step}`).toBeCloseTo(factor, 10);
  });
});

it('a decay longer than what is left after the warm-up ends at the floor, as transformers’ does', () => {
  // get_wsd_schedule(optimizer, 2, 8, num_training_steps=6, min_lr_ratio=0.1).
  const schedule = wsd({ warmup: 2, decay: 8, floor: 0.1, shape: 'cosine' });
  const factors = [0.1, 0.55, 0.55, 0.3777924554357096, 0.23180194846605365, 0.13425421036992097];
  factors.forEach((factor, step) => {
    expect(schedule(step, 6), `step ${step}`).toBeCloseTo(factor, 10);
  });
});

describe('warm-up and floor', () => {
  it('takes a share of all steps', () => {
    const schedule = linear({ warmup: 0.25 });
    expect([0, 5, 10].map(step => schedule(step, 40))).toEqual([0, 0.5, 1]);
  });

  it('refuses what is no warm-up and no floor', () => {
    expect(() => cosine({ warmup: -1 })).toThrow(/warm-up/);
    expect(() => cosine({ warmup: 2.5 })).toThrow(/whole|number of steps/);
    expect(() => cosine({ floor: 2 })).toThrow(/floor/);
    expect(() => wsd({ decay: 1.5 })).toThrow(/decay/);
    expect(() => wsd({ shape: 'round' as never })).toThrow(/1-sqrt/);
    expect(() => inverseSqrt({ timescale: 0 })).toThrow(/timescale/);
    expect(() => linear({ warmup: Number.NaN })).toThrow(/Fix:/);
  });
});

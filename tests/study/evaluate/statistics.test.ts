import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { incompleteBeta, logGamma } from '../../../src/base/core/incomplete-beta.js';
import { BadInput, Random } from '../../../src/base/core/index.js';
import {
  bootstrap,
  holm,
  minimumDetectableEffect,
  pairedT,
  signTest,
  studentCdf,
  studentQuantile,
  tInterval,
} from '../../../src/study/evaluate/index.js';

type Numbers = [number, number, number, number];

/** What scipy gave; see fixtures/statistics.py. */
const fixture = JSON.parse(readFileSync(new URL('./fixtures/statistics.json', import.meta.url), 'utf8')) as {
  betas: Numbers[];
  gammas: [number, number][];
  quantiles: [number, number, number][];
  tails: [number, number, number][];
  tests: { a: number[]; b: number[]; t: number; df: number; p: number; low: number; high: number; sign: number }[];
};

/** Equal but for the last digits. */
const near = (found: number, expected: number, what: string, relative = 1e-9) =>
  expect(Math.abs(found - expected), `${what}: ${found} is not ${expected}`).toBeLessThanOrEqual(
    relative * Math.max(Math.abs(expected), 1e-6),
  );

describe('distributions', () => {
  it("are scipy's", () => {
    for (const [x, value] of fixture.gammas) near(logGamma(x), value, `ln Γ(${x})`, 1e-8);
    for (const [x, a, b, value] of fixture.betas) near(incompleteBeta(x, a, b), value, `I_${x}(${a}, ${b})`);
    for (const [t, df, value] of fixture.tails) near(studentCdf(t, df), value, `P(T${df} ≤ ${t})`);
    for (const [p, df, value] of fixture.quantiles) near(studentQuantile(p, df), value, `t${df} at ${p}`);
  });

  it('refuse shares that are none', () => {
    for (const [p, df] of [
      [0, 3],
      [1, 3],
      [0.5, 0],
      [Number.NaN, 3],
    ] as const)
      expect(() => studentQuantile(p, df)).toThrow(BadInput);
  });
});

describe('paired seeds', () => {
  it("t test and sign test are scipy's", () => {
    for (const { a, b, ...expected } of fixture.tests) {
      const found = pairedT(a, b);
      for (const key of ['t', 'df', 'p', 'low', 'high'] as const) near(found[key], expected[key], key, 1e-8);
      near(signTest(a, b).p, expected.sign, 'sign test');
      near(found.low, tInterval(a.map((x, i) => b[i]! - x)).low, 'interval');
    }
  });

  it('fewer than five are warned of, or refused; unequal arms and broken numbers always are', () => {
    expect(pairedT([1, 2, 3], [2, 3, 5]).warning).toMatch(/3 seeds support no conclusion.*0\.25.*five|at least 5/);
    expect(pairedT([1, 2, 3, 4, 5], [2, 3, 5, 4, 7]).warning).toBeUndefined();
    expect(() => pairedT([1, 2, 3], [2, 3, 5], { strict: true })).toThrow(/at least 5, found 3/);
    expect(() => pairedT([1], [2])).toThrow(BadInput);
    expect(() => pairedT([1, 2, 3], [2, 3])).toThrow(/same seeds/);
    expect(() => pairedT([1, Number.NaN, 3], [2, 3, 4])).toThrow(/value 1 is no number/);
    expect(() => tInterval([])).toThrow(BadInput);
    expect(() => tInterval([1, 2], { level: 95 })).toThrow(/level/);
  });

  it('differences without spread are certain, or nothing', () => {
    expect(pairedT([1, 2, 3, 4, 5], [1, 2, 3, 4, 5])).toMatchObject({ mean: 0, t: 0, p: 1, mde: 0 });
    expect(pairedT([1, 2, 3, 4, 5], [2, 3, 4, 5, 6])).toMatchObject({ mean: 1, p: 0, low: 1, high: 1 });
    expect(tInterval([3])).toEqual({ mean: 3, low: Number.NaN, high: Number.NaN, sd: Number.NaN, n: 1 });
    expect(signTest([1, 1], [1, 1])).toEqual({ positive: 0, negative: 0, ties: 2, p: 1 });
  });

  it('an effect of the detectable size is found with the power asked for', () => {
    const random = new Random(4);
    const [n, sd, power] = [8, 0.5, 0.8];
    const effect = minimumDetectableEffect({ sd, n, power });
    let found = 0;
    const trials = 3000;
    for (let i = 0; i < trials; i++) {
      const b = Array.from({ length: n }, () => effect + sd * random.normal());
      if (pairedT(new Array(n).fill(0), b).p < 0.05) found++;
    }
    expect(Math.abs(found / trials - power)).toBeLessThan(0.04);
    expect(minimumDetectableEffect({ sd, n: 32 })).toBeLessThan(effect / 2);
    expect(() => minimumDetectableEffect({ sd: -1, n })).toThrow(BadInput);
  });

  it('Holm as in the textbook, tests that could not be made left out', () => {
    const round = (values: number[]) => values.map(v => Number(v.toFixed(10)));
    expect(round(holm([0.01, 0.04, 0.03, 0.005]))).toEqual([0.03, 0.06, 0.06, 0.02]);
    expect(round(holm([0.5, Number.NaN, 0.9]))).toEqual([1, Number.NaN, 1]);
    expect(holm([])).toEqual([]);
    for (const bad of [[1.5], [-0.1], ['0.1'], 0.1]) expect(() => holm(bad as number[])).toThrow(/no p-value/);
  });
});

describe('bootstrap', () => {
  const random = new Random(8);
  // Seeds differ by 0.1, items by 0.3: the standard error of a mean of 6 seeds × 200 items is known.
  const seeds = Array.from({ length: 6 }, () => 0.1 * random.normal());
  const items = Array.from({ length: 200 }, () => 0.3 * random.normal());
  const scores = seeds.map(s => items.map(i => 1 + s + i));

  it('sees chance in seeds and in items', () => {
    const variance = (values: number[]) => values.reduce((sum, v) => sum + (v - mean(values)) ** 2, 0) / values.length;
    const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    const expected = Math.sqrt(variance(seeds) / 6 + variance(items) / 200);
    const found = bootstrap(scores, { resamples: 4000 });
    expect(found.mean).toBeCloseTo(1 + mean(seeds) + mean(items), 10);
    expect(Math.abs(found.se / expected - 1)).toBeLessThan(0.05);
    expect(found.high - found.low).toBeGreaterThan(3.5 * expected);
    // Items drawn anew for every seed average out.
    const nested = bootstrap(scores, { crossed: false, resamples: 4000 });
    expect(Math.abs(nested.se / Math.sqrt(variance(seeds) / 6 + variance(items) / 1200) - 1)).toBeLessThan(0.05);
    expect([found.seeds, found.items]).toEqual([6, 200]);
  });

  it('of a difference: what both arms share cancels; the same seed gives the same numbers', () => {
    const better = scores.map(row => row.map(value => value + 0.05));
    const found = bootstrap(scores, { against: better });
    expect([found.mean, found.low, found.high].map(v => v.toFixed(8))).toEqual(['0.05000000', '0.05000000', '0.05000000']);
    expect(found.p).toBeLessThan(0.002);
    const noisy = scores.map(row => row.map(value => value + random.normal()));
    const options = { against: noisy, seed: 3 };
    expect(bootstrap(scores, options)).toEqual(bootstrap(scores, options));
    expect(bootstrap(scores, { ...options, seed: 4 }).low).not.toBe(bootstrap(scores, options).low);
    expect(bootstrap(scores, { against: scores }).p).toBe(1);
  });

  it('one seed tells of the items alone; broken tables are refused', () => {
    const one = bootstrap([[0, 1, 1, 0, 1]]);
    expect(one).toMatchObject({ mean: 0.6, seeds: 1, items: 5 });
    expect(one.low).toBeLessThan(0.6);
    for (const broken of [[], [[]], [[1, Number.NaN]]]) expect(() => bootstrap(broken)).toThrow(BadInput);
    expect(() => bootstrap([[1, 2], [1]], { crossed: true })).toThrow(/same items/);
    expect(() => bootstrap([[1, 2]], { against: [[1]] })).toThrow(/same seeds and items/);
    expect(() => bootstrap([[1]], { resamples: 1e9 })).toThrow(/1,000,000/);
  });
});

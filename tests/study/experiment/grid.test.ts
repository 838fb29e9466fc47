import { describe, expect, it } from 'vitest';
import { BadInput } from '../../../src/base/core/index.js';
import { canonical, trialId } from '../../../src/study/experiment/canonical.js';
import { budget, expand, type Grid, product, when } from '../../../src/study/experiment/grid.js';

describe('a grid', () => {
  it('is the product of named values, the first changing slowest; what is no list is the same for all', () => {
    expect(expand({ rate: [1, 2], method: ['a', 'b'], steps: 400, sizes: [[8, 16]] })).toEqual([
      { rate: 1, method: 'a', steps: 400, sizes: [8, 16] },
      { rate: 1, method: 'b', steps: 400, sizes: [8, 16] },
      { rate: 2, method: 'a', steps: 400, sizes: [8, 16] },
      { rate: 2, method: 'b', steps: 400, sizes: [8, 16] },
    ]);
    expect(expand({})).toEqual([{}]);
  });

  it('may be a list of grids or configurations; equal ones are one, whatever the order of their settings', () => {
    expect(expand([{ a: 1, b: 2 }, { b: 2, a: 1 }, { a: [1, 3] }])).toEqual([{ a: 1, b: 2 }, { a: 1 }, { a: 3 }]);
  });

  it('has settings that are there under a condition only', () => {
    const grid = { method: ['full', 'lora', 'adapter'], rank: when({ method: ['lora', 'adapter'] }, [4, 16]) };
    expect(expand({ ...grid, wide: when(({ rank }) => rank === 16, true) })).toEqual([
      { method: 'full' },
      { method: 'lora', rank: 4 },
      { method: 'lora', rank: 16, wide: true },
      { method: 'adapter', rank: 4 },
      { method: 'adapter', rank: 16, wide: true },
    ]);
    // A condition on a setting that is absent itself does not hold.
    expect(expand({ a: [1, 2], b: when({ a: 2 }, 3), c: when({ b: 3 }, 4) })).toEqual([{ a: 1 }, { a: 2, b: 3, c: 4 }]);
    expect(() => expand({ method: ['full', 'lora'], rank: when({ metod: 'lora' }, [4]) })).toThrow(/did you mean "method"\?/);
    expect(() => expand({ rank: when({ method: 'lora' }, [4]), method: ['full', 'lora'] })).toThrow(/put "method" before "rank"/);
  });

  it('multiplies with others', () => {
    const all = product(budget({ total: 12, tasks: [2, 3] }), [{ m: 'a' }, { m: 'b' }]);
    expect(all).toEqual([
      { tasks: 2, examples: 6, m: 'a' },
      { tasks: 2, examples: 6, m: 'b' },
      { tasks: 3, examples: 4, m: 'a' },
      { tasks: 3, examples: 4, m: 'b' },
    ]);
  });

  it('refuses a setting that two grids have', () => {
    expect(() => product(budget({ total: 12, tasks: [2] }), { tasks: [4] })).toThrow(/"tasks".* stands in two grids/);
  });

  it.each<[string, () => unknown, RegExp]>([
    ['a function', () => expand({ optimizer: [(() => 1) as never] }), /"grid\.optimizer".*found a function/i],
    ['undefined', () => expand({ a: undefined as never }), /found undefined/i],
    ['NaN', () => expand({ a: [1, Number.NaN] }), /found NaN/],
    ['a date', () => expand({ a: [new Date(0) as never] }), /instance of "Date"/],
    ['a bigint', () => expand({ a: 1n as never }), /a bigint/],
    ['a Map within', () => expand({ a: [{ b: [new Map()] } as never] }), /"grid\.a\.b\[0\]".*"Map"/],
    ['no values', () => expand({ a: [] }), /has no values/],
    ['a seed', () => expand({ seed: [1, 2] }), /"seeds"/],
    ['__proto__', () => expand(JSON.parse('{"__proto__": [1]}')), /cannot be named/],
    [
      'too many',
      () => expand(Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`k${i}`, [1, 2, 3, 4, 5, 6]]))),
      /too large/,
    ],
    ['a text', () => expand('rate' as unknown as Grid), /no grid/],
  ])('refuses %s', (_, make, message) => {
    expect(make).toThrow(BadInput);
    expect(make).toThrow(message);
  });

  it('refuses a map, which has no settings of its own', () => {
    expect(() => expand(new Map([['x', [1, 2]]]) as never)).toThrow(/this is no grid/);
  });

  it('refuses what contains itself', () => {
    const loop: Record<string, unknown> = {};
    loop.self = loop;
    expect(() => expand({ a: loop as never })).toThrow(/contains itself/);
  });
});

describe('a budget', () => {
  it('is tasks × examples', () => {
    expect(budget({ total: 16384, tasks: [8, 512] })).toEqual([
      { tasks: 8, examples: 2048 },
      { tasks: 512, examples: 32 },
    ]);
    expect(budget({ total: [8, 16], tasks: [4] })).toEqual([
      { tasks: 4, examples: 2 },
      { tasks: 4, examples: 4 },
    ]);
    expect(budget({ total: 100, tasks: [24], exact: false })).toEqual([{ tasks: 24, examples: 4 }]);
  });

  it('refuses what cannot be spread, and names what could', () => {
    expect(() => budget({ total: 100, tasks: [24] })).toThrow(/e\.g\. 20 or 25/);
    expect(() => budget({ total: 4, tasks: [8] })).toThrow(/at most 4 tasks/);
    expect(() => budget({ total: 0, tasks: [1] })).toThrow(/at least 1/);
    expect(() => budget({ totl: 4, tasks: [1] } as never)).toThrow(/did you mean "total"\?/);
  });
});

describe('the name of a trial', () => {
  it('depends on settings and seed, not on the order of the settings', () => {
    const id = trialId({ a: 1, b: { c: 2, d: [3] } }, 7);
    expect(id).toMatch(/^[0-9a-f]{16}$/);
    expect(trialId({ b: { d: [3], c: 2 }, a: 1 }, 7)).toBe(id);
    expect(trialId({ a: 1, b: { c: 2, d: [3] } }, 8)).not.toBe(id);
    expect(trialId({ a: '1', b: { c: 2, d: [3] } }, 7)).not.toBe(id);
    expect(canonical({ b: -0, a: 'ü' }, '')).toBe('{"a":"ü","b":0}');
  });
});

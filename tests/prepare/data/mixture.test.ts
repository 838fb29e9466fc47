import { describe, expect, it } from 'vitest';
import { Random, viewOf } from '../../../src/base/core/index.js';
import { apportion, mix, mixingShares } from '../../../src/prepare/data/index.js';

const rows = (name: string, n: number) => Array.from({ length: n }, (_, i) => ({ text: `${name}${i}` }));
const tally = (items: readonly { text: string }[]) => {
  const counts = new Map<string, number>();
  for (const { text } of items) counts.set(text, (counts.get(text) ?? 0) + 1);
  return counts;
};

describe('mixingShares: the published formulas', () => {
  const sizes = { a: 100, b: 1000, c: 10_000 };
  const close = (found: Record<string, number>, expected: number[]) =>
    expect(Object.values(found)).toEqual(expected.map(x => expect.closeTo(x, 12)));

  it('proportional, capped, temperature, weights', () => {
    close(mixingShares(sizes, { strategy: 'proportional' }), [100 / 11100, 1000 / 11100, 10000 / 11100]);
    // FLAN: a maximum of 3,000.
    close(mixingShares(sizes, { strategy: 'capped', cap: 3000 }), [100 / 4100, 1000 / 4100, 3000 / 4100]);
    // T5, T = 2: square roots.
    const roots = [10, Math.sqrt(1000), 100];
    const sum = roots.reduce((x, y) => x + y);
    close(
      mixingShares(sizes, { strategy: 'temperature', temperature: 2 }),
      roots.map(x => x / sum),
    );
    close(mixingShares(sizes, { strategy: 'weights', weights: { a: 1, b: 0, c: 3 } }), [0.25, 0, 0.75]);
  });

  it('temperature has its limits: 1 is proportional (with a cap: capped), large is equal', () => {
    close(
      mixingShares(sizes, { strategy: 'temperature', temperature: 1 }),
      Object.values(mixingShares(sizes, { strategy: 'proportional' })),
    );
    close(
      mixingShares(sizes, { strategy: 'temperature', temperature: 1, cap: 3000 }),
      Object.values(mixingShares(sizes, { strategy: 'capped', cap: 3000 })),
    );
    expect(Object.values(mixingShares(sizes, { strategy: 'temperature', temperature: 1e9 }))).toEqual(
      Array(3).fill(expect.closeTo(1 / 3, 6)),
    );
    // No overflow where the power is steep, and an empty source stays empty.
    close(mixingShares({ ...sizes, d: 0 }, { strategy: 'temperature', temperature: 0.001 }), [0, 0, 1, 0]);
  });
});

describe('apportion', () => {
  it('rounds by largest remainder, ties to the earlier', () => {
    expect(apportion([0.5, 0.3, 0.2], 11)).toEqual([6, 3, 2]);
    expect(apportion([1 / 3, 1 / 3, 1 / 3], 10)).toEqual([4, 3, 3]);
    expect(apportion([0.1, 0.7, 0.2], 30)).toEqual([3, 21, 6]);
    expect(apportion([0.7, 0.2, 0.1], 10)).toEqual([7, 2, 1]);
    expect(apportion([0, 1, 0], 5)).toEqual([0, 5, 0]);
  });

  it('sums exactly and stays within one of every share', () => {
    const random = new Random(9);
    for (let trial = 0; trial < 500; trial++) {
      const raw = Array.from({ length: 1 + random.int(40) }, () => (random.next() < 0.1 ? 0 : random.next() ** 4));
      raw.push(0.5);
      const sum = raw.reduce((x, y) => x + y);
      const shares = raw.map(x => x / sum);
      const total = 1 + random.int(5000);
      const counts = apportion(shares, total);
      expect(counts.reduce((x, y) => x + y)).toBe(total);
      for (const [i, count] of counts.entries()) {
        expect(Math.abs(count - shares[i]! * total)).toBeLessThan(1 + 1e-6);
        if (shares[i] === 0) expect(count).toBe(0);
      }
    }
  });
});

describe('mix', () => {
  const sources = { small: rows('s', 10), large: rows('l', 90) };

  it('proportional without total is a shuffle of everything', () => {
    const mixed = mix({ sources, seed: 1 });
    expect(tally(mixed)).toEqual(tally([...sources.small, ...sources.large]));
    expect(mixed.length).toBe(100);
    expect(mixed.slice(0, 10).some(row => row.text.startsWith('l'))).toBe(true);
    expect(mixed.map(row => row.text)).not.toEqual([...sources.small, ...sources.large].map(row => row.text));
    expect(mixed[0]).toBe([...sources.small, ...sources.large].find(row => row.text === mixed[0]!.text));
    expect(mixed.from).toEqual(mixed.map(row => (row.text.startsWith('s') ? 'small' : 'large')));
  });

  it('is deterministic in the seed, and a source draws alike whatever the others are', () => {
    const texts = (options: Partial<Parameters<typeof mix<{ text: string }>>[0]>) =>
      mix({ sources, total: 40, strategy: 'weights', weights: { small: 1, large: 3 }, ...options }).map(row => row.text);
    expect(texts({ seed: 1 })).toEqual(texts({ seed: 1 }));
    expect(texts({ seed: 2 })).not.toEqual(texts({ seed: 1 }));
    const only = (list: string[]) => list.filter(text => text.startsWith('l')).sort();
    const alone = mix({ sources: { large: sources.large }, total: 30, seed: 1 }).map(row => row.text);
    expect(only(texts({ seed: 1 }))).toEqual(alone.sort());
  });

  it('repeats evenly: no row twice before every row once', () => {
    const mixed = mix({ sources, strategy: 'weights', weights: { small: 1, large: 1 }, total: 150, seed: 3 });
    const counts = tally(mixed);
    expect(sources.small.map(row => counts.get(row.text)!).sort()).toEqual([7, 7, 7, 7, 7, 8, 8, 8, 8, 8]);
    expect(sources.large.filter(row => counts.has(row.text)).length).toBe(75);
    expect(Math.max(...sources.large.map(row => counts.get(row.text) ?? 0))).toBe(1);
    expect(mixed.report.lines).toEqual([
      { source: 'small', available: 10, drawn: 75, distinct: 10, repeated: 7.5, asked: 0.5, got: 0.5 },
      { source: 'large', available: 90, drawn: 75, distinct: 75, repeated: 75 / 90, asked: 0.5, got: 0.5 },
    ]);
    expect(viewOf(mixed.report)).toEqual({
      kind: 'mixture',
      data: { strategy: 'weights', total: 150, lines: mixed.report.lines },
    });
  });

  it('draws independently with replacement', () => {
    const mixed = mix({ sources: { a: rows('a', 1000) }, replacement: true, seed: 4 });
    const [line] = mixed.report.lines;
    expect(line).toMatchObject({ available: 1000, drawn: 1000, repeated: 1 });
    // 1 − 1/e of the rows occur.
    expect(Math.abs(line!.distinct - 632)).toBeLessThan(50);
    expect(line!.distinct).toBe(tally(mixed).size);
  });

  it('caps as FLAN does', () => {
    const mixed = mix({ sources, strategy: 'capped', cap: 30 });
    expect(mixed.report.lines.map(line => [line.drawn, line.asked])).toEqual([
      [10, 0.25],
      [30, 0.75],
    ]);
  });

  it('gives replay its share of all rows', () => {
    const replay = { rows: rows('base', 50), share: 0.2 };
    const added = mix({ sources, replay });
    expect(added.report.lines.map(line => [line.source, line.drawn])).toEqual([
      ['small', 10],
      ['large', 90],
      ['replay', 25],
    ]);
    expect(added.from.filter(name => name === 'replay').length).toBe(25);
    const within = mix({ sources, replay, total: 50 });
    expect(within.report.lines.map(line => line.drawn)).toEqual([4, 36, 10]);
    expect(within.report.lines[0]!.asked).toBeCloseTo(0.08, 12);
    expect(within.report.total).toBe(50);
  });

  it('weighs by trained tokens where they are known', () => {
    const encoded = { a: [{ trained: 10 }, { trained: 30 }], b: [{ trained: 5 }, { trained: 5 }] };
    expect(mix({ sources: encoded }).report.lines.map(line => [line.trainedTokens, line.tokenShare])).toEqual([
      [40, 0.8],
      [10, 0.2],
    ]);
    const counted = mix({ sources, trainedTokens: row => row.text.length });
    expect(counted.report.lines[0]).toMatchObject({ trainedTokens: 20, got: 0.1 });
  });

  it('mixes a hundred thousand rows, and one row of many', () => {
    const many = mix({ sources: { a: rows('a', 200_000), b: rows('b', 3) }, strategy: 'temperature', temperature: 4 });
    expect(many.length).toBe(200_003);
    expect(mix({ sources, total: 1 }).length).toBe(1);
  });

  it('says what it cannot mix', () => {
    const bad = (options: object) => () => mix({ sources, ...options } as never);
    expect(bad({ sources: {} })).toThrow(/"sources".*at all|pass at least one source/);
    expect(bad({ sources: { a: 'x.jsonl' } })).toThrow(/"sources\.a".*readRows/);
    expect(bad({ sources: { a: [] } })).toThrow(/share above 0/);
    expect(bad({ strategy: 'even' })).toThrow(/"strategy".*"even"/);
    expect(bad({ strategy: 'temperature' })).toThrow(/"temperature"/);
    expect(bad({ strategy: 'temperature', temperature: 0 })).toThrow(/above 0/);
    expect(bad({ temperature: 2 })).toThrow(/use strategy 'temperature'/);
    expect(bad({ cap: 3 })).toThrow(/use strategy 'capped'/);
    expect(bad({ strategy: 'capped' })).toThrow(/"cap"/);
    expect(bad({ strategy: 'weights' })).toThrow(/"weights"/);
    expect(bad({ strategy: 'weights', weights: { small: 1 } })).toThrow(/large/);
    expect(bad({ strategy: 'weights', weights: { small: 1, large: 1, huge: 2 } })).toThrow(/huge.*no source/);
    expect(bad({ strategy: 'weights', weights: { small: -1, large: 1 } })).toThrow(/weights\.small/);
    expect(bad({ sources: { ...sources, none: [] }, strategy: 'weights', weights: { small: 1, large: 1, none: 1 } })).toThrow(
      /sources\.none/,
    );
    expect(bad({ total: 2.5 })).toThrow(/"total"/);
    expect(bad({ replay: { rows: [], share: 0.1 } })).toThrow(/replay\.rows/);
    expect(bad({ replay: { rows: rows('b', 1), share: 1 } })).toThrow(/replay\.share/);
    expect(bad({ sources: { replay: rows('b', 1) }, replay: { rows: rows('b', 1), share: 0.1 } })).toThrow(/rename/);
    expect(bad({ total: 500, maxRepeats: 4 })).toThrow(/"small" would be repeated 5\.00 times/);
  });
});

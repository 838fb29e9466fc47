import { compile, type TopLevelSpec } from 'vega-lite';
import { describe, expect, it } from 'vitest';
import { packs } from '../../src/show/index.js';

const source = {
  rows: [
    { segmentIds: [1, 1, 1, 2, 2], rows: [4, 0] },
    { segmentIds: Int32Array.of(1, 1), rows: [2] },
  ],
};

describe('packs', () => {
  it('has one stretch for every row', () => {
    const figure = packs(source, { length: 6 });
    expect((figure.spec!.data as { values: object[] }).values).toEqual([
      { pack: 1, row: 4, place: 0, tokens: 3 },
      { pack: 1, row: 0, place: 1, tokens: 2 },
      { pack: 2, row: 2, place: 0, tokens: 2 },
    ]);
    expect(figure.alt).toBe('3 rows in 2 packs of at most 6 tokens, 58 % full.');
    expect(figure.text).toContain('pack 1: 5 of 6 tokens: rows 4 (3), 0 (2)');
  });

  it('compiles without a warning, also when there is nothing', () => {
    for (const figure of [packs(source), packs({ rows: [] })]) {
      const warnings: unknown[] = [];
      const logger = { warn: (...w: unknown[]) => warnings.push(w), info() {}, debug() {}, error() {}, level() {} };
      compile(figure.spec as unknown as TopLevelSpec, { logger: logger as never });
      expect(warnings).toEqual([]);
    }
  });

  it('counts what it leaves out', () => {
    const many = packs({ rows: Array.from({ length: 30 }, (_, i) => ({ segmentIds: [1], rows: [i] })) });
    expect(many.alt).toContain('The first 24 are shown.');
    expect((many.spec!.data as { values: object[] }).values).toHaveLength(24);
  });
});

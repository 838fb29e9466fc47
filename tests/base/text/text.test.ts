import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/base/core/index.js';
import {
  candidateProbability,
  chooseBands,
  estimateJaccard,
  hashText,
  jaccard,
  LshIndex,
  MinHash,
  mix,
  ngrams,
  normalize,
  shingles,
  words,
} from '../../../src/base/text/index.js';

describe('normalize', () => {
  it('folds form, case, punctuation and white space', () => {
    expect(normalize('  Ｄｏｎ’t\u00a0 STOP — “ﬁne”,\n\tok? ')).toBe('dont stop fine ok');
    expect(normalize('x² + y²')).toBe('x2 y2');
  });
  it('folds only what it is asked to', () => {
    const none = { form: false, case: false, punctuation: false, whitespace: false } as const;
    expect(normalize('  A ²!\n', none)).toBe('  A ²!\n');
    expect(normalize('A  B!', { ...none, whitespace: true })).toBe('A B!');
    expect(normalize('e\u0301²', { ...none, form: 'NFC' })).toBe('é²');
  });
});

describe('words', () => {
  it('splits at spaces, and scripts without spaces into characters', () => {
    expect(words('Hello, world: it’s 5 o’clock')).toEqual(['hello', 'world', 'its', '5', 'oclock']);
    expect(words('用Python写代码。')).toEqual(['用', 'python', '写', '代', '码']);
    expect(words('!?')).toEqual([]);
    expect(words('\ud800 x')).toEqual(['\ud800', 'x']);
  });
});

describe('shingles', () => {
  it('are all n-grams', () => {
    expect(ngrams(['a', 'b', 'c'], 2)).toEqual([
      ['a', 'b'],
      ['b', 'c'],
    ]);
    expect(ngrams(['a'], 2)).toEqual([]);
  });
  it('are a sorted set, equal for texts that normalise alike', () => {
    const set = shingles('the cat and the cat and the cat', { n: 2, unit: 'word' });
    expect(set.length).toBe(3);
    expect([...set]).toEqual([...set].sort((a, b) => a - b));
    expect(shingles('The CAT, and the cat and the cat!', { n: 2, unit: 'word' })).toEqual(set);
  });
  it('leave no text without a shingle but the empty one', () => {
    expect(shingles('short', { n: 5, unit: 'word' }).length).toBe(1);
    expect(shingles('?!', { n: 5, unit: 'word' })).not.toEqual(shingles('!!', { n: 5, unit: 'word' }));
    expect(shingles(' \n', { n: 5, unit: 'char' }).length).toBe(0);
    expect(shingles('abcdef', { n: 5, unit: 'char' }).length).toBe(2);
    // Order matters within a shingle, and a short text is not a part of a longer one.
    expect(shingles('a b', { n: 5, unit: 'word' })).not.toEqual(shingles('b a', { n: 5, unit: 'word' }));
  });
  it('are compared by Jaccard', () => {
    expect(jaccard(Uint32Array.of(1, 2, 3), Uint32Array.of(2, 3, 4))).toBe(0.5);
    expect(jaccard(Uint32Array.of(), Uint32Array.of())).toBe(1);
    expect(jaccard(Uint32Array.of(1), Uint32Array.of())).toBe(0);
  });
});

/** Two sets of `size` hashes that share `both`. */
function pair(random: Random, size: number, both: number): [Uint32Array, Uint32Array] {
  const all = new Set<number>();
  while (all.size < 2 * size - both) all.add(random.uint32());
  const list = [...all];
  return [Uint32Array.from(list.slice(0, size)).sort(), Uint32Array.from(list.slice(size - both)).sort()];
}

describe('MinHash', () => {
  it('estimates Jaccard without bias, with the standard error of its length', () => {
    const random = new Random(5);
    const minhash = new MinHash({ permutations: 128, seed: 1 });
    for (const [size, both] of [
      [60, 10],
      [60, 30],
      [60, 55],
      [400, 380],
    ] as const) {
      const errors = Array.from({ length: 60 }, () => {
        const [a, b] = pair(random, size, both);
        return estimateJaccard(minhash.signature(a), minhash.signature(b)) - jaccard(a, b);
      });
      const s = both / (2 * size - both);
      const standard = Math.sqrt((s * (1 - s)) / 128);
      const mean = errors.reduce((x, y) => x + y, 0) / errors.length;
      const spread = Math.sqrt(errors.reduce((x, y) => x + y * y, 0) / errors.length);
      expect(Math.abs(mean)).toBeLessThan((4 * standard) / Math.sqrt(60));
      expect(spread).toBeLessThan(1.4 * standard);
      expect(spread).toBeGreaterThan(0.6 * standard);
    }
  });

  it('is equal for equal seeds, different for others, and told by a known value', () => {
    const set = shingles('one two three four five six', { n: 2, unit: 'word' });
    expect(new MinHash({ seed: 3 }).signature(set)).toEqual(new MinHash({ seed: 3 }).signature(set));
    expect(new MinHash({ seed: 4 }).signature(set)).not.toEqual(new MinHash({ seed: 3 }).signature(set));
    expect([...new MinHash({ seed: 3, permutations: 2 }).signature(set)]).toMatchInlineSnapshot(`
      [
        122008696,
        424003278,
      ]
    `);
    expect(() => new MinHash({ permutations: 0 })).toThrow(/permutations/);
  });

  it('permutes: the mix of 32-bit integers is one to one', () => {
    const images = new Set(Array.from({ length: 100_000 }, (_, i) => mix(i * 40_503)));
    expect(images.size).toBe(100_000);
    expect(hashText('a')).not.toBe(hashText('a', 1));
  });
});

describe('LSH', () => {
  it('cuts so that a pair at the threshold is found', () => {
    for (const threshold of [0.3, 0.5, 0.7, 0.8, 0.9, 1]) {
      const cut = chooseBands(threshold, 128);
      expect(cut.bands * cut.rows).toBeLessThanOrEqual(128);
      expect(cut.recall).toBeGreaterThanOrEqual(0.995);
      expect(cut.recall).toBeCloseTo(candidateProbability(threshold, cut), 12);
    }
    expect(chooseBands(0.8, 128)).toMatchObject({ bands: 21, rows: 6 });
    expect(chooseBands(1, 128)).toMatchObject({ bands: 1, rows: 128 });
  });

  it('finds as often as the formula says', () => {
    const random = new Random(11);
    const cut = { bands: 21, rows: 6 };
    for (const both of [30, 40, 48]) {
      const [trials, size] = [400, 60];
      let found = 0;
      for (let t = 0; t < trials; t++) {
        const minhash = new MinHash({ permutations: 126, seed: t });
        const [a, b] = pair(random, size, both);
        const index = new LshIndex(cut);
        index.add(7, minhash.signature(a));
        if (index.candidates(minhash.signature(b)).includes(7)) found++;
      }
      const p = candidateProbability(both / (2 * size - both), cut);
      expect(Math.abs(found / trials - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / trials) + 0.005);
    }
  });
});

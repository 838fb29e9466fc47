import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { BadInput } from '../../../src/base/core/index.js';
import { type RougeKind, rouge, rougeWords } from '../../../src/base/text/index.js';
import { porterStem } from '../../../src/base/text/porter.js';

type Triple = [precision: number, recall: number, f: number];

/** What rouge-score and NLTK gave; see fixtures/rouge.py. */
const { cases, stems } = JSON.parse(readFileSync(new URL('./fixtures/rouge.json', import.meta.url), 'utf8')) as {
  cases: {
    reference: string;
    prediction: string;
    plain: Record<RougeKind, Triple>;
    stemmed: Record<RougeKind, Triple>;
  }[];
  stems: Record<string, string>;
};

describe('rouge', () => {
  it('equals rouge-score on every kind, with and without stems', () => {
    expect(cases.length).toBeGreaterThan(30);
    for (const { reference, prediction, plain, stemmed } of cases)
      for (const [stem, expected] of [
        [false, plain],
        [true, stemmed],
      ] as const)
        for (const [kind, triple] of Object.entries(expected) as [RougeKind, Triple][]) {
          const { precision, recall, f } = rouge(kind, reference, prediction, { stem });
          [precision, recall, f].forEach((value, i) => {
            expect(value, `${kind} stem ${stem} of ${JSON.stringify([reference, prediction])}`).toBeCloseTo(triple[i]!, 12);
          });
        }
  });

  it("stems as NLTK's Porter stemmer", () => {
    expect(Object.keys(stems).length).toBeGreaterThan(1000);
    for (const [word, stem] of Object.entries(stems)) expect(porterStem(word), word).toBe(stem);
  });

  it('is 1 on equal texts, 0 on texts without a common word, and turns round with the texts', () => {
    for (const kind of ['rouge1', 'rouge2', 'rougeL', 'rougeLsum'] as const) {
      expect(rouge(kind, 'Two words, here', 'two WORDS here').f).toBe(1);
      expect(rouge(kind, 'alpha beta', 'gamma delta')).toEqual({ precision: 0, recall: 0, f: 0 });
    }
    const [one, other] = [rouge('rougeL', 'a b c d e', 'a c e'), rouge('rougeL', 'a c e', 'a b c d e')];
    expect([one.precision, one.recall]).toEqual([other.recall, other.precision]);
  });

  it('short words keep their endings, and texts too long for a table are refused before it is made', () => {
    expect(rougeWords('The cats’ mats ran', true)).toEqual(['the', 'cat', 'mat', 'ran']);
    const long = 'word '.repeat(20_000);
    expect(() => rouge('rougeL', long, long)).toThrow(BadInput);
    expect(() => rouge('rougeLsum', long, long)).toThrow(BadInput);
    expect(rouge('rouge1', long, long).f).toBe(1);
  });
});

import { describe, expect, it } from 'vitest';
import { Random, viewOf } from '../../../../src/base/core/index.js';
import { ngrams, words } from '../../../../src/base/text/index.js';
import { contamination, type Row } from '../../../../src/prepare/data/index.js';

const row = (user: string, assistant: string): Row => ({
  messages: [
    { role: 'user', content: user },
    { role: 'assistant', content: assistant },
  ],
});

describe('contamination', () => {
  const leaked = 'The quick brown fox jumps over the lazy dog while seven wizards quietly watch from the hill';
  const train = [
    row('Write something', 'Nothing to see here at all, move along please, thank you very much indeed.'),
    row('Copy this', `They said: ${leaked.toUpperCase()}!! and left.`),
    row('Say the motto', 'Slow is smooth'),
  ];
  const evaluation = [
    row('What happens?', `${leaked.replaceAll(' ', '  ')}.`),
    row('Unrelated', 'A wholly different sentence that no training row contains in any form whatever, we hope.'),
    row('Say the motto', 'slow is smooth!'),
    row('', ''),
  ];

  it('finds shared 13-grams and short rows that occur whole, in both directions', () => {
    const found = contamination(train, evaluation);
    expect(found.eval).toMatchObject({ rows: 4, contaminated: 2, share: 0.5 });
    expect(found.eval.hits).toEqual([
      {
        index: 0,
        ngram: 'the quick brown fox jumps over the lazy dog while seven wizards quietly',
        share: 5 / 7,
        others: [1],
        count: 1,
      },
      { index: 2, ngram: 'say the motto slow is smooth', share: 1, others: [2], count: 1 },
    ]);
    expect(found.train).toMatchObject({ rows: 3, contaminated: 2 });
    expect(found.train.hits[0]).toMatchObject({ index: 1, others: [0], count: 1, share: 17 / 23 });
    expect(found.unchecked).toEqual([3]);
    expect(found.cleanTrain).toEqual([train[0]]);
    expect(found.cleanEval).toEqual([evaluation[1], evaluation[3]]);
    expect(found.summary).toBe('2 of 4 evaluation rows (50.0 %) share 13 words in a row with 2 of 3 training rows.');
    expect(viewOf(found)).toMatchObject({
      kind: 'table',
      data: [
        {
          'evaluation row': 0,
          'n-grams in training': '71.4 %',
          'training rows': '1',
          'shared text': expect.stringMatching(/^the quick/),
        },
        { 'evaluation row': 2 },
      ],
    });
  });

  it('takes a share of the n-grams as threshold', () => {
    expect(contamination(train, evaluation, { threshold: 0.7 }).eval.hits.map(h => h.index)).toEqual([0, 2]);
    const strict = contamination(train, evaluation, { threshold: 0.75 });
    expect(strict.eval.hits.map(h => h.index)).toEqual([2]);
    // Training rows count by the evaluation rows that are contaminated.
    expect(strict.train.hits.map(h => h.index)).toEqual([2]);
    expect(strict.summary).toContain('at least 75.0 % of their 13-grams');
  });

  it('looks at the text it is told to', () => {
    const found = contamination(train, evaluation, { on: 'prompt' });
    expect(found.eval.hits.map(h => [h.index, h.ngram])).toEqual([[2, 'say the motto']]);
  });

  it('leaves boilerplate out when asked, and counts it', () => {
    const phrase = 'below is an instruction that describes a task write a response that completes it';
    const many = Array.from({ length: 6 }, (_, i) => `${phrase} number ${i}`);
    const asked = [`${phrase} but never trained on`, `${phrase} number 3`];
    expect(contamination(many, asked).eval.contaminated).toBe(2);
    const found = contamination(many, asked, { ignoreCommon: 3 });
    expect(found.eval.hits).toEqual([
      {
        index: 1,
        ngram: 'an instruction that describes a task write a response that completes it number 3'.split(' ').slice(-13).join(' '),
        share: 1,
        others: [3],
        count: 1,
      },
    ]);
    expect(found.ignored).toBe(3);
  });

  it('agrees with a search that compares every n-gram', () => {
    const random = new Random(2);
    const vocabulary = Array.from({ length: 12 }, (_, i) => `v${i}`);
    const make = (n: number) =>
      Array.from({ length: n }, () => Array.from({ length: random.int(25) }, () => random.pick(vocabulary)).join(' '));
    const [a, b] = [make(300), make(120)];
    const n = 4;
    const found = contamination(a, b, { ngram: n });
    const joined = (list: readonly string[], size: number) => ngrams(list, size).map(g => g.join(' '));
    const expected = b.map(text => {
      const own = words(text);
      const size = Math.min(n, own.length);
      if (size === 0) return { share: 0, rows: [] as number[] };
      const grams = joined(own, size);
      const rows = a.flatMap((other, i) => (joined(words(other), size).some(g => grams.includes(g)) ? [i] : []));
      return { share: grams.filter(g => a.some(other => joined(words(other), size).includes(g))).length / grams.length, rows };
    });
    expect(expected.filter(e => e.share === 0).length).toBeGreaterThan(5);
    expect(found.eval.hits.map(({ index, share, others, count }) => ({ index, share, others, count }))).toEqual(
      expected.flatMap(({ share, rows }, index) =>
        share > 0 ? [{ index, share, others: rows.slice(0, 10), count: rows.length }] : [],
      ),
    );
    const flagged = new Set(expected.flatMap(e => e.rows));
    expect(found.train.hits.map(h => h.index)).toEqual([...flagged].sort((x, y) => x - y));
  });

  it('is calm about nothing and clear about nonsense', () => {
    const none = contamination([], ['a b c']);
    expect(none.eval).toMatchObject({ contaminated: 0, share: 0 });
    expect(viewOf(none)).toMatchObject({
      data: [{ contamination: '0 of 1 evaluation rows (0.0 %) share 13 words in a row with 0 of 0 training rows.' }],
    });
    expect(contamination(['a'], []).eval.share).toBe(0);
    expect(() => contamination([], [], { ngram: 0 })).toThrow(/ngram/);
    expect(() => contamination([], [], { threshold: 2 })).toThrow(/threshold/);
    expect(() => contamination([], [], { ignoreCommon: 0 })).toThrow(/ignoreCommon/);
  });
});

import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Random, viewOf } from '../../../../src/base/core/index.js';
import { jaccard, shingles } from '../../../../src/base/text/index.js';
import { dedupe, type Row } from '../../../../src/prepare/data/index.js';

const row = (user: string, assistant: string, more: Partial<Row> = {}): Row => ({
  messages: [
    { role: 'user', content: user },
    { role: 'assistant', content: assistant },
  ],
  ...more,
});

describe('exact duplicates', () => {
  it('keeps the first and lists the others', () => {
    const rows = [row('a', 'b'), row('c', 'd'), row('a', 'b', { source: 'x.jsonl', line: 9 }), row('a', 'b')];
    const { rows: kept, removed, report } = dedupe(rows);
    expect(kept).toEqual([rows[0], rows[1]]);
    expect(kept[0]).toBe(rows[0]);
    expect(removed).toEqual([
      { index: 2, source: 'x.jsonl', line: 9, duplicateOf: 0, similarity: 1, reason: 'exact duplicate' },
      { index: 3, duplicateOf: 0, similarity: 1, reason: 'exact duplicate' },
    ]);
    expect(report).toMatchObject({ read: 4, kept: 2, removed: 2, reasons: [{ reason: 'exact duplicate', rows: 2, share: 0.5 }] });
    expect(viewOf(report)).toEqual({
      kind: 'table',
      data: [
        { reason: 'removed: exact duplicate', rows: 2, share: '50.0 %' },
        { reason: 'kept', rows: 2, share: '50.0 %' },
        { reason: 'all', rows: 4, share: '100.0 %' },
      ],
    });
  });

  it('is exact: characters, roles, boundaries of messages, input and tools count', () => {
    const rows: Row[] = [
      row('a', 'b'),
      row('A', 'b'),
      row('a ', 'b'),
      row('ab', ''),
      {
        messages: [
          { role: 'assistant', content: 'a' },
          { role: 'user', content: 'b' },
        ],
      },
      {
        messages: [
          { role: 'user', content: 'a', input: 'x' },
          { role: 'assistant', content: 'b' },
        ],
      },
      { ...row('a', 'b'), tools: [{ name: 'search' }] },
      {
        messages: [
          { role: 'user', content: 'a' },
          { role: 'assistant', content: 'b', toolCalls: [{ name: 'f', arguments: {} }] },
        ],
      },
    ];
    expect(dedupe(rows).removed).toEqual([]);
    // Parts are only a way to weigh a text.
    const parts: Row = {
      messages: [
        { role: 'user', content: [{ text: 'a' }] },
        { role: 'assistant', content: 'b', weight: 0.5 },
      ],
    };
    expect(dedupe([...rows, parts]).removed).toMatchObject([{ index: 8, duplicateOf: 0 }]);
  });

  it('folds what it is told to, and looks where it is told to', () => {
    const rows = [row('Say  hi!', 'x'), row('say hi', 'x'), row('say hi', 'y')];
    expect(dedupe(rows, { exact: { case: true, punctuation: true } }).removed).toMatchObject([{ index: 1, duplicateOf: 0 }]);
    expect(dedupe(rows, { on: 'prompt' }).removed).toMatchObject([{ index: 2, duplicateOf: 1 }]);
    expect(dedupe(rows, { on: 'response' }).removed).toMatchObject([{ index: 1, duplicateOf: 0 }]);
    expect(dedupe(rows, { on: r => r.messages[0]!.content.length.toString() }).removed).toMatchObject([
      { index: 2, duplicateOf: 1 },
    ]);
    expect(dedupe(['a', 'b', 'a']).rows).toEqual(['a', 'b']);
    expect(dedupe([{ prompt: [{ role: 'user', content: 'q' }], chosen: [], rejected: [] }, { text: 'q' }]).rows.length).toBe(2);
  });

  it('takes no rows, and says what it cannot read', () => {
    expect(dedupe([], { near: true })).toMatchObject({ rows: [], removed: [], report: { read: 0 } });
    expect(() => dedupe([{ body: 'x' }])).toThrow(/row 0 has no text.*on: row => row\.body/);
    expect(() => dedupe([row('a', 'b')], { on: 'answer' as never })).toThrow(/"on": unknown part/);
  });
});

const VOCABULARY = Array.from({ length: 800 }, (_, i) => `w${i}`);

/** Texts of which many are edited copies of earlier ones, from hardly to wholly changed. */
function edited(n: number, seed: number): string[] {
  const random = new Random(seed);
  const texts: string[] = [];
  while (texts.length < n) {
    if (texts.length < 10 || random.next() < 0.4) {
      texts.push(Array.from({ length: 20 + random.int(80) }, () => random.pick(VOCABULARY)).join(' '));
      continue;
    }
    const change = random.next() ** 2 * 0.2;
    const copy = random.pick(texts).split(' ');
    texts.push(copy.map(word => (random.next() < change ? random.pick(VOCABULARY) : word)).join(' '));
  }
  return texts;
}

/** What dedupe promises, computed by comparing every row with every kept one. */
function bruteForce(texts: readonly string[], threshold: number): Set<number> {
  const sets = texts.map(text => shingles(text, { n: 5, unit: 'word' }));
  const kept: number[] = [];
  const removed = new Set<number>();
  for (const [i, set] of sets.entries()) {
    if (kept.some(k => jaccard(set, sets[k]!) >= threshold)) removed.add(i);
    else kept.push(i);
  }
  return removed;
}

function scores(texts: readonly string[], threshold: number): { precision: number; recall: number; found: number } {
  const truth = bruteForce(texts, threshold);
  const { removed, rows } = dedupe(texts, { exact: false, near: { threshold } });
  expect(rows.length + removed.length).toBe(texts.length);
  const sets = texts.map(text => shingles(text, { n: 5, unit: 'word' }));
  for (const { index, duplicateOf, similarity } of removed) {
    expect(similarity).toBe(jaccard(sets[index]!, sets[duplicateOf]!));
    expect(similarity).toBeGreaterThanOrEqual(threshold);
    expect(duplicateOf).toBeLessThan(index);
    expect(removed.some(other => other.index === duplicateOf)).toBe(false);
  }
  const both = removed.filter(({ index }) => truth.has(index)).length;
  return { precision: both / removed.length, recall: both / truth.size, found: removed.length };
}

describe('near-duplicates', () => {
  it.each([0.5, 0.8, 0.9])('finds those of brute force at threshold %f', threshold => {
    const { precision, recall, found } = scores(edited(1500, 3), threshold);
    expect(found).toBeGreaterThan(50);
    expect(recall).toBeGreaterThanOrEqual(0.98);
    // A missed row may stay and then stand for others: sets differ a little, though no pair is less similar than promised.
    expect(precision).toBeGreaterThanOrEqual(0.98);
  });

  const real = new URL('../../../../../shared/data/alpaca_en_700.json', import.meta.url);

  if (!existsSync(real)) console.warn('skipped: the real rows of ../shared/data are not here');
  it.skipIf(!existsSync(real))('finds those of brute force on real rows with edits', () => {
    const random = new Random(8);
    const outputs = (JSON.parse(readFileSync(real, 'utf8')) as { output: string }[]).map(r => r.output);
    const copies = outputs.slice(0, 300).map(text =>
      text
        .split(' ')
        .filter(() => random.next() > 0.02)
        .join(' '),
    );
    const { precision, recall, found } = scores([...outputs, ...copies], 0.7);
    expect(found).toBeGreaterThan(80);
    expect(recall).toBeGreaterThanOrEqual(0.98);
    expect(precision).toBeGreaterThanOrEqual(0.98);
  });

  it('is deterministic, and says how it searched', () => {
    const texts = edited(300, 5);
    const a = dedupe(texts, { near: { seed: 4 } });
    expect(dedupe(texts, { near: { seed: 4 } })).toEqual(a);
    expect(a.report.near).toMatchObject({ threshold: 0.8, permutations: 128, bands: 21, rows: 6 });
    expect(a.report.near!.recall).toBeGreaterThan(0.99);
    // Far fewer comparisons than pairs.
    expect(a.report.near!.compared).toBeLessThan((300 * 299) / 2 / 20);
  });

  it('works on characters, short texts and texts without words', () => {
    const near = { unit: 'char' as const, ngram: 3, threshold: 0.7 };
    expect(dedupe(['这是一个测试句子', '这是一个测试句子。', '完全不同的话'], { near }).removed).toMatchObject([
      { index: 1, duplicateOf: 0, reason: 'near-duplicate' },
    ]);
    expect(dedupe(['yes', 'no', 'Yes!', '', '!', ' ', ''], { near: true }).removed).toMatchObject([
      { index: 2, duplicateOf: 0, reason: 'near-duplicate', similarity: 1 },
      { index: 6, duplicateOf: 3, reason: 'exact duplicate' },
    ]);
  });

  it('refuses what cannot be searched', () => {
    expect(() => dedupe(['a'], { near: { threshold: 0 } })).toThrow(/near\.threshold/);
    expect(() => dedupe(['a'], { near: { ngram: 1.5 } })).toThrow(/near\.ngram/);
    expect(() => dedupe(['a'], { near: { unit: 'line' as never } })).toThrow(/near\.unit/);
    expect(() => dedupe(['a'], { near: { permutations: 0 } })).toThrow(/permutations/);
  });
});

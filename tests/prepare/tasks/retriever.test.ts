import { expect, test } from 'vitest';
import { BadInput } from '../../../src/base/core/index.js';
import { retriever, suite } from '../../../src/prepare/tasks/index.js';

const notes = [
  'on monday tom bought the red pen at the market',
  'on friday mia sold the blue lamp at the river',
  'on friday tom lost the blue pen at the school',
  'on sunday ana found the gold key at the park',
];

test('finds the note that shares the rarest words with the question, best first', () => {
  const found = retriever(notes).search('who bought the red pen?', 4);
  expect(found.map(passage => passage.index)).toEqual([0, 2]);
  expect(found[0]!.text).toBe(notes[0]);
  expect(found[0]!.score).toBeGreaterThan(found[1]!.score);
  expect(retriever(notes).search('where did mia sell the blue lamp?', 1)[0]!.index).toBe(1);
});

test('words that stand everywhere, and words that stand nowhere, find nothing', () => {
  expect(retriever(notes).search('who did what at the and to?')).toEqual([]);
  expect(retriever(notes).search('zebra')).toEqual([]);
  expect(retriever(notes).search('marke')).toEqual([]);
  expect(retriever([]).search('pen')).toEqual([]);
});

test('BM25+: the scores of the formula (k 1.2, b 0.7, d 0.5), worked out by hand', () => {
  const found = retriever(['cat cat dog', 'dog', 'hen owl dog cow fox']).search('cat dog', 3);
  // Lengths are counted in different words: 2, 1 and 5.
  const mean = 8 / 3;
  const score = (times: number, length: number, containing: number) =>
    Math.log(1 + (3 - containing + 0.5) / (containing + 0.5)) *
    (0.5 + (times * 2.2) / (times + 1.2 * (0.3 + (0.7 * length) / mean)));
  // A passage with two of the question's words counts twice.
  const expected = [2 * (score(2, 2, 1) + score(1, 2, 3)), score(1, 1, 3), score(1, 5, 3)];
  expect(found.map(passage => passage.index)).toEqual([0, 1, 2]);
  for (const [i, passage] of found.entries()) expect(passage.score).toBeCloseTo(expected[i]!, 10);
});

test('in scripts without spaces, in full-width and composed letters, the same words are found', () => {
  const library = retriever(['猫は魚を食べる', '犬は肉を食べる', 'naïve café', 'tom’s pen']);
  expect(library.search('犬の肉', 1)[0]!.index).toBe(1);
  expect(library.search('ＣＡＦE\u0301')[0]!.index).toBe(2);
  expect(library.search("tom's").map(({ index }) => index)).toEqual([3]);
});

test('a number of passages that makes no sense is refused', () => {
  for (const k of [0, -1, 1.5, Number.NaN]) expect(() => retriever(notes).search('pen', k)).toThrow(BadInput);
});

test('in the suite, the passages of a question hold its answer and others that share its words', () => {
  const rows = suite({ tasks: ['question about notes'], heldOutClusters: [], rows: 300, perRung: 10, difficulty: 4 }).rows;
  for (const { input, messages } of rows) {
    const passages = input.split('. ');
    expect(passages.length).toBeGreaterThanOrEqual(2);
    expect(passages.slice(0, -1).some(passage => passage.includes(messages[1]!.content))).toBe(true);
  }
});

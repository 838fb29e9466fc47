import { BadInput } from '../core/index.js';
import { porterStem } from './porter.js';

/** How much two texts have in common, 0 to 1. */
export interface RougeScore {
  /** Share of the prediction's units that the reference has. */
  precision: number;
  /** Share of the reference's units that the prediction has. */
  recall: number;
  /** Harmonic mean of both; 0 when both are 0. */
  f: number;
}

/** Which units count: words, pairs of words, the longest common subsequence of words, or that of every line. */
export type RougeKind = 'rouge1' | 'rouge2' | 'rougeL' | 'rougeLsum';

export interface RougeOptions {
  /** Strip suffixes from words of more than three letters (Porter's stemmer, as NLTK has it). Default: false, as in `rouge-score`. */
  stem?: boolean;
}

/** Pairs of words that are compared at most: beyond, the texts are no answers. */
const MOST_PAIRS = 100_000_000;

/**
 * ROUGE (C.-Y. Lin, "ROUGE: a package for automatic evaluation of summaries", 2004), equal to Google's `rouge-score` 0.1.2: words
 * are runs of a–z and 0–9 in lower case, all else separates; `rougeLsum` takes lines for sentences.
 * @throws BadInput for a pair of texts of more than 10,000 × 10,000 words.
 */
export function rouge(kind: RougeKind, reference: string, prediction: string, options: RougeOptions = {}): RougeScore {
  const { stem = false } = options;
  if (kind === 'rougeLsum') return summary(lines(reference, stem), lines(prediction, stem));
  const [a, b] = [rougeWords(reference, stem), rougeWords(prediction, stem)];
  if (kind === 'rougeL') return scored(commonLength(a, b), a.length, b.length);
  const n = kind === 'rouge1' ? 1 : 2;
  const [x, y] = [grams(a, n), grams(b, n)];
  let both = 0;
  for (const [gram, count] of x) both += Math.min(count, y.get(gram) ?? 0);
  return scored(both, Math.max(0, a.length - n + 1), Math.max(0, b.length - n + 1));
}

/** The words ROUGE compares. */
export function rougeWords(text: string, stem = false): string[] {
  const words = text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return stem ? words.map(word => (word.length > 3 ? porterStem(word) : word)) : words;
}

function scored(hits: number, reference: number, prediction: number): RougeScore {
  const precision = hits / Math.max(1, prediction);
  const recall = hits / Math.max(1, reference);
  return { precision, recall, f: hits === 0 ? 0 : (2 * precision * recall) / (precision + recall) };
}

function grams(words: readonly string[], n: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 0; i + n <= words.length; i++) {
    const gram = words.slice(i, i + n).join(' ');
    counts.set(gram, (counts.get(gram) ?? 0) + 1);
  }
  return counts;
}

function checkSize(a: readonly string[], b: readonly string[]): void {
  if (a.length * b.length > MOST_PAIRS)
    throw new BadInput({
      problem: 'the texts are too long for ROUGE-L',
      expected: `at most ${MOST_PAIRS.toLocaleString('en-US')} pairs of words`,
      found: `${a.length} and ${b.length} words`,
      fix: 'score a part of them, or use rouge1 or rouge2',
    });
}

/** Length of a longest common subsequence. */
function commonLength(a: readonly string[], b: readonly string[]): number {
  checkSize(a, b);
  let above = new Uint32Array(b.length + 1);
  let row = new Uint32Array(b.length + 1);
  for (const word of a) {
    for (let j = 1; j <= b.length; j++) row[j] = b[j - 1] === word ? above[j - 1]! + 1 : Math.max(above[j]!, row[j - 1]!);
    [above, row] = [row, above];
  }
  return above[b.length]!;
}

function lines(text: string, stem: boolean): string[][] {
  return text
    .split('\n')
    .filter(Boolean)
    .map(line => rougeWords(line, stem));
}

/**
 * ROUGE-L of summaries: of every line of the reference the words that are in its longest common subsequence with any line of the
 * prediction, no word counted more often than it occurs.
 */
function summary(reference: readonly string[][], prediction: readonly string[][]): RougeScore {
  const count = (sentences: readonly string[][]) => grams(sentences.flat(), 1);
  const [leftOfReference, leftOfPrediction] = [count(reference), count(prediction)];
  let hits = 0;
  for (const sentence of reference) {
    const found = new Set(prediction.flatMap(other => commonPlaces(sentence, other)));
    for (const at of [...found].sort((a, b) => a - b)) {
      const word = sentence[at]!;
      const [x, y] = [leftOfReference.get(word) ?? 0, leftOfPrediction.get(word) ?? 0];
      if (x === 0 || y === 0) continue;
      hits++;
      leftOfReference.set(word, x - 1);
      leftOfPrediction.set(word, y - 1);
    }
  }
  return scored(hits, reference.flat().length, prediction.flat().length);
}

/** Places in `a` of one longest common subsequence: the one that is read back from the end, `a`'s words given up first. */
function commonPlaces(a: readonly string[], b: readonly string[]): number[] {
  checkSize(a, b);
  const width = b.length + 1;
  const table = new Uint32Array((a.length + 1) * width);
  for (let i = 1; i <= a.length; i++)
    for (let j = 1; j <= b.length; j++)
      table[i * width + j] =
        a[i - 1] === b[j - 1]
          ? table[(i - 1) * width + j - 1]! + 1
          : Math.max(table[(i - 1) * width + j]!, table[i * width + j - 1]!);
  const places: number[] = [];
  for (let i = a.length, j = b.length; i > 0 && j > 0; ) {
    if (a[i - 1] === b[j - 1]) {
      places.push(--i);
      j--;
    } else if (table[i * width + j - 1]! > table[(i - 1) * width + j]!) j--;
    else i--;
  }
  return places;
}

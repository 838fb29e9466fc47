import { BadInput, Interrupted, progress, quote } from '../../../base/core/index.js';
import { words } from '../../../base/text/index.js';
import { eldDetector, type LanguageDetector } from './language.js';
import { CleanReport, origin, type Removed } from './report.js';
import { type TextOf, textReader } from './row-text.js';

/** Bounds of a length, both included. */
export interface Range {
  min?: number;
  max?: number;
}

export interface LanguageFilter {
  /** ISO 639-1 codes to keep, e.g. `['en', 'de']`. */
  keep: readonly string[];
  /** Keep rows whose language the detector is not sure of (short texts, mostly). Defaults to true. */
  keepUnsure?: boolean;
  /** Defaults to the optional package `eld`. */
  detect?: LanguageDetector;
}

export interface FilterOptions<T> {
  /** Bounds on Unicode characters. */
  chars?: Range;
  /** Bounds on words; in scripts without spaces every character is one. */
  words?: Range;
  /** Bounds on tokens; needs `tokenizer`. */
  tokens?: Range;
  /** A tunebook Tokenizer, or anything with its `encode`. */
  tokenizer?: { encode(text: string): { ids: ArrayLike<number> } };
  language?: LanguageFilter | readonly string[];
  /** Tests of your own by name; a row is removed by the first that is false, and counted under its name. */
  keep?: Record<string, (row: T, index: number) => boolean>;
  /** Text to measure. Defaults to the whole conversation. */
  on?: TextOf<T>;
  signal?: AbortSignal;
}

export interface Filtered<T> {
  /** The rows kept, in their order. */
  rows: T[];
  removed: Removed[];
  report: CleanReport;
}

/** Why a text is removed, or undefined to keep it. */
type Test<T> = (text: string, row: T, index: number) => string | undefined | Promise<string | undefined>;

/**
 * Keep the rows that pass every test. Tests run in the order characters, words, tokens, language, your own; each removed row
 * is listed with the first test it fails, and the report counts them.
 *
 * @example
 * const { rows, report } = await data.filter(all, {
 *   on: 'response', words: { min: 3, max: 400 }, language: ['en'],
 *   keep: { 'says it is a model': row => !/as an ai/i.test(data.contentText(row.messages.at(-1)!)) },
 * });
 * @throws Unavailable when a language filter without `detect` finds no `eld`; Interrupted when `signal` is aborted.
 */
export async function filter<T>(rows: readonly T[], options: FilterOptions<T>): Promise<Filtered<T>> {
  const text = textReader(options.on);
  const tests = await makeTests(options);
  const kept: T[] = [];
  const removed: Removed[] = [];
  const bar = progress('filtering', { total: rows.length, unit: 'rows' });
  try {
    for (const [index, row] of rows.entries()) {
      if (index % 1000 === 0) {
        bar.update(index, `${removed.length} removed`);
        // Lets an abort and the kernel's messages through.
        await new Promise(done => setTimeout(done, 0));
      }
      if (options.signal?.aborted) throw new Interrupted({ problem: `filtering was stopped at row ${index}` });
      const own = text(row, index);
      let reason: string | undefined;
      for (const test of tests) {
        const answer = test(own, row, index);
        reason = answer instanceof Promise ? await answer : answer;
        if (reason !== undefined) break;
      }
      if (reason === undefined) kept.push(row);
      else removed.push({ index, ...origin(row), reason });
    }
  } finally {
    bar.finish(`${removed.length} removed`);
  }
  return { rows: kept, removed, report: new CleanReport('filter', rows.length, removed) };
}

async function makeTests<T>(options: FilterOptions<T>): Promise<Test<T>[]> {
  const { chars, words: wordRange, tokens, tokenizer, keep = {} } = options;
  const tests: Test<T>[] = [];
  if (chars) tests.push(lengthTest('characters', 'chars', chars, characters));
  if (wordRange) tests.push(lengthTest('words', 'words', wordRange, text => words(text).length));
  if (tokens) {
    if (!tokenizer) {
      throw new BadInput({
        problem: 'tokens cannot be counted without a tokenizer',
        where: { key: 'tokenizer' },
        expected: 'a Tokenizer beside tokens',
        found: 'none',
        fix: "pass {tokens: {...}, tokenizer: await tokens.Tokenizer.fromFile('…')}",
      });
    }
    tests.push(lengthTest('tokens', 'tokens', tokens, text => tokenizer.encode(text).ids.length));
  }
  if (options.language) tests.push(await languageTest(options.language));
  for (const [name, test] of Object.entries(keep)) {
    if (typeof test !== 'function') throw badTest(`keep.${name}`, 'a function of a row that is true to keep it', test);
    tests.push((_, row, index) => (test(row, index) ? undefined : name));
  }
  if (tests.length === 0) throw badTest('options', 'at least one of chars, words, tokens, language, keep', Object.keys(options));
  return tests;
}

function lengthTest<T>(
  unit: string,
  key: string,
  { min = 0, max = Number.POSITIVE_INFINITY }: Range,
  measure: (text: string) => number,
): Test<T> {
  if (!(min >= 0) || !(max >= min)) throw badTest(key, 'numbers min ≤ max, from 0 up', { min, max });
  return text => {
    const n = measure(text);
    return n < min ? `fewer than ${min} ${unit}` : n > max ? `more than ${max} ${unit}` : undefined;
  };
}

/** Characters as Unicode counts them: surrogate pairs are one. */
function characters(text: string): number {
  return text.length - (text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);
}

async function languageTest<T>(filter: LanguageFilter | readonly string[]): Promise<Test<T>> {
  const { keep, keepUnsure = true, detect } = isList(filter) ? { keep: filter } : filter;
  if (!Array.isArray(keep) || keep.length === 0 || keep.some(code => typeof code !== 'string'))
    throw badTest('language.keep', "language codes such as ['en']", keep);
  const wanted = new Set(keep);
  const detector = detect ?? (await eldDetector());
  const judge = ({ language, reliable = true }: { language: string; reliable?: boolean }) => {
    if (language === '' || !reliable) return keepUnsure ? undefined : 'language not sure';
    return wanted.has(language) ? undefined : `language ${language}`;
  };
  return text => {
    const found = detector(text);
    return found instanceof Promise ? found.then(judge) : judge(found);
  };
}

function isList(filter: LanguageFilter | readonly string[]): filter is readonly string[] {
  return Array.isArray(filter);
}

function badTest(key: string, expected: string, found: unknown): BadInput {
  return new BadInput({
    problem: 'rows cannot be filtered like this',
    where: { key },
    expected,
    found: quote(found),
    fix: 'see the example of data.filter',
  });
}

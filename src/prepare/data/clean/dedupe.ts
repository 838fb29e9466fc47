import { BadInput, progress } from '../../../base/core/index.js';
import {
  type Bands,
  chooseBands,
  jaccard,
  LshIndex,
  MinHash,
  type NormalizeOptions,
  normalize,
  shingles,
} from '../../../base/text/index.js';
import { CleanReport, origin, type Removed } from './report.js';
import { keyReader, type TextOf, textReader } from './row-text.js';

/** What counts as a near-duplicate. */
export interface NearOptions {
  /** Jaccard similarity of the shingle sets from which two rows are near-duplicates, in (0, 1]. Defaults to 0.8. */
  threshold?: number;
  /** Words (or characters) in one shingle. Defaults to 5. */
  ngram?: number;
  /** Shingles of words (the default), or of characters, which suit short texts and scripts without spaces. */
  unit?: 'word' | 'char';
  /** Length of the MinHash signatures. Defaults to 128. */
  permutations?: number;
  /** Chooses the permutations. Defaults to 0. */
  seed?: number | string;
}

export interface DedupeOptions<T> {
  /**
   * Remove rows whose text is the same: character by character (true, the default), or after folding, e.g.
   * `{case: true, whitespace: true, punctuation: true}`. Roles must be the same, too.
   */
  exact?: boolean | NormalizeOptions;
  /** Remove near-duplicates, too. Defaults to false; true takes the defaults of {@link NearOptions}. */
  near?: boolean | NearOptions;
  /** Text to compare. Defaults to the whole conversation. */
  on?: TextOf<T>;
}

/** A row that repeats an earlier one. */
export interface Duplicate extends Removed {
  /** Position of the row it repeats, which was kept. */
  duplicateOf: number;
  /** Jaccard similarity to that row, computed exactly (1 for exact duplicates). */
  similarity: number;
}

/** How near-duplicates were searched. */
export interface NearSearch extends Bands {
  threshold: number;
  permutations: number;
  /** Pairs whose similarity was computed. */
  compared: number;
}

export interface Deduped<T> {
  /** The rows kept, in their order. */
  rows: T[];
  removed: Duplicate[];
  report: CleanReport & { near?: NearSearch };
}

/**
 * Remove repeated rows; of each group the first stays. Every removed row is listed with the kept row it repeats.
 *
 * Near-duplicates are found by MinHash signatures and locality-sensitive hashing (Broder 1997; Leskovec, Rajaraman &
 * Ullman, Mining of Massive Datasets §3.4), in expected linear time. Each candidate's Jaccard similarity is then computed
 * from the shingles themselves, so no row is removed that is not that similar to a kept one; a pair exactly at the
 * threshold is missed with probability `1 − report.near.recall` (below 1 in 100), a more similar one less often.
 *
 * @example
 * const { rows, removed, report } = data.dedupe(all, { near: { threshold: 0.8 } });
 * removed[0]; // { index: 17, duplicateOf: 3, similarity: 0.91, reason: 'near-duplicate' }
 */
export function dedupe<T>(rows: readonly T[], options: DedupeOptions<T> = {}): Deduped<T> {
  const { exact = true, on = 'conversation' } = options;
  const near = options.near === true ? {} : options.near;
  const search = near ? new NearIndex(near) : undefined;
  const key = exact ? keyReader(on, typeof exact === 'object' ? text => normalize(text, exact) : text => text) : undefined;
  const text = textReader(on);

  const first = new Map<string, number>();
  const kept: T[] = [];
  const removed: Duplicate[] = [];
  const bar = progress('looking for duplicates', { total: rows.length, unit: 'rows' });
  for (const [index, row] of rows.entries()) {
    if (index % 500 === 0) bar.update(index, `${removed.length} found`);
    const own = key?.(row, index);
    const same = own === undefined ? undefined : first.get(own);
    const found =
      same !== undefined
        ? { duplicateOf: same, similarity: 1, reason: 'exact duplicate' }
        : search?.findOrAdd(index, text(row, index));
    if (found) {
      removed.push({ index, ...origin(row), ...found });
      continue;
    }
    if (own !== undefined) first.set(own, index);
    kept.push(row);
  }
  bar.finish(`${removed.length} found`);
  const report = new CleanReport('dedupe', rows.length, removed);
  return { rows: kept, removed, report: search ? Object.assign(report, { near: search.summary() }) : report };
}

/** The kept rows' shingles and signatures. */
class NearIndex {
  readonly #options: Required<NearOptions>;
  readonly #minhash: MinHash;
  readonly #cut: Bands;
  readonly #lsh: LshIndex;
  readonly #sets = new Map<number, Uint32Array>();
  #compared = 0;

  constructor(options: NearOptions) {
    const { threshold = 0.8, ngram = 5, unit = 'word', permutations = 128, seed = 0 } = options;
    const bad = (key: string, expected: string, found: unknown) =>
      new BadInput({
        problem: 'near-duplicates cannot be searched like this',
        where: { key: `near.${key}` },
        expected,
        found: String(found),
        fix: `leave ${key} out to take the default`,
      });
    if (!(threshold > 0 && threshold <= 1)) throw bad('threshold', 'a similarity above 0, up to 1', threshold);
    if (!Number.isInteger(ngram) || ngram < 1) throw bad('ngram', 'a whole number from 1 up', ngram);
    if (unit !== 'word' && unit !== 'char') throw bad('unit', "'word' or 'char'", unit);
    this.#options = { threshold, ngram, unit, permutations, seed };
    this.#minhash = new MinHash({ permutations, seed });
    this.#cut = chooseBands(threshold, permutations);
    this.#lsh = new LshIndex(this.#cut);
  }

  /** The most similar row kept so far (the earliest of equals), or undefined: then this row is added. */
  findOrAdd(index: number, text: string): { duplicateOf: number; similarity: number; reason: string } | undefined {
    const { threshold, ngram, unit } = this.#options;
    const set = shingles(text, { n: ngram, unit });
    // Rows without any text have nothing to be similar by; exact comparison deals with them.
    if (set.length === 0) return undefined;
    const signature = this.#minhash.signature(set);
    let best = -1;
    let similarity = 0;
    for (const other of this.#lsh.candidates(signature)) {
      const its = this.#sets.get(other)!;
      // |A| ÷ |B| bounds the similarity.
      if (Math.min(set.length, its.length) < threshold * Math.max(set.length, its.length)) continue;
      this.#compared++;
      const s = jaccard(set, its);
      if (s >= threshold && (s > similarity || (s === similarity && other < best))) [best, similarity] = [other, s];
    }
    if (best >= 0) return { duplicateOf: best, similarity, reason: 'near-duplicate' };
    this.#lsh.add(index, signature);
    this.#sets.set(index, set);
    return undefined;
  }

  summary(): NearSearch {
    const { threshold, permutations } = this.#options;
    return { ...this.#cut, threshold, permutations, compared: this.#compared };
  }
}

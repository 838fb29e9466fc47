import { BadInput, progress, setView } from '../../../base/core/index.js';
import { type Gram, GramIndex, hashWords, type WordHashes } from './overlap.js';
import { origin, percent } from './report.js';
import { type TextOf, textReader } from './row-text.js';

export interface ContaminationOptions<T, E> {
  /** Words in one n-gram. Defaults to 13; 8 finds more, and more that is mere phrase. */
  ngram?: number;
  /**
   * Share of an evaluation row's n-grams that must occur in training rows for it to count as contaminated. Defaults to 0: a
   * single one is enough.
   */
  threshold?: number;
  /** N-grams that occur in more training rows than this are boilerplate (a template's wording) and left out. Defaults to none. */
  ignoreCommon?: number;
  /** Text of both kinds of row. Defaults to the whole conversation. */
  on?: TextOf<T | E>;
}

/** A row that overlaps the other set. */
export interface Overlap {
  /** Position among its own rows. */
  index: number;
  source?: string;
  line?: number;
  /** The first n-gram they share: lower case, without punctuation. */
  ngram: string;
  /** Of an evaluation row: the share of its n-grams that occur in training rows. Of a training row: the share of its words in such n-grams. */
  share: number;
  /** The first rows of the other set that share an n-gram with it, ten at most. */
  others: number[];
  /** How many there are. */
  count: number;
}

/** One direction of the check. */
export interface OverlapSide {
  /** Rows given. */
  rows: number;
  contaminated: number;
  /** contaminated ÷ rows. */
  share: number;
  hits: Overlap[];
}

/** What {@link contamination} found; shown in a notebook as a table of the contaminated evaluation rows. */
export class Contamination<T = unknown, E = unknown> {
  readonly ngram: number;
  readonly threshold: number;
  /** Evaluation rows that occur in training rows. */
  readonly eval: OverlapSide;
  /** Training rows that give evaluation rows away. */
  readonly train: OverlapSide;
  /** Positions of evaluation rows without a single word, which cannot be checked. */
  readonly unchecked: readonly number[];
  /** N-grams left out as boilerplate (`ignoreCommon`). */
  readonly ignored: number;
  /** Training rows that share no n-gram with a contaminated evaluation row: train on these. */
  readonly cleanTrain: readonly T[];
  /** Evaluation rows that are not contaminated: or evaluate on these. */
  readonly cleanEval: readonly E[];

  /** @internal Made by {@link contamination}. */
  constructor(parts: {
    ngram: number;
    threshold: number;
    eval: OverlapSide;
    train: OverlapSide;
    unchecked: readonly number[];
    ignored: number;
    cleanTrain: readonly T[];
    cleanEval: readonly E[];
  }) {
    this.ngram = parts.ngram;
    this.threshold = parts.threshold;
    this.eval = parts.eval;
    this.train = parts.train;
    this.unchecked = parts.unchecked;
    this.ignored = parts.ignored;
    this.cleanTrain = parts.cleanTrain;
    this.cleanEval = parts.cleanEval;
  }

  /** One sentence, e.g. `3 of 200 evaluation rows (1.5 %) share 13 words in a row with 4 of 5,000 training rows.` */
  get summary(): string {
    const n = (count: number) => count.toLocaleString('en-US');
    const { contaminated, rows, share } = this.eval;
    const head = `${n(contaminated)} of ${n(rows)} evaluation rows (${percent(share)})`;
    const enough =
      this.threshold > 0 ? `at least ${percent(this.threshold)} of their ${this.ngram}-grams` : `${this.ngram} words in a row`;
    return `${head} share ${enough} with ${n(this.train.contaminated)} of ${n(this.train.rows)} training rows.`;
  }
}

setView(Contamination, found => ({
  kind: 'table',
  data:
    found.eval.hits.length === 0
      ? [{ contamination: found.summary }]
      : found.eval.hits.map(({ index, share, ngram, others, count }) => ({
          'evaluation row': index,
          'n-grams in training': percent(share),
          'training rows': `${others.join(', ')}${count > others.length ? `, … (${count})` : ''}`,
          'shared text': ngram,
        })),
}));

/**
 * Evaluation rows that occur in training rows, by n-gram overlap of normalised words (lower case, without punctuation).
 *
 * With the defaults a row is contaminated when it shares one 13-gram with any training row, or, being shorter, occurs there
 * whole (GPT-3: Brown et al. 2020, §4 and appendix C). `{ngram: 8, threshold: 0.7}` is PaLM's rule (Chowdhery et al. 2022, §8):
 * at least 70 % of the row's 8-grams. Both directions are reported, and the rows left clean on either side.
 *
 * @example
 * const found = data.contamination(train, heldOut, { ngram: 8 });
 * found.summary;                // '3 of 200 evaluation rows (1.5 %) share 8 words in a row with …'
 * found.eval.hits[0].ngram;     // the words they share
 * const rows = found.cleanTrain;
 */
export function contamination<T, E>(
  train: readonly T[],
  evaluation: readonly E[],
  options: ContaminationOptions<T, E> = {},
): Contamination<T, E> {
  const { ngram = 13, threshold = 0, ignoreCommon = Number.POSITIVE_INFINITY } = options;
  if (!Number.isInteger(ngram) || ngram < 1) throw bad('ngram', 'a whole number from 1 up', ngram);
  if (!(threshold >= 0 && threshold <= 1)) throw bad('threshold', 'a share from 0 to 1', threshold);
  if (!(ignoreCommon >= 1)) throw bad('ignoreCommon', 'a number of training rows from 1 up', ignoreCommon);
  const text = textReader<T | E>(options.on);
  const index = new GramIndex(
    evaluation.map((row, i) => hashWords(text(row, i))),
    ngram,
  );

  const bar = progress('looking for evaluation rows in training rows', { total: 2 * train.length, unit: 'rows' });
  const trainWords = (row: number, done: number) => {
    if (row % 500 === 0) bar.update(done);
    return hashWords(text(train[row]!, row));
  };
  // Twice over the training rows that match: what counts is known only after the first time, and keeping every match would
  // take more memory than the rows themselves.
  const matching = train.map((_, row) => countGrams(trainWords(row, row), row, index));
  const grams = new Set(index.gramsOf.flat());
  const usable = (gram: Gram) => gram.found <= ignoreCommon;
  const shares = index.gramsOf.map(own => {
    const counted = own.filter(usable);
    return counted.length === 0 ? 0 : counted.filter(gram => gram.found > 0).length / counted.length;
  });
  const dirty = shares.map(share => share > 0 && share >= threshold);

  const leaks = new Set([...grams].filter(gram => usable(gram) && gram.rows.some(i => dirty[i])));

  const others = evaluation.map(() => new Others());
  const hits: Overlap[] = [];
  for (let row = 0; row < train.length; row++) {
    if (!matching[row]) continue;
    const hit = trainHit(trainWords(row, train.length + row), index, leaks);
    if (!hit) continue;
    const rows = [...hit.rows].filter(i => dirty[i]).sort((a, b) => a - b);
    for (const i of rows) others[i]!.add(row);
    hits.push({
      index: row,
      ...origin(train[row]),
      ngram: hit.ngram,
      share: hit.share,
      others: rows.slice(0, 10),
      count: rows.length,
    });
  }
  bar.finish();

  const flagged = new Set(hits.map(hit => hit.index));
  const evalHits = evaluation.flatMap((row, i): Overlap[] => {
    if (!dirty[i]) return [];
    const gram = index.gramsOf[i]!.find(g => usable(g) && g.found > 0)!;
    const { first, count } = others[i]!;
    return [{ index: i, ...origin(row), ngram: index.quote(gram), share: shares[i]!, others: first, count }];
  });
  return new Contamination({
    ngram,
    threshold,
    eval: side(evaluation.length, evalHits),
    train: side(train.length, hits),
    unchecked: index.texts.flatMap(({ words }, i) => (words.length === 0 ? [i] : [])),
    ignored: [...grams].filter(gram => !usable(gram)).length,
    cleanTrain: train.filter((_, i) => !flagged.has(i)),
    cleanEval: evaluation.filter((_, i) => !dirty[i]),
  });
}

/** Counts a training row for every gram it contains; false when there is none. */
function countGrams(text: WordHashes, row: number, index: GramIndex): boolean {
  let any = false;
  index.match(text, gram => {
    any = true;
    if (gram.last === row) return;
    gram.last = row;
    gram.found++;
  });
  return any;
}

/** The overlap of one training row with the grams that count. */
function trainHit(text: WordHashes, index: GramIndex, leaks: ReadonlySet<Gram>) {
  let first: { gram: Gram; start: number } | undefined;
  const rows = new Set<number>();
  const covered = new Uint8Array(text.words.length);
  index.match(text, (gram, start) => {
    if (!leaks.has(gram)) return;
    if (!first || start < first.start) first = { gram, start };
    covered.fill(1, start, start + gram.size);
    for (const row of gram.rows) rows.add(row);
  });
  if (!first) return undefined;
  const share = covered.reduce((a, b) => a + b, 0) / covered.length;
  return { ngram: index.quote((first as { gram: Gram }).gram), share, rows };
}

/** The first ten rows and how many there are. */
class Others {
  readonly first: number[] = [];
  count = 0;

  add(row: number): void {
    if (this.count++ < 10) this.first.push(row);
  }
}

function side(rows: number, hits: Overlap[]): OverlapSide {
  return { rows, contaminated: hits.length, share: rows === 0 ? 0 : hits.length / rows, hits };
}

function bad(key: string, expected: string, found: unknown): BadInput {
  return new BadInput({
    problem: 'contamination cannot be checked like this',
    where: { key },
    expected,
    found: String(found),
    fix: `leave ${key} out to take the default`,
  });
}

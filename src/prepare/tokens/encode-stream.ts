import { BadInput, Interrupted, progress } from '../../base/core/index.js';
import type { Row } from '../data/index.js';
import { get } from '../templates/index.js';
import { encode } from './encode.js';
import { checkEncodeOptions } from './encode-options.js';
import type { EncodeRowsOptions, EncodeSummary } from './encode-rows.js';
import type { EncodedRow } from './encoded.js';

/** Dropped rows that a summary of a stream lists unless told; the others are counted (rows − kept). */
const LISTED = 1000;
/** Rows after which a stream is judged by `maxDropped`, and then again every so many. */
const JUDGED_EVERY = 1000;

/** Rows that may be read as they come: an array, a generator, a reader of files. */
export type Stream<T> = AsyncIterable<T> | Iterable<T>;

/** What a summary counts of an encoded row. */
export interface CountedRow {
  readonly length: number;
  readonly trained: number;
  readonly straddling: number;
  readonly truncated: boolean;
  compact(): unknown;
}

/** Encodes rows one at a time and keeps the {@link EncodeSummary}. */
export class CountingEncoder<R extends CountedRow> {
  readonly summary: EncodeSummary;
  readonly #options: EncodeRowsOptions;
  readonly #encodeOne: (row: Row, options: EncodeRowsOptions) => R;

  readonly #listed: number;

  /** @param listed dropped rows that the summary lists: the first 1,000 unless told */
  constructor(options: EncodeRowsOptions, encodeOne: (row: Row, options: EncodeRowsOptions) => R, listed: number = LISTED) {
    checkEncodeOptions(options);
    this.#encodeOne = encodeOne;
    this.#listed = listed;
    const template = typeof options.template === 'string' ? get(options.template) : options.template;
    this.#options = { ...options, template };
    const spelledOut = template.stop.filter(text => text !== 'eos' && options.tokenizer.splitAdded(text)[0]?.id === undefined);
    this.summary = {
      rows: 0,
      kept: 0,
      tokens: 0,
      trainedTokens: 0,
      trainedShare: 0,
      truncated: 0,
      dropped: [],
      straddling: 0,
      longest: 0,
      warnings: spelledOut.map(
        text =>
          `${JSON.stringify(text)} of template ${template.name} is no token of this tokenizer: it is spelled out, and generation cannot stop on it`,
      ),
    };
  }

  /**
   * The row, verified and compact, or undefined when it was dropped: the template cannot hold it, or nothing is left to train.
   * @throws BadInput when, after a thousand rows, more than `maxDropped` of them were dropped
   */
  encode(row: Row): R | undefined {
    const { summary } = this;
    const index = summary.rows++;
    let made: R | undefined;
    let reason = 'it has no token to train on';
    try {
      made = this.#encodeOne(row, this.#options);
      if (made.trained === 0 && made.truncated)
        reason = `no token to train on is left within maxLength ${this.#options.maxLength}`;
    } catch (error) {
      if (!(error instanceof BadInput)) throw error;
      reason = error.message;
    }
    if (made && made.trained > 0) this.#keep(made);
    else if (summary.dropped.length < this.#listed) summary.dropped.push({ index, source: row.source, line: row.line, reason });
    if (summary.rows % JUDGED_EVERY === 0) this.judge();
    if (!made || made.trained === 0) return undefined;
    made.compact();
    return made;
  }

  /** Throws BadInput when more than `maxDropped` of the rows so far, or all of them, were dropped. */
  judge(): void {
    const { maxDropped = 0.5 } = this.#options;
    const { rows, kept, dropped } = this.summary;
    if (rows === 0 || (kept > 0 && rows - kept <= maxDropped * rows)) return;
    const some = dropped.slice(0, 3).map(d => `row ${d.index}${d.line ? ` (line ${d.line})` : ''}: ${d.reason}`);
    throw new BadInput({
      problem: `${rows - kept} of ${rows} rows train nothing`,
      where: { file: dropped[0]?.source, line: dropped[0]?.line },
      expected:
        kept === 0 ? 'at least one row to train on' : `at most ${Math.round(maxDropped * 100)} % dropped rows (maxDropped)`,
      found: some.join(' · '),
      fix: 'choose a template that fits the rows, or a larger maxLength',
    });
  }

  #keep(row: R): void {
    const { summary } = this;
    summary.kept++;
    summary.tokens += row.length;
    summary.trainedTokens += row.trained;
    summary.trainedShare = summary.trainedTokens / summary.tokens;
    summary.straddling += row.straddling;
    summary.longest = Math.max(summary.longest, row.length);
    if (row.truncated) summary.truncated++;
  }
}

/** {@link CountingEncoder} of rows for decoders, which lists the first 1,000 dropped rows only. */
export class RowEncoder extends CountingEncoder<EncodedRow> {
  constructor(options: EncodeRowsOptions) {
    super(options, encode);
  }
}

/** Rows being encoded; iterate it once. `summary` says what became of the rows so far. */
export interface EncodedStream extends AsyncIterable<EncodedRow> {
  readonly summary: EncodeSummary;
}

/**
 * Encode rows as they come, one at a time: for data sets that do not fit in memory. As {@link encodeRows}, but dropped rows
 * are judged on the way, every thousand rows, and only the first thousand of them are listed.
 */
export function encodeStream(rows: Stream<Row>, options: EncodeRowsOptions): EncodedStream {
  const encoder = new RowEncoder(options);
  return { summary: encoder.summary, [Symbol.asyncIterator]: () => encoded(rows, encoder, options.signal) };
}

async function* encoded(rows: Stream<Row>, encoder: RowEncoder, signal: AbortSignal | undefined): AsyncGenerator<EncodedRow> {
  const bar = progress('encoding', { unit: 'rows' });
  try {
    for await (const row of rows) {
      if (signal?.aborted) throw new Interrupted({ problem: 'encoding was stopped' });
      const made = encoder.encode(row);
      if (encoder.summary.rows % 100 === 0) bar.update(encoder.summary.rows);
      if (made) yield made;
    }
    encoder.judge();
  } finally {
    bar.finish();
  }
}

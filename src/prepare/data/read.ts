import { Collector } from './collect.js';
import type { AnyRow, Kind } from './layouts/layout.js';
import { openSource, type Source } from './sources/open.js';
import type { FrameLike } from './tables.js';
import type { PreferenceRow, ReadOptions, ReadReport, Row, Rows, UnaryRow } from './types.js';

/**
 * Read training rows.
 *
 * @param source a path, a pattern of paths, a URL, a Hugging Face data set, rows in memory, a table, or a stream (see {@link Source}).
 *   Files may be JSON, JSONL, CSV, TSV, Parquet or plain text, each also gzipped; container and layout of the rows are told from what is
 *   there unless `options` name them.
 * @returns the usable rows in their order, with `rows.report`: how many were read, and every row left out with line and reason.
 * @throws BadInput for a file that is missing, unreadable or empty, and for a malformed row (invalid JSON, a missing key, a
 *   wrong type) unless `onBad: 'skip'`. A well-formed row that nothing can be learnt from (empty `output`, say) is
 *   listed in the report; when no row or less than `1 - maxSkipped` of them is left, that throws too.
 */
export async function readRows(source: Source, options: ReadOptions = {}): Promise<Rows> {
  return readAll<Row>(source, 'rows', options);
}

/** Read preference pairs, from the same sources and with the same account as {@link readRows}. */
export async function readPreferences(
  source: Source,
  options: ReadOptions = {},
): Promise<PreferenceRow[] & { report: ReadReport }> {
  return readAll<PreferenceRow>(source, 'preferences', options);
}

/** Read answers with a verdict (KTO), from the same sources and with the same account as {@link readRows}. */
export async function readUnary(source: Source, options: ReadOptions = {}): Promise<UnaryRow[] & { report: ReadReport }> {
  return readAll<UnaryRow>(source, 'unary', options);
}

/** Rows of a danfo DataFrame with the columns `instruction`, `input` and `output`: {@link readRows} under the name that goes with `toDataFrame`. */
export function fromDataFrame(frame: FrameLike, options: ReadOptions = {}): Promise<Rows> {
  return readRows(frame, options);
}

/** Rows as they are read: an iterable that is gone through once, with an account that grows meanwhile. */
export interface RowStream<R> extends AsyncIterable<R> {
  readonly report: ReadReport;
}

/**
 * Read rows one after another without holding them: for sets larger than memory (JSONL, CSV, text and Parquet by row groups, gzipped or
 * not, and generators; a JSON array is held as a whole). Rows that nothing can be learnt from are passed over and listed in `report` (the
 * first 10,000 of them); `maxSkipped` is looked at when the stream has ended.
 */
export function streamRows(source: Source, options: ReadOptions = {}): RowStream<Row> {
  return stream<Row>(source, 'rows', options);
}

/** {@link streamRows} for preference pairs. */
export function streamPreferences(source: Source, options: ReadOptions = {}): RowStream<PreferenceRow> {
  return stream<PreferenceRow>(source, 'preferences', options);
}

/** {@link streamRows} for answers with a verdict. */
export function streamUnary(source: Source, options: ReadOptions = {}): RowStream<UnaryRow> {
  return stream<UnaryRow>(source, 'unary', options);
}

async function readAll<R extends AnyRow>(
  source: Source,
  kind: Kind,
  options: ReadOptions,
): Promise<R[] & { report: ReadReport }> {
  const { name, raws } = openSource(source, options);
  const collector = new Collector<R>(name, kind, options);
  const rows: R[] = [];
  for await (const batch of raws) {
    for (const row of collector.take(batch)) rows.push(row);
    if (collector.done) break;
  }
  for (const row of collector.end()) rows.push(row);
  collector.check();
  return Object.assign(rows, { report: collector.report });
}

function stream<R extends AnyRow>(source: Source, kind: Kind, options: ReadOptions): RowStream<R> {
  const { name, raws } = openSource(source, options);
  const collector = new Collector<R>(name, kind, options);
  const rows = (async function* () {
    for await (const batch of raws) {
      yield* collector.take(batch);
      if (collector.done) break;
    }
    yield* collector.end();
    collector.check();
  })();
  return { report: collector.report, [Symbol.asyncIterator]: () => rows };
}

import { BadInput, Interrupted, quote, refuseUnknown } from '../../base/core/index.js';
import { describe, isObject } from './layouts/fields.js';
import { detectLayout, LAYOUTS, LIKE } from './layouts/index.js';
import type { AnyRow, Converted, Gatherer, Kind, Layout, Malformed, Origin } from './layouts/layout.js';
import { empty } from './lines.js';
import type { ReadOptions, ReadReport, RowFormat } from './types.js';

/** A raw value as a container gives it, or what is wrong where one should be. */
export type Raw = ({ value: unknown } | { bad: Omit<Malformed, 'kind'> }) & Origin;

/** So many skipped rows are listed; in a file larger than memory every row may be one. */
const LISTED = 10_000;

const OPTIONS: readonly (keyof ReadOptions)[] = [
  ...(['layout', 'format', 'columns', 'container', 'onBad', 'maxSkipped', 'limit', 'signal', 'maxBytes', 'timeout'] as const),
  ...(['textBy', 'delimiter', 'superni', 'oasst'] as const),
];

const READER: Record<Kind, string> = { rows: 'readRows', preferences: 'readPreferences', unary: 'readUnary' };
const GIVES: Record<Kind, string> = { rows: 'conversations', preferences: 'preference pairs', unary: 'answers with a verdict' };

/** Turns raw values into rows, and keeps the account of what became of the others. */
export class Collector<R extends AnyRow> {
  readonly report: ReadReport;
  readonly #options: ReadOptions;
  readonly #kind: Kind;
  /** Names of the layout by those of the file. */
  readonly #columns: ReadonlyMap<string, string> | undefined;
  #layout: Layout | undefined;
  #gatherer: Gatherer | undefined | null = null;
  #skipped = 0;

  constructor(source: string, kind: Kind, options: ReadOptions) {
    refuseUnknown(`data.${READER[kind]}`, options, OPTIONS);
    this.#options = options;
    this.#kind = kind;
    this.#columns = columnsOf(options);
    const name = options.layout ?? options.format ?? 'auto';
    if (name !== 'auto') {
      this.#layout = LAYOUTS.find(layout => layout.name === name);
      if (!this.#layout) {
        throw new BadInput({
          problem: `unknown format ${quote(name)}`,
          expected: `auto, ${LAYOUTS.map(layout => layout.name).join(', ')}`,
          fix: 'leave it out',
        });
      }
      this.#demandKind(this.#layout);
    }
    this.report = { source, format: name === 'auto' ? ('text' as RowFormat) : name, read: 0, kept: 0, skipped: [] };
  }

  /** Enough rows have been read. */
  get done(): boolean {
    return this.report.kept >= (this.#options.limit ?? Number.POSITIVE_INFINITY);
  }

  /** The rows that some raw values are, at most as many as are still wanted. */
  take(raws: Iterable<Raw>): R[] {
    const rows: R[] = [];
    for (const raw of raws) {
      if (this.done) break;
      if (this.#options.signal?.aborted) throw new Interrupted({ problem: `reading ${this.report.source} was stopped` });
      if ('bad' in raw) this.#bad(raw.bad, raw);
      else this.#convert(raw.value, raw, rows);
    }
    return rows;
  }

  /** The rows that waited for the end of the source. */
  end(): R[] {
    const rows: R[] = [];
    if (this.#gatherer) for (const made of this.#gatherer.end()) this.#keep(made, made.origin, rows);
    return rows;
  }

  /** Throws when too few rows could be used. */
  check(): void {
    const { maxSkipped = 0.5 } = this.#options;
    const { source, read, kept, skipped } = this.report;
    if (read === 0) throw empty(source);
    if (kept > 0 && this.#skipped <= maxSkipped * read) return;
    const first = skipped.slice(0, 5).map(s => `${s.line === undefined ? `row ${s.index}` : `line ${s.line}`}: ${s.reason}`);
    throw new BadInput({
      problem: `${this.#skipped} of ${read} rows cannot be used`,
      where: { file: source, line: skipped[0]?.line },
      expected: kept === 0 ? 'at least one usable row' : `at most ${Math.round(maxSkipped * 100)} % unusable rows (maxSkipped)`,
      found: `${first.join('; ')}${this.#skipped > 5 ? '; …' : ''}`,
      fix: kept === 0 ? 'correct the rows' : 'correct the rows, or raise maxSkipped if this is meant',
    });
  }

  #convert(found: unknown, origin: Origin, rows: R[]): void {
    const value = this.#columns && isObject(found) ? renamed(found, this.#columns) : found;
    const layout = this.#layout ?? detectLayout(value);
    if (layout === undefined) {
      this.#bad(
        {
          problem: isObject(value) ? 'the layout of the row is not known' : 'a row is not an object',
          expected: `a row like ${LIKE}`,
          found: describe(value),
          fix: "say which is which, e.g. {columns: {instruction: 'question', output: 'answer'}}",
        },
        origin,
      );
      return;
    }
    if (!isObject(value)) {
      this.#bad({ problem: 'a row is not an object', expected: `an object like ${layout.like}`, found: describe(value) }, origin);
      return;
    }
    this.#demandKind(layout, origin);
    this.#layout = layout;
    this.report.format = layout.name;
    const context = { options: this.#options, source: origin.file ?? this.report.source };
    if (this.#gatherer === null) this.#gatherer = layout.gather?.(value, context);
    if (this.#gatherer) {
      for (const made of this.#gatherer.add(value, origin)) this.#keep(made, made.origin, rows);
      return;
    }
    const made = layout.convert(value, context);
    if (Array.isArray(made)) for (const one of made) this.#keep(one, origin, rows);
    else this.#keep(made, origin, rows);
  }

  #keep(made: Converted, { file, line, row }: Origin, rows: R[]): void {
    if (this.done) return;
    if (made.kind === 'malformed') {
      this.#bad(made, { file, line, row });
      return;
    }
    const index = this.report.read++;
    if (made.kind === 'unusable') {
      this.#skip({ index, line, reason: made.reason });
      return;
    }
    made.row.source = file ?? this.report.source;
    if (line !== undefined) made.row.line = line;
    this.report.kept++;
    rows.push(made.row as R);
  }

  /** A malformed row: an error, or with `onBad: 'skip'` an entry of the report. */
  #bad({ problem, key, expected, found, fix }: Omit<Malformed, 'kind'>, { file, line, row }: Origin): void {
    const index = this.report.read++;
    if (this.#options.onBad === 'skip') {
      this.#skip({ index, line, reason: `${problem} (expected ${expected}, found ${found})` });
      return;
    }
    throw new BadInput({
      problem: line === undefined ? `row ${row ?? index}: ${problem}` : problem,
      where: { file: file ?? this.report.source, line, key },
      expected,
      found,
      fix: fix ?? "correct the row, or pass {onBad: 'skip'} to skip and list such rows",
    });
  }

  #skip(row: ReadReport['skipped'][number]): void {
    if (++this.#skipped <= LISTED) this.report.skipped.push(row);
  }

  #demandKind(layout: Layout, { file, line }: Origin = {}): void {
    if (layout.kind === this.#kind) return;
    throw new BadInput({
      problem: `these are ${GIVES[layout.kind]}, and ${READER[this.#kind]} gives ${GIVES[this.#kind]}`,
      where: { file: file ?? this.report?.source, line },
      expected: `a layout of ${GIVES[this.#kind]}: ${LAYOUTS.filter(l => l.kind === this.#kind)
        .map(l => l.name)
        .join(', ')}`,
      found: `${layout.name}: ${layout.like}`,
      fix: `read it with data.${READER[layout.kind]}, or name another layout the rows fit too ({layout: '…'})`,
    });
  }
}

function columnsOf({ columns }: ReadOptions): ReadonlyMap<string, string> | undefined {
  if (columns === undefined) return undefined;
  const pairs = isObject(columns) ? Object.entries(columns) : [];
  if (pairs.length === 0 || pairs.some(([, from]) => typeof from !== 'string'))
    throw new BadInput({
      problem: 'these are no names of columns',
      where: { key: 'columns' },
      expected: "layout's key: file's key, e.g. {instruction: 'question', output: 'answer'}",
      found: quote(columns),
    });
  return new Map(pairs.map(([to, from]) => [from, to]));
}

/** A row under the names of the layout. */
function renamed(value: Record<string, unknown>, columns: ReadonlyMap<string, string>): Record<string, unknown> {
  const taken = new Set([...columns].flatMap(([from, to]) => (Object.hasOwn(value, from) ? [to] : [])));
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, item]) => {
      const to = columns.get(key);
      return to !== undefined ? [[to, item]] : taken.has(key) ? [] : [[key, item]];
    }),
  );
}

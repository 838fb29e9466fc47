import type { PreferenceRow, ReadOptions, Row, RowFormat, UnaryRow } from '../types.js';

/** Any row a reader gives. */
export type AnyRow = Row | PreferenceRow | UnaryRow;

/** What a layout's rows are for. */
export type Kind = 'rows' | 'preferences' | 'unary';

/** A value that is not what its layout demands. */
export interface Malformed {
  kind: 'malformed';
  key?: string;
  problem: string;
  expected: string;
  found: string;
  fix?: string;
}

/** What one raw value turned out to be: a row, a well-formed row nobody can train on, or a malformed one. */
export type Converted = { kind: 'row'; row: AnyRow } | { kind: 'unusable'; reason: string } | Malformed;

export interface Context {
  options: ReadOptions;
  /** Name of the source, as the caller gave it. */
  source: string;
}

/** Where a raw value was found. */
export interface Origin {
  file?: string;
  line?: number;
  /** Position in its file, from 0, where there are no lines (Parquet). */
  row?: number;
}

/** Rows that are scattered over several raw values (the messages of a tree) come out when the last of them has been seen. */
export interface Gatherer {
  add(value: unknown, origin: Origin): Iterable<Converted & { origin: Origin }>;
  end(): Iterable<Converted & { origin: Origin }>;
}

/** One way to write an example. */
export interface Layout {
  name: RowFormat;
  kind: Kind;
  /** What a row looks like, for error messages. */
  like: string;
  /** Whether a value has the keys of this layout; layouts are asked in an order that settles overlaps. */
  detect(value: Record<string, unknown>): boolean;
  /** Turn one parsed value into rows. Never throws: the caller knows file and line. */
  convert(value: Record<string, unknown>, context: Context): Converted | Converted[];
  /** Present where one row may need several values. */
  gather?(value: Record<string, unknown>, context: Context): Gatherer | undefined;
  /** Keys whose cells hold JSON when the container knows only text (CSV). */
  structured?: readonly string[];
  /** The value that `convert` reads back as this row, or why the layout cannot hold it. Absent where writing makes no sense. */
  write?(row: AnyRow): { value: Record<string, unknown> } | { reason: string };
}

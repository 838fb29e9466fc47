import { writeFileAtomic } from '../../base/core/index.js';
import type { TrialRecord } from './records.js';

/** One result as a row: the settings and the metrics beside what is known of the trial. */
export type SweepRow = Record<string, number | string | boolean | null>;

/** Columns that every row has, beside the settings before and the metrics after them. */
const FIRST = ['trial', 'seed'];
const LAST = ['status', 'error', 'seconds', 'attempt'];

/**
 * Records as rows: trial, seed, settings, metrics, status, error, seconds, attempt. Settings that are lists or objects become JSON
 * text; NaN and infinities are numbers again; a metric with the name of a setting is called `metric.<name>`.
 */
export function sweepRows(records: readonly TrialRecord[]): SweepRow[] {
  const settings = new Set(records.flatMap(({ config }) => Object.keys(config)));
  const taken = (name: string) => FIRST.includes(name) || LAST.includes(name);
  const setting = (name: string) => (taken(name) ? `config.${name}` : name);
  const metric = (name: string) => (taken(name) || settings.has(name) ? `metric.${name}` : name);
  return records.map(({ id, seed, config, metrics = {}, nonFinite = {}, status, error, seconds, attempt }) => ({
    trial: id,
    seed,
    ...Object.fromEntries(
      Object.entries(config).map(([name, value]) => [
        setting(name),
        value !== null && typeof value === 'object' ? JSON.stringify(value) : value,
      ]),
    ),
    ...Object.fromEntries(Object.entries(metrics).map(([name, value]) => [metric(name), value])),
    ...Object.fromEntries(Object.entries(nonFinite).map(([name, value]) => [metric(name), Number(value)])),
    status,
    error: error ? error.message : null,
    seconds: seconds ?? null,
    attempt,
  })) as SweepRow[];
}

/** Names of all columns, those of the trial last. */
export function columnsOf(rows: readonly SweepRow[]): string[] {
  const names = [...new Set(rows.flatMap(row => Object.keys(row)))];
  return [...names.filter(name => !LAST.includes(name)), ...names.filter(name => LAST.includes(name))];
}

/** Rows as CSV (RFC 4180): a missing value is an empty cell, the empty text `""`. */
export async function writeCsv(rows: readonly SweepRow[], path: string): Promise<void> {
  const columns = columnsOf(rows);
  const cell = (value: SweepRow[string] | undefined) => {
    if (value === undefined || value === null) return '';
    const text = String(value);
    return text === '' || /[",\r\n]/.test(text) || text.trim() !== text ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [columns.map(cell), ...rows.map(row => columns.map(name => cell(row[name])))].map(
    cells => `${cells.join(',')}\n`,
  );
  await writeFileAtomic(path, lines.join(''));
}

/** Rows as Parquet: a column of numbers as DOUBLE, of booleans as BOOLEAN, of words or of different things as texts. */
export async function writeParquet(rows: readonly SweepRow[], path: string): Promise<void> {
  const { parquetWriteBuffer } = await import('hyparquet-writer');
  const columnData = columnsOf(rows).map(name => {
    const values = rows.map(row => row[name] ?? undefined);
    const kinds = new Set(values.filter(value => value !== undefined).map(value => typeof value));
    const kind = kinds.size === 1 ? [...kinds][0] : 'string';
    const type = kind === 'number' ? 'DOUBLE' : kind === 'boolean' ? 'BOOLEAN' : 'STRING';
    // UTF-8 has no place for half a character.
    const text = (value: SweepRow[string] | undefined) =>
      value === undefined ? undefined : String(value).replace(/\p{Surrogate}/gu, '\ufffd');
    return { name, data: type === 'STRING' ? values.map(text) : values, type: type as 'DOUBLE', nullable: true };
  });
  await writeFileAtomic(path, new Uint8Array(parquetWriteBuffer({ columnData, kvMetadata: [] })));
}

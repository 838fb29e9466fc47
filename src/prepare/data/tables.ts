import type { ColumnTable } from 'arquero';
import { Unavailable } from '../../base/core/index.js';
import { contentText } from './message.js';
import type { Message, Row } from './types.js';

/** What we need of an arquero table; by shape, so that any copy of arquero will do. */
export interface TableLike {
  numRows(): number;
  columnNames(): string[];
  objects(): object[];
}

/** What we need of a danfo DataFrame; by shape, so that danfojs-node stays an optional peer. */
export interface FrameLike {
  readonly columns: string[];
  readonly values: unknown[] | unknown[][];
}

export function isTable(source: unknown): source is TableLike {
  const table = source as Partial<TableLike> | null;
  return typeof table?.numRows === 'function' && typeof table.objects === 'function' && typeof table.columnNames === 'function';
}

export function isFrame(source: unknown): source is FrameLike {
  const frame = source as Partial<FrameLike> | null;
  return Array.isArray(frame?.columns) && Array.isArray(frame.values);
}

/** The rows of a DataFrame as objects. A frame with one column has plain values instead of arrays. */
export function frameObjects(frame: FrameLike): object[] {
  return frame.values.map(row => {
    const cells = Array.isArray(row) ? row : [row];
    return Object.fromEntries(frame.columns.map((name, i) => [name, cells[i]]));
  });
}

/** One row as a flat record: the first user message and the last assistant message, the number of messages, where it came from. */
export interface FlatRow {
  instruction: string;
  input: string;
  output: string;
  system: string;
  turns: number;
  task: string | null;
  source: string | null;
  line: number | null;
}

/** Flatten rows for tables. Conversations of several turns keep their first user and last assistant message. */
export function flatten(rows: readonly Row[]): FlatRow[] {
  const text = (message: Message | undefined) => (message ? contentText(message) : '');
  return rows.map(({ messages, task, source, line }) => {
    const user = messages.find(m => m.role === 'user');
    return {
      instruction: text(user),
      input: user?.input ?? '',
      output: text(messages.findLast(m => m.role === 'assistant')),
      system: text(messages.find(m => m.role === 'system')),
      turns: messages.filter(m => m.role === 'assistant').length,
      task: task ?? null,
      source: source ?? null,
      line: line ?? null,
    };
  });
}

/** Rows as an arquero table with the columns of {@link FlatRow}; `readRows` reads it back. */
export async function rowsToTable(rows: readonly Row[]): Promise<ColumnTable> {
  const { from } = await import('arquero');
  return from(flatten(rows));
}

/**
 * Rows as a danfo DataFrame with the columns of {@link FlatRow}; `readRows` reads it back.
 * @throws Unavailable when the optional package danfojs-node is not installed.
 */
export async function toDataFrame(rows: readonly Row[]): Promise<FrameLike> {
  type Danfo = { DataFrame: new (data: object[]) => FrameLike };
  let danfo: Danfo & { default?: Danfo };
  try {
    // Its name is kept out of the compiler's sight: the package is an optional peer with heavy types of its own.
    const name: string = 'danfojs-node';
    danfo = (await import(name)) as typeof danfo;
  } catch (error) {
    throw new Unavailable({
      problem: 'danfojs-node cannot be loaded',
      found: error instanceof Error ? error.message.split('\n')[0] : String(error),
      fix: 'npm install danfojs-node@1.2.0, or use data.rowsToTable (arquero)',
      cause: error,
    });
  }
  const { DataFrame } = danfo.default?.DataFrame ? danfo.default : danfo;
  // danfo infers column types from values and stumbles over null.
  return new DataFrame(
    flatten(rows).map(row => ({ ...row, task: row.task ?? '', source: row.source ?? '', line: row.line ?? 0 })),
  );
}

import { BadInput, quote } from '../base/core/index.js';

/** What {@link dataset} shows of rows, whatever their shape. */
export interface DatasetFacts {
  rows: number;
  /** What lengths count. */
  unit: 'tokens' | 'characters';
  lengths: number[];
  /** Of each row with a length, the share that is trained. */
  shares: number[];
  total: number;
  trained: number;
  /** Task and source of each row; '' where it has none. */
  tasks: string[];
  sources: string[];
  /** Rows dropped before, as the summary of `encodeRows` says. */
  dropped: number;
}

// Rows are known by shape: figures stand on core alone and load neither data nor tokens.
interface AnyRow {
  ids?: ArrayLike<number>;
  labels?: ArrayLike<number>;
  trained?: unknown;
  messages?: readonly AnyMessage[];
  prompt?: readonly AnyMessage[];
  chosen?: readonly AnyMessage[];
  rejected?: readonly AnyMessage[];
  completion?: readonly AnyMessage[];
  task?: unknown;
  source?: unknown;
}

interface AnyMessage {
  role?: unknown;
  content?: unknown;
  input?: unknown;
  thinking?: unknown;
  weight?: unknown;
  train?: unknown;
}

const IGNORED = -100;

/** Lengths, trained shares, tasks and sources of rows or encoded rows. `named` are the rows the encoded ones were made of. */
export function datasetFacts(input: unknown, named?: readonly unknown[]): DatasetFacts {
  const bundle = input as { rows?: unknown; summary?: { dropped?: readonly { index: number }[] } } | null | undefined;
  const list = Array.isArray(input) ? input : bundle?.rows;
  if (!Array.isArray(list)) throw unusable(input);
  const dropped = (Array.isArray(input) ? undefined : bundle?.summary?.dropped) ?? [];
  const facts: DatasetFacts = {
    rows: list.length,
    unit: list.length > 0 && isEncoded(list[0]) ? 'tokens' : 'characters',
    lengths: [],
    shares: [],
    total: 0,
    trained: 0,
    tasks: [],
    sources: [],
    dropped: dropped.length,
  };
  for (const [i, row] of list.entries()) {
    const { length, trained } = measure(row, i, facts.unit);
    facts.lengths.push(length);
    if (length > 0) facts.shares.push(trained / length);
    facts.total += length;
    facts.trained += trained;
  }
  const names = nameRows(list, named, new Set(dropped.map(d => d.index)));
  facts.tasks = names.map(row => text(row?.task));
  facts.sources = names.map(row => text(row?.source));
  return facts;
}

function nameRows(
  list: readonly AnyRow[],
  named: readonly unknown[] | undefined,
  dropped: Set<number>,
): readonly (AnyRow | undefined)[] {
  if (!named) return list;
  const kept = named.length === list.length ? named : named.filter((_, i) => !dropped.has(i));
  if (kept.length === list.length) return kept as AnyRow[];
  throw new BadInput({
    problem: 'rows and encoded rows do not belong together',
    where: { key: 'rows' },
    expected: `${list.length} rows (or as many as were given to encodeRows, with its whole result)`,
    found: `${named.length} rows`,
    fix: 'show.dataset(await tokens.encodeRows(rows, …), {rows})',
  });
}

function isEncoded(row: unknown): boolean {
  const { ids, labels } = (row ?? {}) as AnyRow;
  return typeof ids?.length === 'number' && typeof labels?.length === 'number';
}

function measure(row: AnyRow, index: number, unit: DatasetFacts['unit']): { length: number; trained: number } {
  if (unit === 'tokens') {
    if (!isEncoded(row)) throw unusable(row, index);
    if (typeof row.trained === 'number') return { length: row.ids!.length, trained: row.trained };
    let trained = 0;
    for (let i = 0; i < row.labels!.length; i++) if (row.labels![i] !== IGNORED) trained++;
    return { length: row.ids!.length, trained };
  }
  const lists = [row?.messages, row?.prompt, row?.chosen, row?.rejected, row?.completion].filter(Array.isArray) as AnyMessage[][];
  if (lists.length === 0) throw unusable(row, index);
  let length = 0;
  let trained = 0;
  for (const message of lists.flat()) {
    const own = characters(message);
    length += own;
    if (
      message.train === true ||
      (message.role === 'assistant' && message.train !== false && message.weight !== 0 && !row.prompt?.includes(message))
    )
      trained += own;
  }
  return { length, trained };
}

function characters({ content, input, thinking }: AnyMessage): number {
  const parts = Array.isArray(content) ? (content as { text?: unknown }[]).map(part => part?.text) : [content];
  return [...parts, input, thinking].reduce((sum: number, part) => sum + (typeof part === 'string' ? part.length : 0), 0);
}

function text(value: unknown): string {
  return value === undefined || value === null ? '' : String(value);
}

function unusable(found: unknown, index?: number): BadInput {
  return new BadInput({
    problem: index === undefined ? 'a data set is a list of rows' : `row ${index} is no row like the others`,
    expected: 'rows with messages (data.readRows), or encoded rows (tokens.encodeRows)',
    found: quote(found),
    fix: 'pass the rows, or the whole result of encodeRows',
  });
}

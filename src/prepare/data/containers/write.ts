import { BadInput } from '../../../base/core/index.js';
import type { Container } from '../types.js';
import { META } from './csv.js';
import { writeParquet } from './parquet-write.js';

/** A row on its way into a file. */
export interface Written {
  index: number;
  /** The row as its layout writes it, with the fields of its meta beside the others. */
  value: Record<string, unknown>;
  /** The same without the meta: the cells of a table. */
  columns: Record<string, unknown>;
  meta: Record<string, unknown> | undefined;
}

/** Bytes of a file in each container. */
export const WRITERS: Readonly<Record<Container, (rows: AsyncIterable<Written>, path: string) => AsyncIterable<Uint8Array>>> = {
  json: rows => encoded(jsonArray(rows)),
  jsonl: rows => encoded(jsonLines(rows)),
  csv: (rows, path) => encoded(cells(rows, ',', path)),
  tsv: (rows, path) => encoded(cells(rows, '\t', path)),
  parquet: (rows, path) => writeParquet(checked(rows, path)),
  text: (rows, path) => encoded(paragraphs(rows, path)),
};

async function* jsonLines(rows: AsyncIterable<Written>): AsyncGenerator<string> {
  for await (const { value } of rows) yield `${JSON.stringify(value)}\n`;
}

async function* jsonArray(rows: AsyncIterable<Written>): AsyncGenerator<string> {
  let open = '[\n';
  for await (const { value } of rows) {
    yield open + JSON.stringify(value);
    open = ',\n';
  }
  yield open === '[\n' ? '[\n]\n' : '\n]\n';
}

async function* cells(rows: AsyncIterable<Written>, delimiter: string, path: string): AsyncGenerator<string> {
  const all: Written[] = [];
  const names = new Set<string>();
  let withMeta = false;
  for await (const row of checked(rows, path)) {
    all.push(row);
    for (const name of Object.keys(row.columns)) names.add(name);
    withMeta ||= row.meta !== undefined;
  }
  const columns = [...names];
  yield `${[...columns, ...(withMeta ? [META] : [])].join(delimiter)}\n`;
  for (const { columns: value, meta } of all) {
    const line = columns.map(name => cell(value[name], delimiter));
    if (withMeta) line.push(cell(meta, delimiter));
    yield `${line.join(delimiter)}\n`;
  }
}

/** A text is written as it is, in quotes where it must be; nothing at all is no value, and "" the empty text. */
function cell(value: unknown, delimiter: string): string {
  if (value === undefined) return '';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text === '' || /["\r\n]/.test(text) || text.includes(delimiter) || text.trim() !== text
    ? `"${text.replaceAll('"', '""')}"`
    : text;
}

/** Each text and a blank line, so that it is read as one paragraph. */
async function* paragraphs(rows: AsyncIterable<Written>, path: string): AsyncGenerator<string> {
  for await (const { index, value } of checked(rows, path)) {
    const { text, ...rest } = value as { text: string };
    const other = Object.keys(rest);
    const reason = other.length
      ? `it has the fields ${other.join(', ')} beside its text`
      : /\r|^\ufeff/.test(text) || text.split('\n').some(line => line.trim() === '')
        ? 'it has blank lines or carriage returns'
        : undefined;
    if (reason !== undefined) {
      throw new BadInput({
        problem: `row ${index} does not fit a plain text file`,
        where: { file: path },
        expected: 'one paragraph',
        found: reason,
        fix: 'write JSONL, which can hold any text',
      });
    }
    yield `${text}\n\n`;
  }
}

/** JSON escapes half a surrogate pair; where text stands as it is, UTF-8 has no place for it. */
async function* checked(rows: AsyncIterable<Written>, path: string): AsyncGenerator<Written> {
  for await (const row of rows) {
    for (const [key, text] of Object.entries(row.columns)) {
      if (typeof text === 'string' && /\p{Surrogate}/u.test(text)) {
        throw new BadInput({
          problem: `row ${row.index} holds half a character (a lone surrogate)`,
          where: { file: path, key },
          expected: 'text that UTF-8 can hold',
          fix: 'write JSONL, which escapes it, or correct the text',
        });
      }
    }
    yield row;
  }
}

/** Text as bytes, some at a time: neither one write for each row nor the whole text at once. */
async function* encoded(pieces: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  let held = '';
  for await (const piece of pieces) {
    held += piece;
    if (held.length > 1 << 16) {
      yield encoder.encode(held);
      held = '';
    }
  }
  yield encoder.encode(held);
}

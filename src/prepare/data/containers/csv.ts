import type { Options } from 'csv-parse';
import { BadInput, quote } from '../../../base/core/index.js';
import type { Raw } from '../collect.js';
import { isObject } from '../layouts/fields.js';
import { LAYOUTS } from '../layouts/index.js';
import { MAX_TEXT_BYTES, validUtf8 } from '../lines.js';
import type { Container, ReadOptions } from '../types.js';
import type { ContainerReader, Input } from './container.js';

/** Comma-separated values (RFC 4180) with a header line; cells may hold line breaks. */
export const csv: ContainerReader = reader('csv');
/** The same with tabs. */
export const tsv: ContainerReader = reader('tsv');

/** Column that holds, as one JSON object, the fields of a row that have no place in its layout. */
export const META = 'meta';

/** Cells of these columns are parsed when they look like JSON; all others are text as they stand. */
export const STRUCTURED: ReadonlySet<string> = new Set([...LAYOUTS.flatMap(layout => layout.structured ?? []), META]);

const SEPARATORS = [',', ';', '\t', '|'];

function reader(name: Container): ContainerReader {
  return {
    name,
    read: (input, options) => readCells(input, options.delimiter ?? (name === 'tsv' ? '\t' : sniff(input.head)), options),
  };
}

/** What csv-parse tells beside a record; `lines` is the last line of the record. */
interface Parsed {
  record: (string | undefined)[];
  info: { lines: number; empty_lines: number };
}

async function* readCells({ name, chunks }: Input, delimiter: string, { signal }: ReadOptions): AsyncGenerator<Raw[]> {
  const [{ parse, CsvError }, { Readable, pipeline }] = await Promise.all([import('csv-parse'), import('node:stream')]);
  let batch: Raw[] = [];
  let columns: string[] | undefined;
  let last = 0;
  let blank = 0;
  let parsed = 0;
  const settings: Options = {
    bom: true,
    delimiter,
    info: true,
    relax_column_count: true,
    // Either may end a record, also in one file.
    record_delimiter: ['\r\n', '\n'],
    skip_empty_lines: true,
    max_record_size: MAX_TEXT_BYTES,
    // Records are parsed ahead of the loop, and those waiting are lost with an error.
    on_record: (record, { lines }) => {
      parsed = lines;
      return record;
    },
    // Nothing between two separators is no value, "" is an empty text.
    cast: (value, { quoting }) => (value === '' && !quoting ? undefined : value) as string,
  };
  const parser = parse(settings);
  const source = Readable.from(validUtf8(chunks, name), { objectMode: false, highWaterMark: 1 << 16, signal });
  // The loop below is told of errors on either side, and the source ends when the loop is left.
  pipeline(source, parser, () => {});
  try {
    for await (const { record, info } of parser as AsyncIterable<Parsed>) {
      const line = last + 1 + (info.empty_lines - blank);
      [last, blank] = [info.lines, info.empty_lines];
      if (columns === undefined) columns = header(record, name, line);
      else batch.push(toRaw(record, columns, line));
      if (batch.length >= 256) {
        yield batch;
        batch = [];
      }
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    yield batch;
    const open = error.code === 'CSV_QUOTE_NOT_CLOSED';
    const line = open ? parsed + 1 : Number((error as { lines?: unknown }).lines) || last + 1;
    throw new BadInput({
      problem: open ? 'a quote that is opened in this record is never closed' : 'the record is not valid CSV',
      where: { file: name, line },
      expected: 'cells with quotes in them in quotes, and those quotes doubled ("say ""hi""")',
      found: error.message,
      fix: 'correct the record, or write the file again with a CSV library',
      cause: error,
    });
  }
  yield batch;
}

function header(record: readonly (string | undefined)[], file: string, line: number): string[] {
  const names = record.map(name => name?.trim() ?? '');
  const wrong = names.find((name, i) => name === '' || names.indexOf(name) !== i);
  // A trailing separator makes an empty last name, a pandas index an empty first one: both harmless, as long as they are alone.
  if (wrong !== undefined && (wrong !== '' || names.filter(name => name === '').length > 1)) {
    throw new BadInput({
      problem: wrong === '' ? 'several columns have no name' : `two columns are named ${quote(wrong, 40)}`,
      where: { file, line },
      expected: 'a first line with the name of each column',
      found: quote(names.slice(0, 8)),
      fix: 'give every column its own name',
    });
  }
  return names;
}

function toRaw(record: readonly (string | undefined)[], columns: readonly string[], line: number): Raw {
  if (record.length !== columns.length) {
    return {
      bad: {
        problem: `the record has ${record.length} cells`,
        expected: `${columns.length} cells, as the header has names`,
        found: quote(record.slice(0, 3), 60),
        fix: 'put cells with separators or line breaks in them in quotes',
      },
      line,
    };
  }
  const cells: [string, unknown][] = [];
  for (const [i, name] of columns.entries()) {
    const cell = record[i];
    if (name === '') continue;
    const value = cell !== undefined && STRUCTURED.has(name) ? parseCell(cell, name) : cell;
    if (name === META && isObject(value)) cells.push(...Object.entries(value));
    else cells.push([name, value]);
  }
  // fromEntries defines properties: a column named __proto__ stays one.
  return { value: Object.fromEntries(cells), line };
}

/** Columns that may hold a text as well as messages: a text that happens to be JSON stays a text. */
const SIDES: ReadonlySet<string> = new Set(['prompt', 'completion', 'response', 'chosen', 'rejected', 'input']);

export function parseCell(cell: string, name: string): unknown {
  if (!/^\s*[[{]/.test(cell)) return cell;
  let value: unknown;
  try {
    value = JSON.parse(cell);
  } catch {
    return cell;
  }
  if (!SIDES.has(name)) return value;
  const items: unknown[] = Array.isArray(value) ? value : [value];
  return items.length > 0 && items.every(item => isObject(item) && ('role' in item || 'from' in item)) ? value : cell;
}

/** The separator that the first line has most of, outside quotes. */
function sniff(head: Uint8Array): string {
  const line = new TextDecoder()
    .decode(head)
    .replace(/"[^"]*"/g, '')
    .split('\n')[0]!;
  const counts = SEPARATORS.map(separator => line.split(separator).length);
  return SEPARATORS[counts.indexOf(Math.max(...counts))]!;
}

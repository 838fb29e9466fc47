import type { AsyncBuffer, ColumnMetaData, FileMetaData, PageHeader, ParquetParsers } from 'hyparquet';
import { BadInput } from '../../../base/core/index.js';
import type { Raw } from '../collect.js';
import { isObject } from '../layouts/fields.js';
import { concat, MAX_BYTES } from '../sources/bytes.js';
import type { ReadOptions } from '../types.js';
import type { ContainerReader, Input } from './container.js';
import { META, parseCell, STRUCTURED } from './csv.js';

/** A row group beyond this is no group of text rows, and would be decoded as a whole. */
const MAX_GROUP_ROWS = 2 ** 24;
/** The same for the values of its lists. */
const MAX_GROUP_VALUES = 2 ** 27;
/** A larger page cannot come from a sound writer (they aim at 1 MiB). */
const MAX_PAGE_BYTES = 2 ** 30;

/** An ordinary property, whatever its name. */
const DATA = { configurable: true, enumerable: true, writable: true };

/** Apache Parquet, one row group at a time; all its compressions. A file that cannot be read from the middle is held in memory. */
export const parquet: ContainerReader = { name: 'parquet', read: readGroups };

async function* readGroups(input: Input, options: ReadOptions): AsyncGenerator<Raw[]> {
  const [{ parquetMetadataAsync, parquetReadObjects }, { parquetHeader }, { compressors: all }] = await Promise.all([
    import('hyparquet'),
    import('hyparquet/src/column.js'),
    import('hyparquet-compressors'),
  ]);
  const file = await openFile(input, options);
  const limit = Math.min(MAX_PAGE_BYTES, options.maxBytes ?? MAX_BYTES);
  const compressors = Object.fromEntries(
    Object.entries(all).map(([codec, unpack]) => [
      codec,
      (packed: Uint8Array, length: number) => {
        // A dictionary of a column without values is an empty page, which the LZ4 decoder does not know.
        return length === 0 ? new Uint8Array(0) : unpack(packed, length);
      },
    ]),
  );
  const parsers = exactParsers();
  let metadata: FileMetaData;
  try {
    metadata = await parquetMetadataAsync(file);
    checkFooter(metadata, file.byteLength);
  } catch (error) {
    throw damaged(input.name, 'its footer', error);
  }
  let start = 0;
  for (const group of metadata.row_groups) {
    const end = start + Number(group.num_rows);
    for (const { meta_data: column } of group.columns) {
      try {
        await checkPages(file, column!, parquetHeader, limit);
      } catch (error) {
        throw damaged(input.name, `rows ${start} to ${end - 1}`, error, column!.path_in_schema[0]);
      }
    }
    const objects: Record<string, unknown>[] = Array.from({ length: end - start }, () => ({}));
    // One column after another: hyparquet's columns run side by side, and a second one that fails would be nobody's rejection.
    for (const column of end > start ? new Set(group.columns.map(c => c.meta_data!.path_in_schema[0]!)) : []) {
      try {
        const cells = await parquetReadObjects({
          file,
          metadata,
          rowStart: start,
          rowEnd: end,
          compressors,
          parsers,
          columns: [column],
        });
        for (const [row, cell] of cells.entries()) Object.defineProperty(objects[row]!, column, { ...DATA, value: cell[column] });
      } catch (error) {
        throw damaged(input.name, `rows ${start} to ${end - 1}`, error, column);
      }
    }
    yield objects.map((value, i) => ({ value: plainRow(value), row: start + i }));
    start = end;
  }
}

/** hyparquet's view of the file. */
async function openFile(
  { name, size, slice, chunks }: Input,
  options: ReadOptions,
): Promise<{ byteLength: number; slice(start: number, end?: number): Promise<ArrayBuffer> }> {
  if (slice && size !== undefined) {
    const read = slice;
    return { byteLength: size, slice: async (start, end = size) => exact(await read(start, end)) };
  }
  const parts: Uint8Array[] = [];
  let held = 0;
  const limit = Math.min(options.maxBytes ?? MAX_BYTES, 2 ** 32 - 2 ** 16);
  for await (const chunk of chunks) {
    parts.push(chunk);
    held += chunk.length;
    if (held > limit) {
      throw new BadInput({
        problem: `a Parquet file of more than ${limit} bytes that is not a plain file on this machine`,
        where: { file: name },
        expected: 'a file small enough for memory',
        fix: 'download and unpack it, and read it from the disk',
      });
    }
  }
  const all = concat(parts);
  return { byteLength: held, slice: async (start, end = held) => exact(all.subarray(start, end)) };
}

function exact(bytes: Uint8Array): ArrayBuffer {
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
}

/** A footer is data too: what it claims must fit the file before anything is allocated for it. */
function checkFooter({ row_groups: groups, num_rows: total }: FileMetaData, size: number): void {
  let rows = 0n;
  for (const [i, group] of groups.entries()) {
    if (!(group.num_rows >= 0 && group.num_rows <= MAX_GROUP_ROWS))
      throw new Error(`row group ${i} claims ${group.num_rows} rows`);
    rows += BigInt(group.num_rows);
    for (const { meta_data: column, file_path: elsewhere } of group.columns) {
      if (elsewhere) throw new Error(`row group ${i} lies in another file`);
      if (!column) throw new Error(`row group ${i} has a column without metadata`);
      const from = Number(column.dictionary_page_offset || column.data_page_offset);
      const to = from + Number(column.total_compressed_size);
      if (!(column.num_values >= 0 && column.num_values <= MAX_GROUP_VALUES))
        throw new Error(`column ${column.path_in_schema.join('.')} of row group ${i} claims ${column.num_values} values`);
      if (!(from >= 4 && to >= from && to <= size))
        throw new Error(`column ${column.path_in_schema.join('.')} of row group ${i} claims bytes ${from} to ${to} of ${size}`);
    }
  }
  if (rows !== BigInt(total)) throw new Error(`${total} rows in all, ${rows} in the row groups`);
}

/** The same for the headers of a column's pages: hyparquet makes room for as many values as they claim. */
async function checkPages(
  file: AsyncBuffer,
  { path_in_schema: path, num_values: values, ...column }: ColumnMetaData,
  parquetHeader: (reader: { view: DataView; offset: number }) => PageHeader,
  limit: number,
): Promise<void> {
  const from = Number(column.dictionary_page_offset || column.data_page_offset);
  const view = new DataView(await file.slice(from, from + Number(column.total_compressed_size)));
  const reader = { view, offset: 0 };
  let seen = 0;
  while (reader.offset < view.byteLength - 1 && seen < values) {
    const header = parquetHeader(reader);
    const { compressed_page_size: packed, uncompressed_page_size: unpacked } = header;
    const data = header.data_page_header ?? header.data_page_header_v2;
    const count = data?.num_values ?? header.dictionary_page_header?.num_values ?? 0;
    seen += data ? count : 0;
    const v2 = header.data_page_header_v2;
    const within = (n: number, most: number) => n >= 0 && n <= most;
    const sound =
      (!v2 ||
        (within(v2.num_nulls, count) &&
          within(v2.num_rows, count) &&
          within(v2.definition_levels_byte_length, packed) &&
          within(v2.repetition_levels_byte_length, packed))) &&
      packed >= 0 &&
      reader.offset + packed <= view.byteLength &&
      unpacked >= 0 &&
      unpacked <= limit &&
      count >= 0 &&
      (data ? seen <= values : count <= unpacked) &&
      (column.codec !== 'UNCOMPRESSED' || unpacked === packed);
    if (!sound) throw new Error(`a page of ${path.join('.')} claims ${count} values in ${unpacked} bytes, packed into ${packed}`);
    reader.offset += packed;
  }
}

function damaged(name: string, what: string, error: unknown, column?: string): BadInput {
  return new BadInput({
    problem: `${what} cannot be read from the Parquet file`,
    where: { file: name, key: column },
    expected: 'a sound Parquet file',
    found: error instanceof Error ? error.message : String(error),
    fix: 'fetch or write the file again',
    cause: error,
  });
}

/** Text must be UTF-8 here as everywhere: hyparquet would put U+FFFD for what is not. */
function exactParsers(): Partial<ParquetParsers> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const text = (bytes: Uint8Array | undefined) => {
    if (!bytes) return bytes;
    try {
      return decoder.decode(bytes);
    } catch {
      throw new Error('a text is not valid UTF-8');
    }
  };
  return {
    stringFromBytes: text,
    jsonFromBytes: bytes => (bytes ? JSON.parse(text(bytes)!) : bytes) as unknown,
  };
}

/** A row as JSON would give it: no nulls in structs (Parquet fills up missing fields), whole numbers as numbers, dates as text. */
function plainRow(value: Record<string, unknown>): Record<string, unknown> {
  const cells = Object.entries(value).map(([name, cell]) => [name, plain(cell)] as const);
  return Object.fromEntries(
    cells.flatMap(([name, cell]): [string, unknown][] => {
      const unpacked = typeof cell === 'string' && STRUCTURED.has(name) ? parseCell(cell, name) : cell;
      return name === META && isObject(unpacked) ? Object.entries(unpacked) : [[name, unpacked]];
    }),
  );
}

function plain(value: unknown): unknown {
  if (value === null || value === undefined) return undefined;
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(item => plain(item) ?? null);
  if (ArrayBuffer.isView(value)) return value;
  if (typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, v]) => (v === null || v === undefined ? [] : [[key, plain(v)]])),
  );
}

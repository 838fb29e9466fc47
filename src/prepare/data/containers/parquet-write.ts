import type { SchemaElement } from 'hyparquet';
import { isObject } from '../layouts/fields.js';
import { META } from './csv.js';
import type { Written } from './write.js';

/** Rows of a group: groups are what a reader of a large file holds at a time. */
const GROUP_ROWS = 10_000;

/** Parquet (Snappy): texts as strings, conversations as lists of structs, whatever has no one type as JSON text. */
export async function* writeParquet(rows: AsyncIterable<Written>): AsyncGenerator<Uint8Array> {
  const { ByteWriter, parquetWrite } = await import('hyparquet-writer');
  const all: Written[] = [];
  const names = new Set<string>();
  for await (const row of rows) {
    all.push(row);
    for (const name of Object.keys(row.columns)) names.add(name);
  }
  const columns = [...names].map(name =>
    column(
      name,
      all.map(row => row.columns[name]),
    ),
  );
  if (all.some(row => row.meta !== undefined))
    columns.push(
      asJson(
        META,
        all.map(row => row.meta),
      ),
    );
  const writer = new ByteWriter();
  parquetWrite({
    writer,
    columnData: columns.map(({ name, data }) => ({ name, data })),
    schema: [{ name: 'root', num_children: columns.length }, ...columns.flatMap(({ schema }) => schema)],
    rowGroupSize: GROUP_ROWS,
    createdBy: 'tunebook',
  });
  yield writer.getBytes();
}

interface Column {
  name: string;
  data: unknown[];
  schema: SchemaElement[];
}

function column(name: string, data: unknown[]): Column {
  const present = data.filter(value => value !== undefined);
  const type = scalarType(present);
  if (type) return { name, data, schema: [leaf(name, type)] };
  return asStructs(name, data, present) ?? asJson(name, data);
}

/** Lists of flat objects, as messages mostly are: the type that other tools expect of a column `messages`. */
function asStructs(name: string, data: unknown[], present: readonly unknown[]): Column | undefined {
  if (!present.every(list => Array.isArray(list) && list.every(isObject))) return undefined;
  const items = present.flat() as Record<string, unknown>[];
  const fields = [...new Set(items.flatMap(item => Object.keys(item)))].map(key => ({
    key,
    type: scalarType(items.map(item => item[key]).filter(value => value !== undefined)),
  }));
  if (fields.length === 0 || fields.some(({ type }) => type === undefined)) return undefined;
  // JSON escapes half a surrogate pair, a string of UTF-8 has no place for it.
  if (items.some(item => Object.values(item).some(value => typeof value === 'string' && /\p{Surrogate}/u.test(value))))
    return undefined;
  return {
    name,
    data,
    schema: [
      { name, repetition_type: 'OPTIONAL', converted_type: 'LIST', num_children: 1 },
      { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
      { name: 'element', repetition_type: 'OPTIONAL', num_children: fields.length },
      ...fields.map(({ key, type }) => leaf(key, type!)),
    ],
  };
}

function asJson(name: string, data: readonly unknown[]): Column {
  // As text of our own making: the writer's JSON type loses a key named __proto__.
  return {
    name,
    data: data.map(value => (value === undefined ? undefined : JSON.stringify(value))),
    schema: [leaf(name, 'UTF8')],
  };
}

type Scalar = 'BOOLEAN' | 'DOUBLE' | 'UTF8';

function scalarType(values: readonly unknown[]): Scalar | undefined {
  if (values.every(value => typeof value === 'string')) return 'UTF8';
  if (values.every(value => typeof value === 'number')) return 'DOUBLE';
  return values.every(value => typeof value === 'boolean') ? 'BOOLEAN' : undefined;
}

function leaf(name: string, type: Scalar): SchemaElement {
  return {
    name,
    repetition_type: 'OPTIONAL',
    ...(type === 'UTF8' ? { type: 'BYTE_ARRAY', converted_type: 'UTF8' } : { type }),
  };
}

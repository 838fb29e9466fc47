import { BadInput, quote, writeFileAtomic } from '../../base/core/index.js';
import { gzip } from './containers/gzip.js';
import { WRITERS, type Written } from './containers/write.js';
import { alpaca } from './layouts/alpaca.js';
import { detectLayout, LAYOUTS } from './layouts/index.js';
import type { AnyRow, Layout } from './layouts/layout.js';
import { messages } from './layouts/messages.js';
import { preferences } from './layouts/preferences.js';
import { text } from './layouts/text.js';
import { unary } from './layouts/unary.js';
import type { Container, PreferenceRow, Row, RowFormat, UnaryRow } from './types.js';

export interface WriteOptions {
  /** How the file keeps the rows. Defaults to what its ending says (`.json`, `.jsonl`, `.csv`, `.tsv`, `.parquet`, `.txt`), else `jsonl`. */
  container?: Container;
  /** The same as `container`. */
  format?: 'json' | 'jsonl';
  /**
   * How a row is written. The default `auto` takes `alpaca` where every row is one instruction and one answer, else `messages`;
   * `preferences` and `unary` for rows of those kinds; `text` for a `.txt` file.
   */
  layout?: 'auto' | Exclude<RowFormat, 'induction' | 'oasst' | 'self-instruct' | 'superni'>;
  /** Pack the file. Defaults to true when its name ends in `.gz`. */
  gzip?: boolean;
}

/**
 * Write rows so that the reader of their kind reads the same back. The file is replaced as a whole or not at all.
 * @param rows an array, or any iterable (a {@link streamRows}, say): JSON, JSONL and text are then written as it flows, with layout
 *   `messages` unless one is named; CSV and Parquet need all rows to know their columns.
 * @throws BadInput for a row that layout or container cannot hold; the file is then as it was.
 */
export async function writeRows(
  path: string,
  rows: Iterable<Row | PreferenceRow | UnaryRow> | AsyncIterable<Row | PreferenceRow | UnaryRow>,
  options: WriteOptions = {},
): Promise<void> {
  const packed = options.gzip ?? /\.gz$/i.test(path);
  const container = options.container ?? options.format ?? ending(path);
  const writer = Object.hasOwn(WRITERS, container) ? WRITERS[container] : undefined;
  if (!writer) {
    throw new BadInput({
      problem: `unknown container ${quote(container)}`,
      expected: Object.keys(WRITERS).join(', '),
      fix: 'leave it out, and let the file name end in one of these',
    });
  }
  const chunks = writer(written(path, rows, container, options), path);
  await writeFileAtomic(path, packed ? gzip(chunks) : chunks);
}

function ending(path: string): Container {
  const found = /\.(json|jsonl|ndjson|csv|tsv|parquet|txt)(\.gz)?$/i.exec(path)?.[1]?.toLowerCase();
  if (found === 'txt') return 'text';
  return found === undefined || found === 'ndjson' ? 'jsonl' : (found as Container);
}

/** The values of the rows, each checked to be read back as what it is. */
async function* written(
  path: string,
  rows: Iterable<AnyRow> | AsyncIterable<AnyRow>,
  container: Container,
  { layout: name = 'auto' }: WriteOptions,
): AsyncGenerator<Written> {
  let layout = name === 'auto' ? autoLayout(rows, container) : LAYOUTS.find(one => one.name === name);
  if (layout === undefined && name !== 'auto') throw unknownLayout(name);
  let index = 0;
  for await (const row of rows) {
    layout ??= kindLayout(row) ?? (container === 'text' ? text : messages);
    if (!layout.write) throw unknownLayout(layout.name);
    const fits = kindOf(row) === layout.kind;
    const made = fits ? layout.write(row) : { reason: `it is a row of the kind ${kindOf(row)}` };
    const reason = 'reason' in made ? made.reason : misread(made.value, layout);
    if (reason !== undefined) {
      throw new BadInput({
        problem: `row ${index} does not fit the ${layout === alpaca ? 'Alpaca' : layout.name} layout`,
        where: { file: path },
        expected: layout.like,
        found: reason,
        fix: `write with ${layout === messages ? 'other names for those fields' : "{layout: 'messages'}, if it is a conversation"}`,
      });
    }
    // Without its meta the row has the columns of its layout; tables keep the meta in one column.
    const bare = layout.write({ ...row, meta: undefined });
    yield {
      index,
      value: (made as { value: Record<string, unknown> }).value,
      columns: (bare as typeof made & { value: Record<string, unknown> }).value,
      meta: row.meta,
    };
    index++;
  }
}

function kindOf(row: AnyRow): Layout['kind'] {
  return 'chosen' in row ? 'preferences' : 'desirable' in row ? 'unary' : 'rows';
}

function kindLayout(row: AnyRow): Layout | undefined {
  return { preferences, unary, rows: undefined }[kindOf(row)];
}

/** The layout of all rows, where they can be looked at before they are written. */
function autoLayout(rows: Iterable<AnyRow> | AsyncIterable<AnyRow>, container: Container): Layout | undefined {
  if (!Array.isArray(rows) || container === 'text') return undefined;
  const all = rows as AnyRow[];
  return all.every(row => {
    const made = kindOf(row) === 'rows' ? alpaca.write!(row) : { reason: 'another kind' };
    return 'value' in made && misread(made.value, alpaca) === undefined;
  })
    ? alpaca
    : undefined;
}

/** A field of the meta may make the value look like another layout's. */
function misread(value: Record<string, unknown>, layout: Layout): string | undefined {
  const detected = detectLayout(value);
  return detected === layout ? undefined : `with the fields of its meta it would be read as ${detected?.name ?? 'nothing known'}`;
}

function unknownLayout(name: string): BadInput {
  return new BadInput({
    problem: `rows cannot be written in the layout ${quote(name)}`,
    expected: `auto, ${LAYOUTS.filter(layout => layout.write)
      .map(layout => layout.name)
      .join(', ')}`,
    fix: 'leave it out',
  });
}

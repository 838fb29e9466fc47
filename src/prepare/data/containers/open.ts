import { BadInput, progress } from '../../../base/core/index.js';
import type { Raw } from '../collect.js';
import { type Bytes, bounded, close, MAX_BYTES, peek } from '../sources/bytes.js';
import type { Container, ReadOptions } from '../types.js';
import type { ContainerReader, Input } from './container.js';
import { csv, tsv } from './csv.js';
import { gunzip, isGzip } from './gzip.js';
import { json } from './json.js';
import { jsonl } from './jsonl.js';
import { parquet } from './parquet.js';
import { text } from './text.js';

const READERS: readonly ContainerReader[] = [json, jsonl, csv, tsv, parquet, text];

/** Bytes looked at to tell the container. */
const HEAD = 1 << 16;

/** A `.json` file that begins with `{` and is larger than this is taken for JSONL, and not held in memory. */
const ONE_OBJECT = 256e6;

/** The raw values of a file, whatever its container, unpacked if it is gzipped. */
export async function* readContainer(bytes: Bytes, options: ReadOptions): AsyncGenerator<Raw[]> {
  const { container = 'auto' } = options;
  if (container !== 'auto' && !READERS.some(reader => reader.name === container)) {
    throw new BadInput({
      problem: `unknown container "${container}"`,
      expected: `auto, ${READERS.map(reader => reader.name).join(', ')}`,
      fix: 'leave it out',
    });
  }
  const bar = progress(`reading ${bytes.name}`, { total: bytes.size || undefined, unit: 'B' });
  const first = await peek(
    counted(bytes.stream(), done => bar.update(done)),
    HEAD,
  );
  try {
    let input: Input = { ...first, name: bytes.name, size: bytes.size, slice: bytes.slice };
    let path = bytes.name.replace(/[?#].*$/, '');
    if (isGzip(first.head)) {
      const unpacked = bounded(gunzip(first.chunks, bytes.name), options.maxBytes ?? MAX_BYTES, bytes.name, 'unpacks to');
      input = { ...(await peek(unpacked, HEAD)), name: bytes.name };
      path = path.replace(/\.gz$/i, '');
    }
    const name = container === 'auto' ? detect(input, path) : container;
    if (name !== 'parquet') refuseForeign(input, name);
    yield* READERS.find(reader => reader.name === name)!.read(input, options);
  } finally {
    bar.finish();
    await close(first.chunks);
  }
}

function detect({ head, name, size }: Input, path: string): Container {
  if (String.fromCharCode(...head.subarray(0, 4)) === 'PAR1') return 'parquet';
  const ending = /\.([a-z0-9]+)$/i.exec(path)?.[1]?.toLowerCase();
  if (ending === 'parquet') {
    throw new BadInput({
      problem: 'this is no Parquet file',
      where: { file: name },
      expected: 'a file that begins with PAR1',
      fix: 'fetch it again; Git LFS leaves a small text where the file should be (git lfs pull)',
    });
  }
  if (ending === 'csv' || ending === 'tsv') return ending;
  if (ending === 'txt' || ending === 'text' || ending === 'md') return 'text';
  if (ending === 'jsonl' || ending === 'ndjson') return 'jsonl';
  const first = /[^\s\ufeff]/.exec(new TextDecoder().decode(head))?.[0];
  if (first === '[') return 'json';
  return first === '{' && ending === 'json' && (size ?? 0) < ONE_OBJECT ? 'json' : 'jsonl';
}

/** What files of rows turn out to be, by their first bytes: the name of the thing, and what to do. */
const FOREIGN: readonly [begins: RegExp, what: string, fix: string][] = [
  [/^(\xff\xfe|\xfe\xff)/, 'the file is UTF-16', 'save it again as UTF-8 (iconv -f UTF-16 -t UTF-8)'],
  [/^PK\p{Cc}{2}/u, 'this is a ZIP archive (or an Excel sheet)', 'unpack it (unzip FILE), or save the sheet as CSV'],
  [/^BZh[1-9]1AY/, 'the file is packed by bzip2', 'unpack it (bunzip2 FILE); gzip is read as it is'],
  [/^\xfd7zXZ/, 'the file is packed by xz', 'unpack it (unxz FILE); gzip is read as it is'],
  [/^\x28\xb5\x2f\xfd/, 'the file is packed by Zstandard', 'unpack it (unzstd FILE); gzip is read as it is'],
  [/^ARROW1/, 'this is an Arrow file', 'save the table as Parquet'],
];

/** The same for texts that are no rows; in a file of plain text they are what they are. */
const NO_ROWS: typeof FOREIGN = [
  [/^version https:\/\/git-lfs/, 'Git LFS has left a note where the file should be', 'fetch the file (git lfs pull)'],
  [/^\s*<(!doctype html|html)/i, 'this is a web page', 'fetch the file itself: a page of the Hub has it under "download"'],
];

function refuseForeign({ head, name }: Input, container: Container): void {
  const begin = String.fromCharCode(...head.subarray(0, 64));
  const [, problem, fix] = [...FOREIGN, ...(container === 'text' ? [] : NO_ROWS)].find(([begins]) => begins.test(begin)) ?? [];
  if (problem === undefined) return;
  throw new BadInput({ problem, where: { file: name }, expected: 'UTF-8 text, Parquet, or one of these gzipped', fix });
}

async function* counted(chunks: AsyncIterable<Uint8Array>, onBytes: (done: number) => void): AsyncGenerator<Uint8Array> {
  let done = 0;
  for await (const chunk of chunks) {
    done += chunk.length;
    onBytes(done);
    yield chunk;
  }
}

import { BadInput } from '../../../base/core/index.js';
import type { Raw } from '../collect.js';
import { readContainer } from '../containers/open.js';
import { describe } from '../layouts/fields.js';
import { type FrameLike, frameObjects, isFrame, isTable, type TableLike } from '../tables.js';
import type { ReadOptions } from '../types.js';
import { memoryBytes } from './bytes.js';
import { fileBytes, matchFiles } from './file.js';
import { type HubSource, hubFiles, isHub, parseHub } from './hub.js';
import { urlBytes } from './url.js';

type Item = object | string;

/**
 * Where rows come from: a path (or a pattern of paths, `shards/*.jsonl`), an http(s) URL, a Hugging Face data set
 * (`hf://datasets/OWNER/NAME` or {@link HubSource}), rows in memory, an arquero table, a danfo DataFrame, a Blob (a file chosen in a
 * page), or any iterable, also an asynchronous one, of rows or of the bytes (or pieces of text) of a file.
 */
export type Source =
  | string
  | URL
  | HubSource
  | readonly object[]
  | TableLike
  | FrameLike
  | Uint8Array
  | Blob
  | Iterable<Item>
  | AsyncIterable<Item>;

/** A source with the name reports give it. */
export interface Opened {
  name: string;
  raws: AsyncIterable<Raw[]>;
}

export function openSource(source: Source, options: ReadOptions): Opened {
  if (source instanceof URL)
    return openSource(source.protocol === 'file:' ? decodeURIComponent(source.pathname) : source.href, options);
  if (typeof source === 'string') {
    if (/^https?:\/\//i.test(source)) return { name: source, raws: readContainer(urlBytes(source, options), options) };
    if (/^hf:\/\//i.test(source)) return { name: source, raws: readHub(parseHub(source), options) };
    return { name: source, raws: readPath(source, options) };
  }
  if (Array.isArray(source)) return { name: 'memory', raws: batches(source) };
  if (isTable(source)) return { name: 'arquero', raws: batches(source.objects()) };
  if (isFrame(source)) return { name: 'danfo', raws: batches(frameObjects(source)) };
  if (isHub(source)) return { name: `hf://datasets/${source.hub}`, raws: readHub(source, options) };
  if (source instanceof Uint8Array) return { name: 'memory', raws: readContainer(memoryBytes(source, 'memory'), options) };
  if (typeof Blob !== 'undefined' && source instanceof Blob) {
    const name = 'name' in source && typeof source.name === 'string' ? source.name : 'memory';
    return { name, raws: readContainer(memoryBytes(source, name), options) };
  }
  const any = source as Iterable<Item> | AsyncIterable<Item> | null | undefined;
  if (typeof any === 'object' && any !== null && (Symbol.asyncIterator in any || Symbol.iterator in any))
    return { name: 'stream', raws: readItems(any, options) };
  throw new BadInput({
    problem: 'this is no source of rows',
    expected: 'a path, a URL, an array or iterable of rows, an arquero table or a danfo DataFrame',
    found: describe(source),
    fix: "for example await data.readRows('rows.jsonl')",
  });
}

async function* readPath(path: string, options: ReadOptions): AsyncGenerator<Raw[]> {
  if (!/[*?]/.test(path) || (await isThere(path))) {
    yield* readContainer(await fileBytes(path), options);
    return;
  }
  for (const file of await matchFiles(path)) yield* named(file, readContainer(await fileBytes(file), options));
}

async function isThere(path: string): Promise<boolean> {
  const { access } = await import('node:fs/promises');
  return access(path).then(
    () => true,
    () => false,
  );
}

async function* readHub(source: HubSource, options: ReadOptions): AsyncGenerator<Raw[]> {
  for await (const bytes of hubFiles(source, options)) yield* named(bytes.name, readContainer(bytes, options));
}

/** Values of one of several files know which. */
async function* named(file: string, raws: AsyncIterable<Raw[]>): AsyncGenerator<Raw[]> {
  for await (const batch of raws) {
    for (const raw of batch) raw.file = file;
    yield batch;
  }
}

async function* batches(values: readonly unknown[]): AsyncGenerator<Raw[]> {
  for (let at = 0; at < values.length; at += 1024) yield values.slice(at, at + 1024).map(value => ({ value }));
}

/** An iterable of rows, or of the pieces of a file: the first item tells. */
async function* readItems(items: Iterable<Item> | AsyncIterable<Item>, options: ReadOptions): AsyncGenerator<Raw[]> {
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  try {
    const first = await iterator.next();
    if (first.done) return;
    if (typeof first.value === 'string' || first.value instanceof Uint8Array) {
      yield* readContainer(memoryBytes(pieces(first.value, iterator), 'stream'), options);
      return;
    }
    for (let next: IteratorResult<Item> = first; !next.done; next = await iterator.next()) yield [{ value: next.value }];
  } finally {
    await iterator.return?.();
  }
}

async function* pieces(first: Item, iterator: Iterator<Item> | AsyncIterator<Item>): AsyncGenerator<Uint8Array | string> {
  yield first as Uint8Array | string;
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value as Uint8Array | string;
}

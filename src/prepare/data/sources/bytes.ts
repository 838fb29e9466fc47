import { BadInput } from '../../../base/core/index.js';

/** Bytes from somewhere: a file, a URL, memory, a generator. */
export interface Bytes {
  /** As the caller named it, for reports and errors. */
  name: string;
  /** Length where it is known beforehand. */
  size?: number;
  /** The bytes from the beginning, in order. Asked for once. */
  stream(): AsyncIterable<Uint8Array>;
  /** Some bytes in the middle, where that is cheap: Parquet files are read from their end. */
  slice?(start: number, end: number): Promise<Uint8Array>;
}

/** How much a gzipped or downloaded file may hold unless the caller says otherwise. */
export const MAX_BYTES: number = 8 * 2 ** 30;

/** The first bytes of a stream (`want`, or fewer if it ends before), and the stream with those still in it. */
export async function peek(
  chunks: AsyncIterable<Uint8Array>,
  want: number,
): Promise<{ head: Uint8Array; chunks: AsyncIterable<Uint8Array> }> {
  const iterator = chunks[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  let held = 0;
  while (held < want) {
    const next = await iterator.next();
    if (next.done) break;
    first.push(next.value);
    held += next.value.length;
  }
  const whole = first.length === 1 ? first[0]! : concat(first);
  return { head: whole.subarray(0, want), chunks: resume(whole, iterator) };
}

/** Not a generator: those do not pass `return` on before they were begun, and the stream below would stay open. */
function resume(first: Uint8Array, iterator: AsyncIterator<Uint8Array>): AsyncIterable<Uint8Array> {
  let fresh = first.length > 0;
  const resumed: AsyncIterator<Uint8Array> = {
    next() {
      if (!fresh) return iterator.next();
      fresh = false;
      return Promise.resolve({ value: first, done: false });
    },
    async return() {
      await iterator.return?.();
      return { value: undefined, done: true };
    },
  };
  return { [Symbol.asyncIterator]: () => resumed };
}

/** Ends a stream that may not have been read to its end. */
export async function close(chunks: AsyncIterable<Uint8Array>): Promise<void> {
  await chunks[Symbol.asyncIterator]().return?.();
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The stream with an error as soon as it holds more than `limit` bytes. */
export async function* bounded(
  chunks: AsyncIterable<Uint8Array>,
  limit: number,
  name: string,
  what: string,
): AsyncGenerator<Uint8Array> {
  let held = 0;
  for await (const chunk of chunks) {
    held += chunk.length;
    if (held > limit) {
      throw new BadInput({
        problem: `the file ${what} more than ${limit} bytes`,
        where: { file: name },
        expected: `at most ${(limit / 2 ** 20).toFixed(limit < 2 ** 24 ? 2 : 0)} MiB (maxBytes)`,
        fix: 'check that the file is what you take it for; if it is, raise maxBytes',
      });
    }
    yield chunk;
  }
}

/** Bytes the caller holds or makes: an array, a Blob (a file chosen in a page), or pieces of bytes or text one after another. */
export function memoryBytes(
  source: Uint8Array | Blob | Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>,
  name: string,
): Bytes {
  if (source instanceof Uint8Array) {
    return {
      name,
      size: source.length,
      stream: async function* () {
        // In pieces, so that a reader that stops early has not parsed all of it.
        for (let at = 0; at < source.length; at += 1 << 20) yield source.subarray(at, at + (1 << 20));
      },
      slice: async (start, end) => source.subarray(start, end),
    };
  }
  if (typeof Blob !== 'undefined' && source instanceof Blob) {
    return {
      name,
      size: source.size,
      stream: async function* () {
        for (let at = 0; at < source.size; at += 1 << 20)
          yield new Uint8Array(await source.slice(at, Math.min(source.size, at + (1 << 20))).arrayBuffer());
      },
      slice: async (start, end) => new Uint8Array(await source.slice(start, end).arrayBuffer()),
    };
  }
  const pieces = source as Iterable<Uint8Array | string> | AsyncIterable<Uint8Array | string>;
  return {
    name,
    stream: async function* () {
      const encoder = new TextEncoder();
      for await (const piece of pieces) yield typeof piece === 'string' ? encoder.encode(piece) : piece;
    },
  };
}

import { BadInput } from '../../../base/core/index.js';

export function isGzip(head: Uint8Array): boolean {
  return head[0] === 0x1f && head[1] === 0x8b;
}

/** Unpack a gzip stream (one member or several), piece by piece. */
export async function* gunzip(chunks: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array> {
  try {
    yield* inNode() ? nodeGunzip(chunks) : pageGunzip(chunks);
  } catch (error) {
    if (!isZlib(error)) throw error;
    throw new BadInput({
      problem: 'the gzip data is cut short or damaged',
      where: { file: name },
      expected: 'a whole gzip file',
      found: error.message,
      fix: 'fetch the file again; gzip -t FILE tests it',
      cause: error,
    });
  }
}

const inNode = () => typeof process === 'object' && process.versions?.node !== undefined;

/** zlib's errors have codes such as Z_BUF_ERROR; a page's decompressor throws TypeError. */
function isZlib(error: unknown): error is Error {
  return error instanceof TypeError || /^Z_/.test(String((error as { code?: unknown })?.code));
}

async function* nodeGunzip(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const [{ createGunzip }, { Readable, pipeline }] = await Promise.all([import('node:zlib'), import('node:stream')]);
  const source = Readable.from(chunks, { objectMode: false, highWaterMark: 1 << 16 });
  const unpacked = createGunzip({ chunkSize: 1 << 18 });
  // pipeline hands errors of either side to the loop below, and ends the source when the loop is left.
  pipeline(source, unpacked, () => {});
  yield* unpacked as AsyncIterable<Uint8Array>;
}

async function* pageGunzip(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  const source = new ReadableStream<BufferSource>({
    async pull(controller) {
      const next = await iterator.next();
      if (next.done) controller.close();
      else controller.enqueue(next.value as Uint8Array<ArrayBuffer>);
    },
    async cancel() {
      await iterator.return?.();
    },
  });
  const reader = source.pipeThrough(new DecompressionStream('gzip')).getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** Pack a stream as one gzip member. */
export async function* gzip(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const [{ createGzip }, { Readable, pipeline }] = await Promise.all([import('node:zlib'), import('node:stream')]);
  const packed = createGzip();
  pipeline(Readable.from(chunks, { objectMode: false }), packed, () => {});
  yield* packed as AsyncIterable<Uint8Array>;
}

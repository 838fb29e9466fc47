import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { BadInput, quote, writeFileAtomic } from '../../base/core/index.js';

/** A float32 array with its shape, as it lies in a file. */
export interface StoredTensor {
  shape: readonly number[];
  values: Float32Array;
}

/**
 * Write float32 tensors as a safetensors file: 8 bytes header length, JSON header, raw little-endian values. `read` gives
 * the values of the tensor at an index, asked for one after the other, so that only one is held at a time.
 */
export async function writeTensors(
  path: string,
  tensors: readonly { name: string; shape: readonly number[]; size: number }[],
  read: (index: number) => Float32Array,
): Promise<void> {
  const header: Record<string, unknown> = {};
  let end = 0;
  for (const { name, shape, size } of tensors) {
    const begin = end;
    end += size * 4;
    header[name] = { dtype: 'F32', shape, data_offsets: [begin, end] };
  }
  // Padding to eight bytes keeps the values aligned for readers that map the file.
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([json, Buffer.alloc(-json.length & 7, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  function* chunks(): Generator<Uint8Array> {
    yield length;
    yield padded;
    for (let i = 0; i < tensors.length; i++) {
      const { buffer, byteOffset, byteLength } = read(i);
      yield new Uint8Array(buffer, byteOffset, byteLength);
    }
  }
  await writeFileAtomic(path, chunks());
}

/** Bytes of one call to the system, which takes less than 2 GiB. */
const PART = 1 << 30;
/** A header this long is none. */
const LONGEST_HEADER = 100 << 20;

interface Entry {
  shape: readonly number[];
  begin: number;
  end: number;
}

/**
 * A file written by {@link writeTensors} (or any safetensors file of float32 tensors). Tensors are read when they are asked for, one
 * by one: the memory of an optimizer is often larger than what a process may read at once.
 */
export class TensorsFile {
  readonly path: string;
  readonly #entries: Map<string, Entry>;

  /** Reads the header alone, and checks it against the length of the file. */
  constructor(path: string) {
    this.path = path;
    this.#entries = withFile(path, file => entriesOf(path, file));
  }

  get names(): readonly string[] {
    return [...this.#entries.keys()];
  }

  /** A tensor; undefined when the file has none of this name. */
  read(name: string): StoredTensor | undefined {
    const entry = this.#entries.get(name);
    if (!entry) return undefined;
    const values = new Float32Array((entry.end - entry.begin) / 4);
    withFile(this.path, file => readInto(file, new Uint8Array(values.buffer), entry.begin));
    return { shape: entry.shape, values };
  }
}

function withFile<T>(path: string, work: (file: number) => T): T {
  const file = openSync(path, 'r');
  try {
    return work(file);
  } finally {
    closeSync(file);
  }
}

function readInto(file: number, bytes: Uint8Array, from: number): void {
  for (let at = 0; at < bytes.length; ) {
    const read = readSync(file, bytes, at, Math.min(PART, bytes.length - at), from + at);
    if (read === 0) throw new Error('the file became shorter while it was read');
    at += read;
  }
}

function entriesOf(path: string, file: number): Map<string, Entry> {
  const damaged = (found: string) =>
    new BadInput({
      problem: 'The file is not a usable safetensors file',
      where: { file: path },
      expected: 'float32 tensors',
      found,
      fix: 'use an earlier checkpoint',
    });
  const { size } = fstatSync(file);
  if (size < 8) throw damaged(`${size} bytes`);
  const prefix = Buffer.alloc(8);
  readInto(file, prefix, 0);
  const length = Number(prefix.readBigUInt64LE());
  if (length > Math.min(size - 8, LONGEST_HEADER)) throw damaged('a damaged header');
  const text = Buffer.alloc(length);
  readInto(file, text, 8);
  let header: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  try {
    header = JSON.parse(text.toString('utf8')) as typeof header;
  } catch {
    throw damaged('a damaged header');
  }
  const body = 8 + length;
  const entries = new Map<string, Entry>();
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const { dtype, shape, data_offsets: offsets } = value ?? {};
    if (dtype !== 'F32') throw damaged(`${quote(name)} of type ${quote(dtype)}`);
    const [begin, end] = Array.isArray(offsets) ? offsets : [];
    const count = Array.isArray(shape) ? shape.reduce((a, b) => a * b, 1) : Number.NaN;
    if (!(begin! >= 0) || end! - begin! !== count * 4) throw damaged(`${quote(name)} with a place that does not fit its shape`);
    if (body + end! > size) throw damaged(`a file that ends inside ${quote(name)}`);
    entries.set(name, { shape, begin: body + begin!, end: body + end! });
  }
  return entries;
}

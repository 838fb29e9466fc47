import { type FileHandle, open } from 'node:fs/promises';
import { BadInput, quote } from '../../base/core/index.js';

/** One tensor of a safetensors file: where its bytes lie and what they are. */
export interface TensorEntry {
  name: string;
  dtype: 'F32' | 'F16' | 'BF16';
  shape: number[];
  /** First byte in the file. */
  offset: number;
  bytes: number;
}

/** The format's own bound of the header (safetensors' MAX_HEADER_SIZE). */
const MAX_HEADER = 100_000_000;
const WIDTH: Record<TensorEntry['dtype'], number> = { F32: 4, F16: 2, BF16: 2 };

/**
 * The tensors of a safetensors file. The file is hostile input: header size, duplicate names, dtypes, shapes, offsets,
 * gaps, overlaps and truncation are checked against the real file size before anything of a tensor's size is allocated.
 *
 * @returns entries in the order of their bytes; throws BadInput naming file and tensor
 */
export async function readSafetensorsHeader(file: FileHandle, path: string): Promise<TensorEntry[]> {
  const bad = (problem: string, parts: { key?: string; expected?: string; found?: string } = {}): BadInput =>
    new BadInput({
      problem,
      where: { file: path, key: parts.key },
      expected: parts.expected,
      found: parts.found,
      fix: 'download or save the file again',
    });
  const { size } = await file.stat();
  if (size < 8) throw bad('This is not a safetensors file', { expected: 'at least 8 bytes', found: `${size}` });
  const prefix = new Uint8Array(8);
  await readFully(file, prefix, 0, path);
  const headerBytes = new DataView(prefix.buffer).getBigUint64(0, true);
  if (headerBytes > BigInt(Math.min(MAX_HEADER, size - 8)))
    throw bad('The header of this safetensors file is longer than the file or than the format allows', {
      expected: `at most ${Math.min(MAX_HEADER, size - 8)} bytes`,
      found: `${headerBytes}`,
    });
  const raw = new Uint8Array(Number(headerBytes));
  await readFully(file, raw, 8, path);
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(raw);
    header = JSON.parse(text);
  } catch (cause) {
    throw bad(`The header of this safetensors file is not JSON (${(cause as Error).message.slice(0, 120)})`);
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header))
    throw bad('The header of this safetensors file is not a JSON object', { found: quote(header) });
  const duplicate = duplicateKey(text);
  if (duplicate !== undefined) throw bad('This tensor is in the header twice', { key: duplicate });

  const dataStart = 8 + raw.length;
  const entries = Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, value]) => tensorEntry(name, value, dataStart, bad));
  entries.sort((a, b) => a.offset - b.offset || a.bytes - b.bytes);
  let end = dataStart;
  for (const { name, offset, bytes } of entries) {
    if (offset !== end)
      throw bad(offset < end ? 'The bytes of this tensor overlap those of another' : 'There is a gap before this tensor', {
        key: name,
        expected: `data offset ${end - dataStart}`,
        found: `${offset - dataStart}`,
      });
    end = offset + bytes;
  }
  if (end !== size)
    throw bad(end > size ? 'This safetensors file is truncated' : 'This safetensors file has bytes that belong to no tensor', {
      expected: `${end} bytes`,
      found: `${size}`,
    });
  return entries;
}

function tensorEntry(
  name: string,
  value: unknown,
  dataStart: number,
  bad: (problem: string, parts: { key?: string; expected?: string; found?: string }) => BadInput,
): TensorEntry {
  const {
    dtype,
    shape,
    data_offsets: offsets,
  } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  if (typeof dtype !== 'string' || !Object.hasOwn(WIDTH, dtype))
    throw bad('The type of this tensor cannot be used', { key: name, expected: 'F32, F16 or BF16', found: quote(dtype ?? null) });
  const natural = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;
  if (!Array.isArray(shape) || shape.length > 8 || !shape.every(natural))
    throw bad('The shape of this tensor is not one', { key: name, expected: 'a list of sizes', found: quote(shape ?? null) });
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(natural))
    throw bad('The offsets of this tensor are not [begin, end]', { key: name, found: quote(offsets ?? null) });
  const [begin, end] = offsets as [number, number];
  // Sizes multiply beyond what a number holds exactly: a product that is not safe cannot fit any file.
  const elements = (shape as number[]).reduce((a, b) => a * b, 1);
  const bytes = elements * WIDTH[dtype as TensorEntry['dtype']];
  if (!Number.isSafeInteger(bytes) || end - begin !== bytes)
    throw bad('The offsets of this tensor disagree with its shape', {
      key: name,
      expected: `${bytes} bytes for ${dtype} [${(shape as number[]).join(', ')}]`,
      found: `${end - begin}`,
    });
  return { name, dtype: dtype as TensorEntry['dtype'], shape: shape as number[], offset: dataStart + begin, bytes };
}

/** JSON.parse keeps the last of equal keys silently; this finds a top-level key that comes twice. */
function duplicateKey(json: string): string | undefined {
  const seen = new Set<string>();
  let depth = 0;
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"\s*:?|[[\]{}]/g)) {
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    else if (depth === 1 && token.endsWith(':')) {
      const key = JSON.parse(token.slice(0, -1)) as string;
      if (seen.has(key)) return key;
      seen.add(key);
    }
  }
  return undefined;
}

/** The values of a tensor as float32. */
export async function readTensor(file: FileHandle, entry: TensorEntry, path: string): Promise<Float32Array> {
  const raw = new Uint8Array(entry.bytes);
  await readFully(file, raw, entry.offset, path);
  if (entry.dtype === 'F32') return new Float32Array(raw.buffer);
  const half = new Uint16Array(raw.buffer);
  const values = new Float32Array(half.length);
  if (entry.dtype === 'BF16') {
    const bits = new Uint32Array(values.buffer);
    for (let i = 0; i < half.length; i++) bits[i] = half[i]! << 16;
  } else {
    const table = float16Table();
    for (let i = 0; i < half.length; i++) values[i] = table[half[i]!]!;
  }
  return values;
}

let float16Values: Float32Array | undefined;

/** All 65,536 half-precision numbers as float32. */
function float16Table(): Float32Array {
  if (float16Values) return float16Values;
  const table = new Float32Array(65_536);
  for (let bits = 0; bits < table.length; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 31) table[bits] = fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
    else table[bits] = sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
  }
  float16Values = table;
  return table;
}

async function readFully(file: FileHandle, into: Uint8Array, position: number, path: string): Promise<void> {
  for (let done = 0; done < into.byteLength; ) {
    // One read call is bounded at 2 GB by the system.
    const { bytesRead } = await file.read(into, done, Math.min(into.byteLength - done, 1 << 30), position + done);
    if (bytesRead === 0)
      throw new BadInput({ problem: 'This file ended early', where: { file: path }, fix: 'download or save it again' });
    done += bytesRead;
  }
}

/** Open a safetensors file for `work` and close it after. */
export async function withFile<T>(path: string, work: (file: FileHandle) => Promise<T>): Promise<T> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (cause) {
    throw new BadInput({
      problem: `The file cannot be read (${(cause as NodeJS.ErrnoException).code})`,
      where: { file: path },
      fix: 'check the path; a model directory holds config.json and model.safetensors',
      cause,
    });
  }
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

/** The bytes of a safetensors file of float32 tensors, piece by piece, so that only one tensor at a time is copied. */
export function* safetensorsChunks(
  tensors: readonly { name: string; shape: readonly number[]; size: number }[],
  read: (index: number) => Float32Array,
): Generator<Uint8Array> {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  let offset = 0;
  for (const { name, shape, size } of tensors) {
    header[name] = { dtype: 'F32', shape: [...shape], data_offsets: [offset, offset + size * 4] };
    offset += size * 4;
  }
  // The data begins at a multiple of eight, as safetensors writes it; the padding is spaces.
  const text = JSON.stringify(header);
  const bytes = new TextEncoder().encode(text + ' '.repeat((8 - (Buffer.byteLength(text) % 8)) % 8));
  const prefix = new Uint8Array(8);
  new DataView(prefix.buffer).setBigUint64(0, BigInt(bytes.length), true);
  yield prefix;
  yield bytes;
  for (let i = 0; i < tensors.length; i++) {
    const values = read(i);
    yield new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  }
}

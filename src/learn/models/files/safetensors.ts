import { type FileHandle, open, stat } from 'node:fs/promises';
import { BadInput, quote } from '../../../base/core/index.js';
import { decodeHalf } from './half.js';

export { safetensorsChunks } from './write.js';

/** Bytes of one element of safetensors' types. */
const WIDTH = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
};

/** One tensor of a safetensors file: where its bytes lie and what they are. */
export interface TensorEntry {
  name: string;
  /** Weights are read as F32, F16 and BF16; a file may hold others beside them, e.g. masks. */
  dtype:
    | 'BOOL'
    | 'U8'
    | 'I8'
    | 'F8_E5M2'
    | 'F8_E4M3'
    | 'I16'
    | 'U16'
    | 'F16'
    | 'BF16'
    | 'I32'
    | 'U32'
    | 'F32'
    | 'F64'
    | 'I64'
    | 'U64';
  shape: number[];
  /** First byte in the file. */
  offset: number;
  bytes: number;
}

/** The format's own bound of the header (safetensors' MAX_HEADER_SIZE). */
const MAX_HEADER = 100_000_000;
/** Tensors of one file: a hundred times as many as any shard has. A header full of empty ones would take long to check. */
const MAX_TENSORS = 200_000;

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
      where: { file: path, key: parts.key === undefined ? undefined : printable(parts.key) },
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
  const count = Object.keys(header).length;
  if (count > MAX_TENSORS)
    throw bad('This safetensors file names too many tensors', { expected: `at most ${MAX_TENSORS}`, found: `${count}` });
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

/**
 * JSON.parse keeps the last of equal keys silently; this finds a top-level key that comes twice in text that JSON.parse has
 * accepted. Without a regular expression: its stack overflows on a name of megabytes.
 */
function duplicateKey(json: string): string | undefined {
  const seen = new Set<string>();
  let depth = 0;
  let last = '';
  for (let i = 0; i < json.length; i++) {
    const c = json[i];
    if (c === '{' || c === '[') depth++;
    else if (c === '}' || c === ']') depth--;
    else if (c === '"') {
      const start = i;
      for (i++; json[i] !== '"'; i++) if (json[i] === '\\') i++;
      if (depth === 1) last = json.slice(start, i + 1);
    } else if (c === ':' && depth === 1) {
      const key = JSON.parse(last) as string;
      if (seen.has(key)) return key;
      seen.add(key);
    }
  }
  return undefined;
}

/** Names come from the file: shown on one line, cut short, without the quotes of {@link quote}. */
export function printable(name: string): string {
  return quote(name, 120).replace(/^"|"$/g, '');
}

/** Fill an array from a file. */
export async function readFully(file: FileHandle, into: Uint8Array, position: number, path: string): Promise<void> {
  for (let done = 0; done < into.byteLength; ) {
    // One read call is bounded at 2 GB by the system.
    const { bytesRead } = await file.read(into, done, Math.min(into.byteLength - done, 1 << 30), position + done);
    if (bytesRead === 0)
      throw new BadInput({ problem: 'This file ended early', where: { file: path }, fix: 'download or save it again' });
    done += bytesRead;
  }
}

/** Throws for a tensor that is not F32, F16 or BF16. */
export function requireFloat({ name, dtype }: TensorEntry, path: string): void {
  if (dtype === 'F32' || dtype === 'F16' || dtype === 'BF16') return;
  throw new BadInput({
    problem: 'The type of this tensor cannot be used',
    where: { file: path, key: name },
    expected: 'F32, F16 or BF16',
    found: `"${dtype}"`,
    fix: 'save the model in one of these types (transformers: model.to(torch.float32).save_pretrained(dir))',
  });
}

/** The values of one tensor as float32. */
export async function readTensor(file: FileHandle, entry: TensorEntry, path: string): Promise<Float32Array> {
  requireFloat(entry, path);
  const raw = new Uint8Array(entry.bytes);
  await readFully(file, raw, entry.offset, path);
  if (entry.dtype === 'F32') return new Float32Array(raw.buffer);
  const values = new Float32Array(entry.bytes / 2);
  decodeHalf(new Uint16Array(raw.buffer), entry.dtype as 'F16' | 'BF16', values);
  return values;
}

/** Open a safetensors file for `work` and close it after. */
export async function withFile<T>(path: string, work: (file: FileHandle) => Promise<T>): Promise<T> {
  const unreadable = (problem: string, cause?: unknown) =>
    new BadInput({
      problem,
      where: { file: path },
      fix: 'check the path; a model directory holds config.json and model.safetensors',
      cause,
    });
  let file: FileHandle;
  try {
    // Looked at before it is opened: to open a pipe is to wait for who writes to it.
    if (!(await stat(path)).isFile()) throw unreadable('This is not a file');
    file = await open(path, 'r');
  } catch (cause) {
    if (cause instanceof BadInput) throw cause;
    throw unreadable(`The file cannot be read (${(cause as NodeJS.ErrnoException).code})`, cause);
  }
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

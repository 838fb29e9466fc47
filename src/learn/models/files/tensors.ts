import type { FileHandle } from 'node:fs/promises';
import { decodeHalf } from './half.js';
import { readFully, requireFloat, type TensorEntry } from './safetensors.js';

/** A tensor that was read. */
export interface ReadTensor<T extends TensorEntry = TensorEntry> {
  entry: T;
  /** As float32. Memory of its own: TensorFlow may go on using it. */
  values: Float32Array;
  /** Whether every value is a finite number. */
  finite: boolean;
}

/** Options of {@link readTensors}. */
export interface ReadOptions {
  /** Bytes of memory that tensors share, see {@link BLOCK}; 0, each has an array of its own, unless told. */
  block?: number;
  /** Hears how many bytes of the file have come. An error it throws ends the reading. */
  onBytes?: (bytes: number) => void;
}

/** Bytes of one read. */
const PIECE = 4 << 20;
/** Reads under way at once, on threads of their own; the main thread makes weights of what has come. */
const AHEAD = 3;

/**
 * For TensorFlow tensors are read into blocks of this size (larger ones have a block of their own), straight from the file to where
 * they stay: it uses the memory of an array that is aligned to 64 bytes, and copies it else. glibc takes blocks from 32 MiB on from
 * the system itself, and their data begin 16 bytes into a page: 48 bytes further all is aligned. With another allocator this is
 * only a shift, and a block at a time is in memory twice. Pages that nothing touches take no memory. Blocks are few because each
 * makes V8 collect garbage (64 MiB: 160 ms of processor time for 500 MB), and not larger because a block stays until the last weight
 * in it is gone: the first update in place moves each weight to memory of TensorFlow's own.
 */
export const BLOCK: number = 512 << 20;
const FROM_SYSTEM = 33 << 20;
const SHIFT = 48;
const ALIGN = 64;
/** Little is worth no block. */
const SMALL = 1 << 20;

/**
 * The values of tensors in the order given, as float32. Reading goes on while the caller works on a tensor, by a few megabytes;
 * 16-bit types pass through a buffer of that size.
 */
export async function* readTensors<T extends TensorEntry>(
  file: FileHandle,
  entries: readonly T[],
  path: string,
  { block = 0, onBytes = () => {} }: ReadOptions = {},
): AsyncGenerator<ReadTensor<T>> {
  for (const entry of entries) requireFloat(entry, path);
  const parts = [...inParts(entries)];
  const halves = entries.some(({ dtype }) => dtype !== 'F32');
  const staging = halves ? Array.from({ length: AHEAD }, () => new ArrayBuffer(PIECE)) : [];
  const place = places(entries, block);
  const under: Promise<unknown>[] = [];
  const targets = new Map<T, Float32Array>();
  let finite = true;
  const start = (i: number) => {
    const part = parts[i];
    if (!part) return;
    const { entry, at, bytes } = part;
    // Memory is taken when the first read into it begins.
    if (at === 0) targets.set(entry, place(entry));
    const values = targets.get(entry)!;
    const into =
      entry.dtype === 'F32'
        ? new Uint8Array(values.buffer, values.byteOffset + at, bytes)
        : new Uint8Array(staging[i % AHEAD]!, 0, bytes);
    const read = readFully(file, into, entry.offset + at, path);
    // A failure is told when its turn comes, not as an unhandled rejection before.
    read.catch(() => {});
    under[i % AHEAD] = read;
  };
  for (let i = 0; i < AHEAD; i++) start(i);
  try {
    for (let i = 0; i < parts.length; i++) {
      await under[i % AHEAD];
      const { entry, at, bytes } = parts[i]!;
      const values = targets.get(entry)!;
      const width = entry.dtype === 'F32' ? 4 : 2;
      const piece = values.subarray(at / width, (at + bytes) / width);
      if (width === 2) decodeHalf(new Uint16Array(staging[i % AHEAD]!, 0, bytes / 2), entry.dtype as 'F16' | 'BF16', piece);
      start(i + AHEAD);
      onBytes(bytes);
      finite &&= allFinite(piece);
      if (at + bytes < entry.bytes) continue;
      targets.delete(entry);
      yield { entry, values, finite };
      finite = true;
    }
  } finally {
    // The file may be closed only when no read is under way.
    await Promise.allSettled(under);
  }
}

/** The reads that bring these tensors; an empty tensor is one empty read. */
function* inParts<T extends TensorEntry>(entries: readonly T[]): Generator<{ entry: T; at: number; bytes: number }> {
  for (const entry of entries)
    for (let at = 0; at === 0 || at < entry.bytes; at += PIECE) yield { entry, at, bytes: Math.min(PIECE, entry.bytes - at) };
}

/** Places for the values of tensors, one after another in blocks. */
function places(entries: readonly TensorEntry[], most: number): (entry: TensorEntry) => Float32Array {
  const bytesOf = ({ shape }: TensorEntry) => shape.reduce((a, b) => a * b, 4);
  const padded = (entry: TensorEntry) => Math.ceil(bytesOf(entry) / ALIGN) * ALIGN;
  let left = entries.reduce((sum, entry) => sum + padded(entry), 0);
  if (most === 0 || left < SMALL) return entry => new Float32Array(bytesOf(entry) / 4);
  let block = new ArrayBuffer(0);
  let used = 0;
  return entry => {
    const bytes = padded(entry);
    if (used + bytes > block.byteLength) {
      block = new ArrayBuffer(SHIFT + Math.max(bytes, Math.min(left, most), FROM_SYSTEM));
      used = SHIFT;
    }
    const values = new Float32Array(block, used, bytesOf(entry) / 4);
    used += bytes;
    left -= bytes;
    return values;
  };
}

/**
 * Zero times a finite number is zero; times infinity or NaN it is NaN. Four sums do not wait for one another: 0.4 ns a value. (A
 * sum by TensorFlow is faster on idle cores, but waits for its threads on busy ones.)
 */
function allFinite(values: Float32Array): boolean {
  let [a, b, c, d] = [0, 0, 0, 0];
  const most = values.length & ~3;
  for (let i = 0; i < most; i += 4) {
    a += values[i]! * 0;
    b += values[i + 1]! * 0;
    c += values[i + 2]! * 0;
    d += values[i + 3]! * 0;
  }
  for (let i = most; i < values.length; i++) a += values[i]! * 0;
  return a + b + c + d === 0;
}

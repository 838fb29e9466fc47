import type { FileHandle } from 'node:fs/promises';
import { decodeHalf } from './half.js';
import { readFully, requireFloat, type TensorEntry } from './safetensors.js';

/** Some values of a tensor, as float32. */
export interface Piece<T extends TensorEntry = TensorEntry> {
  entry: T;
  /** They stand from element `index · size` on. */
  index: number;
  size: number;
  /** Until the next piece is asked for: then other values stand there. */
  values: Float32Array;
  /** Whether every value is a finite number. */
  finite: boolean;
  /** Whether they are the tensor's last. */
  last: boolean;
}

/** Bytes of one read. */
const PIECE = 4 << 20;
/** Reads under way at once, on threads of their own; the main thread makes weights of what has come. */
const AHEAD = 3;
/**
 * TensorFlow uses the memory of an array that is aligned to 64 bytes, and copies it else. glibc takes arrays of megabytes from the system
 * itself, and their data begin 16 bytes into a page: 48 bytes further all is aligned. With another allocator this is only a shift.
 */
const SHIFT = 48;

/**
 * The values of tensors in the order given, piece by piece through a few buffers: nothing of a tensor's size is allocated. Reading goes
 * on while the caller works on a piece. 16-bit types become float32.
 * @param onBytes hears how many bytes of the file have come; an error it throws ends the reading
 */
export async function* readPieces<T extends TensorEntry>(
  file: FileHandle,
  entries: readonly T[],
  path: string,
  onBytes: (bytes: number) => void = () => {},
): AsyncGenerator<Piece<T>> {
  for (const entry of entries) requireFloat(entry, path);
  const parts = [...inParts(entries)];
  const buffers = Array.from({ length: Math.min(AHEAD, parts.length) }, () => new ArrayBuffer(SHIFT + PIECE));
  const halves = entries.some(({ dtype }) => dtype !== 'F32');
  const decoded = new Float32Array(new ArrayBuffer(halves ? SHIFT + 2 * PIECE : SHIFT), SHIFT);
  const under: Promise<unknown>[] = [];
  const start = (i: number) => {
    const part = parts[i];
    if (!part) return;
    const { entry, index, bytes } = part;
    const read = readFully(file, new Uint8Array(buffers[i % AHEAD]!, SHIFT, bytes), entry.offset + index * PIECE, path);
    // A failure is told when its turn comes, not as an unhandled rejection before.
    read.catch(() => {});
    under[i % AHEAD] = read;
  };
  for (let i = 0; i < AHEAD; i++) start(i);
  try {
    for (let i = 0; i < parts.length; i++) {
      await under[i % AHEAD];
      const { entry, index, bytes } = parts[i]!;
      const { dtype } = entry;
      const whole = dtype === 'F32';
      const count = bytes / (whole ? 4 : 2);
      const values = whole ? new Float32Array(buffers[i % AHEAD]!, SHIFT, count) : decoded.subarray(0, count);
      if (!whole) decodeHalf(new Uint16Array(buffers[i % AHEAD]!, SHIFT, count), dtype as 'F16' | 'BF16', values);
      onBytes(bytes);
      const last = index * PIECE + bytes === entry.bytes;
      yield { entry, index, size: PIECE / (whole ? 4 : 2), values, finite: allFinite(values), last };
      start(i + AHEAD);
    }
  } finally {
    // The file may be closed only when no read is under way.
    await Promise.allSettled(under);
  }
}

/** The reads that bring these tensors; an empty tensor is one empty read. */
function* inParts<T extends TensorEntry>(entries: readonly T[]): Generator<{ entry: T; index: number; bytes: number }> {
  for (const entry of entries)
    for (let index = 0; index === 0 || index * PIECE < entry.bytes; index++)
      yield { entry, index, bytes: Math.min(PIECE, entry.bytes - index * PIECE) };
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

import type { FileHandle } from 'node:fs/promises';
import { decodeHalf } from './half.js';
import { readFully, requireFloat, type TensorEntry } from './safetensors.js';

/** A piece of a tensor's values. */
export interface Piece {
  entry: TensorEntry;
  /** As float32. Valid until the next piece is asked for. */
  values: Float32Array;
  /** Whether the tensor ends with it. */
  last: boolean;
}

/** Bytes of one read. */
const PIECE = 4 << 20;
/** Reads under way at once: the next pieces are read while one is copied. */
const AHEAD = 3;

/**
 * One block holds all pieces. From 32 MiB on glibc takes blocks from the system, whose data begin 16 bytes into a page: with the
 * pieces 48 bytes further TensorFlow finds them aligned to 64 and uses them where they are, where it would else copy them first.
 * Pages that nothing touches take no memory. Elsewhere this is only a shift.
 */
const BLOCK = 33 << 20;
const SHIFT = 48;

/**
 * The values of tensors, in the order given, in pieces of a few megabytes, so that reading needs a bounded memory. All pieces but
 * a tensor's last have a multiple of 1,024 values; an empty tensor is one empty piece.
 */
export async function* readPieces(
  file: FileHandle,
  entries: readonly TensorEntry[],
  path: string,
  pieceBytes: number = PIECE,
): AsyncGenerator<Piece> {
  const parts: { entry: TensorEntry; at: number; bytes: number }[] = [];
  for (const entry of entries) {
    requireFloat(entry, path);
    for (let at = 0; at === 0 || at < entry.bytes; at += pieceBytes)
      parts.push({ entry, at, bytes: Math.min(pieceBytes, entry.bytes - at) });
  }
  const halves = entries.some(entry => entry.dtype !== 'F32');
  const block = new ArrayBuffer(Math.max(BLOCK, SHIFT + AHEAD * pieceBytes + (halves ? 2 * pieceBytes : 0)));
  const place = (i: number) => SHIFT + (i % AHEAD) * pieceBytes;
  const under: Promise<unknown>[] = [];
  const start = (i: number) => {
    const part = parts[i];
    if (!part) return;
    const read = readFully(file, new Uint8Array(block, place(i), part.bytes), part.entry.offset + part.at, path);
    // A failure is told when its turn comes, not as an unhandled rejection before.
    read.catch(() => {});
    under[i % AHEAD] = read;
  };
  for (let i = 0; i < AHEAD; i++) start(i);
  try {
    for (let i = 0; i < parts.length; i++) {
      await under[i % AHEAD];
      const { entry, at, bytes } = parts[i]!;
      let values: Float32Array;
      if (entry.dtype === 'F32') values = new Float32Array(block, place(i), bytes / 4);
      else {
        values = new Float32Array(block, SHIFT + AHEAD * pieceBytes, bytes / 2);
        decodeHalf(new Uint16Array(block, place(i), bytes / 2), entry.dtype as 'F16' | 'BF16', values);
      }
      yield { entry, values, last: at + bytes === entry.bytes };
      start(i + AHEAD);
    }
  } finally {
    // The file may be closed only when no read is under way.
    await Promise.allSettled(under);
  }
}

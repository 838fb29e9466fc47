import type { Raw } from '../collect.js';
import type { Container, ReadOptions } from '../types.js';

/** A file as a container sees it: unpacked already, its first bytes looked at. */
export interface Input {
  /** For errors. */
  name: string;
  /** The bytes from the beginning. */
  chunks: AsyncIterable<Uint8Array>;
  /** The first bytes, still in `chunks` too. */
  head: Uint8Array;
  /** Length where it is known beforehand. */
  size?: number;
  /** Bytes from the middle, where that is possible. */
  slice?(start: number, end: number): Promise<Uint8Array>;
}

/** One way to keep rows in a file. Values come in batches, so that a row costs no promise of its own. */
export interface ContainerReader {
  name: Container;
  read(input: Input, options: ReadOptions): AsyncIterable<Raw[]>;
}

import type { Segment } from '../templates/index.js';
import type { Tokenizer } from './tokenizer.js';

/** The label of a token that carries no loss (PyTorch's and Hugging Face's `ignore_index`). */
export const IGNORED = -100;

/** Everything about one encoded row. `labels` are unshifted: `labels[i]` is the id at position `i` or −100. */
export interface EncodedParts {
  ids: number[];
  labels: number[];
  /** Loss weight of each token; absent when all trained tokens weigh 1. */
  weights?: number[];
  /** The rendered text, with the BOS where one was added. */
  text: string;
  /** [start, end) of each token in `text`, in UTF-16 units. */
  offsets: [number, number][];
  /** The rendered text in pieces; `trained` and `weight` say what this row trains, after strategy, messages and parts. */
  segments: Segment[];
  /** For each token the index of the segment it begins in. */
  segmentOf: number[];
  /** Tokens that hold trained and untrained text at once; they are masked. Zero with `boundary: 'split'`. */
  straddling: number;
  truncated: boolean;
  /** Index of the first token after a cut at the left or in the middle. It is not trained: what it followed is gone. */
  gap?: number;
}

/**
 * An encoded row. The arrays that training needs are always held; what only a reader needs (text, offsets, segments) is
 * made again on demand after {@link EncodedRow.compact}, so that a large data set stays small in memory.
 */
export class EncodedRow {
  readonly ids: number[];
  readonly labels: number[];
  readonly weights?: number[];
  /** Number of tokens that carry loss. */
  readonly trained: number;
  readonly straddling: number;
  readonly truncated: boolean;
  /** Index of the first token after a cut at the left or in the middle. */
  readonly gap?: number;
  readonly #tokenizer: Tokenizer;
  #parts: EncodedParts | undefined;
  readonly #again: () => EncodedParts;

  constructor(parts: EncodedParts, tokenizer: Tokenizer, again: () => EncodedParts) {
    this.ids = parts.ids;
    this.labels = parts.labels;
    if (parts.weights) this.weights = parts.weights;
    this.trained = parts.labels.reduce((n, label) => n + (label === IGNORED ? 0 : 1), 0);
    this.straddling = parts.straddling;
    this.truncated = parts.truncated;
    if (parts.gap !== undefined) this.gap = parts.gap;
    this.#tokenizer = tokenizer;
    this.#parts = parts;
    this.#again = again;
  }

  /** Number of tokens. */
  get length(): number {
    return this.ids.length;
  }

  /** What it was encoded with, and is shown with. */
  get tokenizer(): Tokenizer {
    return this.#tokenizer;
  }

  get text(): string {
    return this.#detail().text;
  }

  get offsets(): [number, number][] {
    return this.#detail().offsets;
  }

  get segments(): Segment[] {
    return this.#detail().segments;
  }

  get segmentOf(): number[] {
    return this.#detail().segmentOf;
  }

  /** Let go of what can be made again. Returns this. */
  compact(): this {
    this.#parts = undefined;
    return this;
  }

  #detail(): EncodedParts {
    this.#parts ??= this.#again();
    return this.#parts;
  }
}

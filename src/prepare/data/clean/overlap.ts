import { hashText, words } from '../../../base/text/index.js';

/** An n-gram of the evaluation rows. */
export interface Gram {
  /** The words it consists of are `size` words of this evaluation row from `start` on. */
  row: number;
  start: number;
  size: number;
  /** Evaluation rows that contain it. */
  rows: number[];
  /** Training rows that contain it, and the last of them that was counted. */
  found: number;
  last: number;
}

/** A text as words and their running hashes, from which the hash of any run of words follows in constant time. */
export interface WordHashes {
  words: readonly string[];
  low: Int32Array;
  high: Int32Array;
}

const BASE_LOW = 0x01000193;
const BASE_HIGH = 0x5bd1e995;

export function hashWords(text: string): WordHashes {
  const list = words(text);
  const low = new Int32Array(list.length + 1);
  const high = new Int32Array(list.length + 1);
  for (const [i, word] of list.entries()) {
    low[i + 1] = (Math.imul(low[i]!, BASE_LOW) + hashText(word, 1)) | 0;
    high[i + 1] = (Math.imul(high[i]!, BASE_HIGH) + hashText(word, 2)) | 0;
  }
  return { words: list, low, high };
}

/** The n-grams of a set of texts, to be looked up in others. A text shorter than `n` words is one gram of its own length. */
export class GramIndex {
  readonly texts: readonly WordHashes[];
  /** Grams of each text by the position they start at. */
  readonly gramsOf: Gram[][];
  // Says of most runs of words at once that they are no gram: one byte for each of 2²⁰ hashes.
  readonly #maybe = new Uint8Array(1 << 20);
  readonly #bySize = new Map<number, { grams: Map<number, Gram>; powLow: number; powHigh: number }>();

  constructor(texts: readonly WordHashes[], n: number) {
    this.texts = texts;
    this.gramsOf = texts.map((text, row) => {
      const size = Math.min(n, text.words.length);
      if (size === 0) return [];
      return Array.from({ length: text.words.length - size + 1 }, (_, start) => this.#enter(text, row, start, size));
    });
  }

  /** Calls `visit` for every run of words of `text` that is a gram of the index. */
  match(text: WordHashes, visit: (gram: Gram, start: number) => void): void {
    for (const [size, { grams, powLow, powHigh }] of this.#bySize) {
      for (let start = 0; start + size <= text.words.length; start++) {
        const low = runHash(text.low, start, size, powLow);
        if (this.#maybe[low >>> 12] === 0) continue;
        const gram = grams.get(key(low, runHash(text.high, start, size, powHigh)));
        if (gram && this.#same(gram, text, start)) visit(gram, start);
      }
    }
  }

  /** The words of a gram. */
  quote({ row, start, size }: Gram): string {
    return this.texts[row]!.words.slice(start, start + size).join(' ');
  }

  #enter(text: WordHashes, row: number, start: number, size: number): Gram {
    let sized = this.#bySize.get(size);
    if (!sized) {
      sized = { grams: new Map(), powLow: power(BASE_LOW, size), powHigh: power(BASE_HIGH, size) };
      this.#bySize.set(size, sized);
    }
    const low = runHash(text.low, start, size, sized.powLow);
    this.#maybe[low >>> 12] = 1;
    const at = key(low, runHash(text.high, start, size, sized.powHigh));
    let gram = sized.grams.get(at);
    if (!gram) {
      gram = { row, start, size, rows: [], found: 0, last: -1 };
      sized.grams.set(at, gram);
    }
    if (gram.rows.at(-1) !== row) gram.rows.push(row);
    return gram;
  }

  // A hash of 53 bits finds the gram; the words decide.
  #same(gram: Gram, text: WordHashes, start: number): boolean {
    const its = this.texts[gram.row]!.words;
    for (let i = 0; i < gram.size; i++) if (its[gram.start + i] !== text.words[start + i]) return false;
    return true;
  }
}

function runHash(running: Int32Array, start: number, size: number, pow: number): number {
  return (running[start + size]! - Math.imul(running[start]!, pow)) >>> 0;
}

/** 53 bits of the two hashes. */
function key(low: number, high: number): number {
  return (high & 0x1fffff) * 0x100000000 + low;
}

function power(base: number, exponent: number): number {
  let out = 1;
  for (let i = 0; i < exponent; i++) out = Math.imul(out, base);
  return out;
}

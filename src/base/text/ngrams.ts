import { hashText, mix } from './hash.js';
import { normalize, words } from './normalize.js';

/** All runs of `n` items, in order: none when there are fewer than `n`. */
export function ngrams<T>(items: readonly T[], n: number): T[][] {
  return Array.from({ length: Math.max(0, items.length - n + 1) }, (_, i) => items.slice(i, i + n));
}

/** How a text is cut into shingles. */
export interface ShingleOptions {
  /** Words or characters in one shingle. */
  n: number;
  unit: 'word' | 'char';
}

/**
 * The set of shingles (overlapping n-grams, Broder 1997) of a normalised text as sorted 32-bit hashes without repetition. A
 * text shorter than one shingle is one shingle; one without any word is the shingle of its own characters. Only the empty
 * text has none.
 */
export function shingles(text: string, { n, unit }: ShingleOptions): Uint32Array {
  const hashes = unit === 'word' ? wordShingles(words(text), n) : characterShingles(normalize(text), n);
  if (hashes.length === 0) return text.trim() === '' ? new Uint32Array(0) : Uint32Array.of(hashText(text.trim()));
  hashes.sort();
  let kept = 1;
  for (let i = 1; i < hashes.length; i++) if (hashes[i] !== hashes[i - 1]) hashes[kept++] = hashes[i]!;
  return hashes.slice(0, kept);
}

function wordShingles(list: readonly string[], n: number): Uint32Array {
  const each = list.map(word => hashText(word));
  return windows(each.length, n, i => each[i]!);
}

function characterShingles(text: string, n: number): Uint32Array {
  return windows(text.length, n, i => text.charCodeAt(i));
}

function windows(length: number, n: number, at: (i: number) => number): Uint32Array {
  if (length === 0) return new Uint32Array(0);
  const size = Math.min(n, length);
  const out = new Uint32Array(length - size + 1);
  for (let i = 0; i < out.length; i++) {
    let h = size;
    for (let j = i; j < i + size; j++) h = Math.imul(h, 0x01000193) + at(j);
    out[i] = mix(h);
  }
  return out;
}

/** Jaccard similarity |A ∩ B| ÷ |A ∪ B| of two sorted sets; two empty sets are equal (1). */
export function jaccard(a: Uint32Array, b: Uint32Array): number {
  if (a.length === 0 && b.length === 0) return 1;
  let both = 0;
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const x = a[i]!;
    const y = b[j]!;
    if (x === y) both++;
    if (x <= y) i++;
    if (y <= x) j++;
  }
  return both / (a.length + b.length - both);
}

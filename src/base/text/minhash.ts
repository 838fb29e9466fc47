import { BadInput, Random } from '../core/index.js';

/**
 * MinHash signatures. Under a random permutation of the shingles' hashes two sets have the same smallest element with
 * probability equal to their Jaccard similarity; the share of equal places in two signatures estimates it with a standard
 * error of √(s(1−s)/permutations). Source: A. Broder, "On the resemblance and containment of documents", 1997.
 *
 * Each permutation is a seeded bijection of the 32-bit integers (xor, product with an odd number, shift), so signatures
 * are equal on every machine.
 */
export class MinHash {
  readonly permutations: number;
  readonly #xor: Uint32Array;
  readonly #odd: Uint32Array;

  constructor({ permutations = 128, seed = 0 }: { permutations?: number; seed?: number | string } = {}) {
    if (!Number.isInteger(permutations) || permutations < 1 || permutations > 4096) {
      throw new BadInput({
        problem: 'MinHash needs a number of permutations',
        where: { key: 'permutations' },
        expected: 'a whole number from 1 to 4,096',
        found: String(permutations),
        fix: 'use 128',
      });
    }
    this.permutations = permutations;
    const random = new Random(`minhash/${seed}`);
    this.#xor = Uint32Array.from({ length: permutations }, () => random.uint32());
    this.#odd = Uint32Array.from({ length: permutations }, () => random.uint32() | 1);
  }

  /** The signature of a set of 32-bit hashes: for each permutation the smallest image. The empty set has all ones. */
  signature(set: Uint32Array): Uint32Array {
    const out = new Uint32Array(this.permutations);
    for (let p = 0; p < out.length; p++) {
      const xor = this.#xor[p]!;
      const odd = this.#odd[p]!;
      let least = 0xffffffff;
      for (let i = 0; i < set.length; i++) {
        let h = Math.imul(set[i]! ^ xor, odd);
        h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d) >>> 0;
        if (h < least) least = h;
      }
      out[p] = least;
    }
    return out;
  }
}

/** Jaccard similarity as two signatures estimate it: the share of equal places. */
export function estimateJaccard(a: Uint32Array, b: Uint32Array): number {
  let equal = 0;
  for (let i = 0; i < a.length; i++) if (a[i] === b[i]) equal++;
  return equal / a.length;
}

/** How a signature is cut for {@link LshIndex}. */
export interface Bands {
  bands: number;
  /** Places of the signature in one band. */
  rows: number;
  /** Probability that a pair exactly at the threshold becomes a candidate. */
  recall: number;
}

/** Probability that two sets of similarity `s` agree in at least one band: 1 − (1 − sʳ)ᵇ (Leskovec, Rajaraman & Ullman, MMDS §3.4). */
export function candidateProbability(s: number, { bands, rows }: { bands: number; rows: number }): number {
  return 1 - (1 - s ** rows) ** bands;
}

/** The most selective cut (longest bands) with which a pair at the threshold is still found with probability `recall`. */
export function chooseBands(threshold: number, permutations: number, recall = 0.995): Bands {
  for (let rows = permutations; rows >= 1; rows--) {
    const bands = Math.floor(permutations / rows);
    const found = candidateProbability(threshold, { bands, rows });
    if (found >= recall || rows === 1) return { bands, rows, recall: found };
  }
  throw new RangeError('chooseBands needs at least one permutation');
}

/** Locality-sensitive hashing of signatures: finds the stored ones that agree with a given one in a whole band. */
export class LshIndex {
  readonly #cut: { bands: number; rows: number };
  readonly #buckets: Map<number, number[]>[];
  readonly #seen = new Set<number>();

  constructor(cut: { bands: number; rows: number }) {
    this.#cut = cut;
    this.#buckets = Array.from({ length: cut.bands }, () => new Map());
  }

  add(id: number, signature: Uint32Array): void {
    for (const [band, buckets] of this.#buckets.entries()) {
      const key = this.#key(signature, band);
      const bucket = buckets.get(key);
      if (bucket) bucket.push(id);
      else buckets.set(key, [id]);
    }
  }

  /** Ids of the stored signatures that share a band, each once, in the order of the bands. */
  candidates(signature: Uint32Array): number[] {
    this.#seen.clear();
    for (const [band, buckets] of this.#buckets.entries()) {
      for (const id of buckets.get(this.#key(signature, band)) ?? []) this.#seen.add(id);
    }
    return [...this.#seen];
  }

  // 32 bits of a band: bands that differ but collide only cost a comparison.
  #key(signature: Uint32Array, band: number): number {
    const { rows } = this.#cut;
    let h = 0x811c9dc5;
    for (let i = band * rows; i < (band + 1) * rows; i++) {
      h = Math.imul(h ^ signature[i]!, 0x01000193);
      h ^= h >>> 15;
    }
    return h;
  }
}

/** State of a {@link Random}: four unsigned 32-bit words and the spare normal deviate, plain JSON. */
export interface RandomState {
  words: [number, number, number, number];
  spare: number | null;
}

/**
 * Seeded random numbers: xoshiro128** (Blackman & Vigna 2018), seeded through splitmix32. Equal seeds give equal
 * numbers on every machine and Node version, and the state can be saved with a checkpoint.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;
  #spare: number | null = null;

  /** @param seed a number, or a string (hashed), so that `new Random('split')` and `new Random('shuffle')` differ. */
  constructor(seed: number | string = 0) {
    let h = typeof seed === 'string' ? hash32(seed) : seed >>> 0;
    // Numbers beyond 32 bits would otherwise share a seed with their remainder.
    if (typeof seed === 'number' && (seed > 0xffffffff || seed < 0 || !Number.isInteger(seed))) h = hash32(String(seed));
    const word = () => {
      h = (h + 0x9e3779b9) | 0;
      let t = h ^ (h >>> 16);
      t = Math.imul(t, 0x21f0aaad);
      t ^= t >>> 15;
      t = Math.imul(t, 0x735a2d97);
      return (t ^ (t >>> 15)) >>> 0;
    };
    [this.#a, this.#b, this.#c, this.#d] = [word(), word(), word(), word()];
  }

  /** Next unsigned 32-bit integer. */
  uint32(): number {
    const r = Math.imul(rotl(Math.imul(this.#b, 5), 7), 9) >>> 0;
    const t = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= t;
    this.#d = rotl(this.#d, 11);
    return r;
  }

  /** Uniform in [0, 1), 53 bits. */
  next(): number {
    return ((this.uint32() >>> 5) * 67108864 + (this.uint32() >>> 6)) / 9007199254740992;
  }

  /** Uniform integer in [0, n). */
  int(n: number): number {
    if (!(n >= 1)) throw new RangeError(`Random.int needs n >= 1, found ${n}`);
    return Math.floor(this.next() * n);
  }

  /** Standard normal deviate (polar Box–Muller). */
  normal(): number {
    if (this.#spare !== null) {
      const s = this.#spare;
      this.#spare = null;
      return s;
    }
    let u: number;
    let v: number;
    let s: number;
    do {
      u = 2 * this.next() - 1;
      v = 2 * this.next() - 1;
      s = u * u + v * v;
    } while (s >= 1 || s === 0);
    const m = Math.sqrt((-2 * Math.log(s)) / s);
    this.#spare = v * m;
    return u * m;
  }

  /** One element of a non-empty array. */
  pick<T>(items: readonly T[]): T {
    return items[this.int(items.length)]!;
  }

  /** A shuffled copy (Fisher–Yates). */
  shuffle<T>(items: readonly T[]): T[] {
    const a = items.slice();
    for (let i = a.length - 1; i > 0; i--) {
      const j = this.int(i + 1);
      [a[i], a[j]] = [a[j]!, a[i]!];
    }
    return a;
  }

  /** `k` distinct elements in random order. */
  sample<T>(items: readonly T[], k: number): T[] {
    if (k > items.length) throw new RangeError(`Random.sample asks for ${k} of ${items.length} items`);
    const a = items.slice();
    for (let i = 0; i < k; i++) {
      const j = i + this.int(a.length - i);
      [a[i], a[j]] = [a[j]!, a[i]!];
    }
    return a.slice(0, k);
  }

  /** An independent stream named `label`, without advancing this one: adding a consumer never changes another's numbers. */
  fork(label: string): Random {
    return new Random(`${label}/${this.#a}/${this.#b}/${this.#c}/${this.#d}`);
  }

  get state(): RandomState {
    return { words: [this.#a >>> 0, this.#b >>> 0, this.#c >>> 0, this.#d >>> 0], spare: this.#spare };
  }

  static fromState(state: RandomState): Random {
    const r = new Random(0);
    [r.#a, r.#b, r.#c, r.#d] = state.words;
    r.#spare = state.spare;
    return r;
  }
}

function rotl(x: number, k: number): number {
  return (x << k) | (x >>> (32 - k));
}

/** FNV-1a over UTF-16 code units, then a final mix: a seed, not a checksum. */
function hash32(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    h ^= text.charCodeAt(i);
    h = Math.imul(h, 0x01000193);
  }
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  return (h ^ (h >>> 13)) >>> 0;
}

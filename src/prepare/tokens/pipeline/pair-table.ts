/** A hash table from two non-negative whole numbers to one, in flat arrays: a fraction of a Map's size and time. */
export class PairTable {
  #slots: Int32Array;
  #mask: number;
  #size = 0;

  constructor(expected: number) {
    let capacity = 16;
    while (capacity < expected * 2) capacity *= 2;
    this.#slots = new Int32Array(capacity * 3).fill(-1);
    this.#mask = capacity - 1;
  }

  /** The value of the pair, −1 when there is none. */
  get(a: number, b: number): number {
    const slots = this.#slots;
    for (let i = this.#first(a, b); ; i = (i + 1) & this.#mask) {
      const key = slots[3 * i]!;
      if (key === -1) return -1;
      if (key === a && slots[3 * i + 1] === b) return slots[3 * i + 2]!;
    }
  }

  set(a: number, b: number, value: number): void {
    if (2 * this.#size > this.#mask) this.#grow();
    const slots = this.#slots;
    let i = this.#first(a, b);
    while (slots[3 * i] !== -1 && (slots[3 * i] !== a || slots[3 * i + 1] !== b)) i = (i + 1) & this.#mask;
    if (slots[3 * i] === -1) this.#size++;
    slots[3 * i] = a;
    slots[3 * i + 1] = b;
    slots[3 * i + 2] = value;
  }

  #first(a: number, b: number): number {
    let h = Math.imul(a, 0x9e3779b1) ^ Math.imul(b + 0x7f4a7c15, 0x85ebca6b);
    h ^= h >>> 15;
    return (Math.imul(h, 0x2c1b3c6d) >>> 7) & this.#mask;
  }

  #grow(): void {
    const old = this.#slots;
    const capacity = 2 * (this.#mask + 1);
    this.#slots = new Int32Array(capacity * 3).fill(-1);
    this.#mask = capacity - 1;
    this.#size = 0;
    for (let i = 0; i < old.length; i += 3) if (old[i] !== -1) this.set(old[i]!, old[i + 1]!, old[i + 2]!);
  }
}

/**
 * Best-fit placement: each item into the bin with the least room that still holds it, in O(log capacity) whatever the
 * number of bins. A tree over the capacities counts the bins that have exactly so much room left; bins with equal room are
 * interchangeable and the one filled last is taken.
 */
export class BestFit {
  readonly #capacity: number;
  /** Leaves of the tree; leaf c stands for bins with room c. */
  readonly #leaves: number;
  readonly #count: Int32Array;
  readonly #withRoom: (number[] | undefined)[];
  #bins = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#leaves = 2 ** Math.ceil(Math.log2(capacity + 1));
    this.#count = new Int32Array(2 * this.#leaves);
    this.#withRoom = new Array(capacity + 1);
  }

  /** The bin for an item of this size, from 1 to the capacity; a new one, numbered on, when no other has room. */
  place(size: number): number {
    const room = this.#leastRoom(size);
    const bin = room === undefined ? this.#bins++ : this.#take(room);
    this.#put(bin, (room ?? this.#capacity) - size);
    return bin;
  }

  /** The smallest room ≥ size that a bin has. */
  #leastRoom(size: number): number | undefined {
    let node = this.#leaves + size;
    if (this.#count[node] === 0) {
      // Up until a right sibling holds a bin, then down to its leftmost one.
      while (node > 1 && (node % 2 === 1 || this.#count[node + 1] === 0)) node >>= 1;
      if (node === 1) return undefined;
      node++;
      while (node < this.#leaves) node = this.#count[2 * node]! > 0 ? 2 * node : 2 * node + 1;
    }
    return node - this.#leaves;
  }

  #take(room: number): number {
    this.#add(room, -1);
    return this.#withRoom[room]!.pop()!;
  }

  #put(bin: number, room: number): void {
    this.#add(room, 1);
    this.#withRoom[room] ??= [];
    this.#withRoom[room].push(bin);
  }

  #add(room: number, change: number): void {
    for (let node = this.#leaves + room; node >= 1; node >>= 1) this.#count[node]! += change;
  }
}

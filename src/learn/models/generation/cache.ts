import * as tf from '@tensorflow/tfjs-core';
import { gather, MASKED, writeRows } from '../../../base/ops/index.js';

/** Slots come in blocks of this many, so that shapes change seldom. */
const BLOCK = 64;

/**
 * Keys and values of the tokens seen so far: for every layer two matrices of slots, [rows · keyHeads, capacity, headDim], made
 * ahead of need and written in place. Token t of a row stands in slot t, so rows may have any lengths and there are no
 * gaps; attention works on all slots and a mask hides those behind a row's end. When the slots run out all are copied into
 * half as many more.
 */
export class KeyValueCache {
  readonly #keyHeads: number;
  readonly #expected: number;
  readonly #keys: Slots[] = [];
  readonly #values: Slots[] = [];
  #lengths: number[] = [];
  #capacity = 0;

  /** @param expected tokens a row will have in the end, as far as that is known: no more slots are made before they are needed */
  constructor(keyHeads: number, expected: number = 0) {
    this.#keyHeads = keyHeads;
    this.#expected = expected;
  }

  /** Tokens of every row. */
  get lengths(): readonly number[] {
    return this.#lengths;
  }

  /** Slots of a row. */
  get capacity(): number {
    return this.#capacity;
  }

  /** Make room for new rows behind those there are; then give their keys and values, layer by layer, to {@link fill}. */
  open(lengths: readonly number[]): void {
    this.#reserve(Math.max(...lengths));
    this.#lengths = [...this.#lengths, ...lengths];
  }

  /**
   * Keys and values of the rows that were opened last.
   * @param keys [newRows · keyHeads, time, headDim]; anything finite behind the end of a row
   */
  fill(layer: number, keys: tf.Tensor3D, values: tf.Tensor3D): void {
    this.#put(this.#keys, layer, keys);
    this.#put(this.#values, layer, values);
  }

  /** One more token a row: where it goes, and what it sees. The step's tensors belong to the caller's tidy. */
  step(): CacheStep {
    this.#reserve(Math.max(...this.#lengths) + 1);
    const slots = new Int32Array(this.#lengths.length * this.#keyHeads);
    this.#lengths.forEach((length, row) => {
      for (let head = 0; head < this.#keyHeads; head++) {
        const lane = row * this.#keyHeads + head;
        slots[lane] = lane * this.#capacity + length;
      }
    });
    const positions = this.#lengths;
    this.#lengths = positions.map(length => length + 1);
    const index = tf.tensor1d(slots, 'int32');
    const masks = new Map<string, tf.Tensor>();
    const once = <T extends tf.Tensor>(key: string, make: () => T): T => {
      const found = (masks.get(key) as T | undefined) ?? make();
      masks.set(key, found);
      return found;
    };
    return {
      positions,
      append: (layer, keys, values) => ({
        keys: this.#write(this.#keys, layer, index, keys),
        values: this.#write(this.#values, layer, index, values),
      }),
      slots: layer => ({ keys: this.#keys[layer]!, values: this.#values[layer]! }),
      mask: window => once(`lanes ${window}`, () => this.#laneMask(positions, window)),
      headMask: (heads, window) => once(`heads ${window}`, () => this.#headMask(positions[0]!, heads, window)),
    };
  }

  /** Go on with these rows in this order; a row may come more than once. */
  select(rows: readonly number[]): void {
    if (rows.length === this.#lengths.length && rows.every((row, i) => row === i)) return;
    this.#lengths = rows.map(row => this.#lengths[row]!);
    for (const store of [this.#keys, this.#values])
      store.forEach((before, layer) => {
        store[layer] = slotsOf(() => rowsOf(before.lanes, rows, this.#keyHeads));
        release(before);
      });
  }

  dispose(): void {
    for (const slots of [...this.#keys, ...this.#values]) release(slots);
    this.#keys.length = 0;
    this.#values.length = 0;
  }

  /** At least `needed` slots a row. */
  #reserve(needed: number): void {
    if (needed <= this.#capacity) return;
    const blocks = (slots: number) => Math.ceil(slots / BLOCK) * BLOCK;
    // Attention works on every slot: room for what comes, but not for all of a long answer that may end early.
    const ahead = blocks(Math.max(needed, 1.5 * Math.max(needed, this.#capacity)));
    this.#capacity = Math.max(needed, this.#expected > needed ? Math.min(ahead, this.#expected) : ahead);
    for (const store of [this.#keys, this.#values])
      store.forEach((before, layer) => {
        store[layer] = slotsOf(() => padded(before.lanes, this.#capacity));
        release(before);
      });
  }

  #put(store: Slots[], layer: number, fresh: tf.Tensor3D): void {
    const before = store[layer];
    store[layer] = slotsOf(() => {
      const wide = padded(fresh, this.#capacity);
      return before ? tf.concat([before.lanes, wide], 0) : wide;
    });
    if (before) release(before);
  }

  #write(store: Slots[], layer: number, index: tf.Tensor1D, fresh: tf.Tensor2D): Slots {
    const before = store[layer]!;
    const after = writeRows(before.flat, index, fresh);
    if (!after) return before;
    store[layer] = slotsOf(() => tf.reshape(after, before.lanes.shape));
    release(before);
    return store[layer]!;
  }

  #laneMask(positions: readonly number[], window?: number): tf.Tensor3D {
    const lanes = positions.length * this.#keyHeads;
    const mask = new Float32Array(lanes * this.#capacity).fill(MASKED);
    for (let lane = 0; lane < lanes; lane++) {
      const position = positions[Math.floor(lane / this.#keyHeads)]!;
      mask.fill(0, lane * this.#capacity + first(position, window), lane * this.#capacity + position + 1);
    }
    return tf.tensor3d(mask, [lanes, 1, this.#capacity]);
  }

  #headMask(position: number, heads: number, window?: number): tf.Tensor2D {
    const width = this.#keyHeads * this.#capacity;
    const mask = new Float32Array(heads * width).fill(MASKED);
    for (let head = 0; head < heads; head++) {
      const own = head * width + Math.floor((head * this.#keyHeads) / heads) * this.#capacity;
      mask.fill(0, own + first(position, window), own + position + 1);
    }
    return tf.tensor2d(mask, [heads, width]);
  }
}

/** The first slot that a query at this position sees. */
function first(position: number, window: number = Number.POSITIVE_INFINITY): number {
  return Math.max(0, position - window + 1);
}

/** Keys or values of a layer, the same memory in two shapes. */
export interface Slots {
  /** [rows · keyHeads, capacity, headDim] */
  readonly lanes: tf.Tensor3D;
  /** [rows · keyHeads · capacity, headDim] */
  readonly flat: tf.Tensor2D;
}

function slotsOf(make: () => tf.Tensor3D): Slots {
  const [lanes, flat] = tf.tidy(() => {
    const made = make();
    return [made, tf.reshape(made, [-1, made.shape[2]])];
  }) as [tf.Tensor3D, tf.Tensor2D];
  return { lanes: tf.keep(lanes), flat: tf.keep(flat) };
}

function release({ lanes, flat }: Slots): void {
  tf.dispose([lanes, flat]);
}

/** The cache during one step. */
export interface CacheStep {
  /** Position of the new token in every row. */
  readonly positions: readonly number[];
  /**
   * Write the new token's keys and values, [rows · keyHeads, headDim] each.
   * @returns all slots; they belong to the cache
   */
  append(layer: number, keys: tf.Tensor2D, values: tf.Tensor2D): { keys: Slots; values: Slots };
  /** All slots of a layer, for an op that writes the new token's keys and values itself. */
  slots(layer: number): { keys: Slots; values: Slots };
  /** 0 on the slots the new token may see, a large negative number elsewhere: [rows · keyHeads, 1, capacity]. */
  mask(window?: number): tf.Tensor3D;
  /** For a single row, the same for every head over the slots of all key heads: [heads, keyHeads · capacity]. */
  headMask(heads: number, window?: number): tf.Tensor2D;
}

/** The same with slots of zeros behind, or the very tensor when there are enough. */
function padded(x: tf.Tensor3D, capacity: number): tf.Tensor3D {
  const missing = capacity - x.shape[1];
  return missing > 0
    ? tf.pad(x, [
        [0, 0],
        [0, missing],
        [0, 0],
      ])
    : x.clone();
}

function rowsOf(x: tf.Tensor3D, rows: readonly number[], keyHeads: number): tf.Tensor3D {
  const [, capacity, headDim] = x.shape;
  const wide = tf.reshape(x, [-1, keyHeads * capacity * headDim]) as tf.Tensor2D;
  const chosen = gather(wide, tf.tensor1d([...rows], 'int32'));
  return tf.reshape(chosen, [rows.length * keyHeads, capacity, headDim]) as tf.Tensor3D;
}

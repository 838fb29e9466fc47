import * as tf from '@tensorflow/tfjs-core';
import { batchMatmul, MASKED } from '../../../base/ops/index.js';
import { both, chosen, type KeysValues } from './keys-values.js';

/** Recent slots are put to the settled ones when there are so many. */
const BLOCK = 32;

/**
 * Keys and values of the decoder's own tokens, layer by layer. All rows stand on one line of slots: a step fills the same slot in
 * every row, and a row that came later begins at a later slot. Relative positions see distances alone, so that one bias serves
 * all rows, and a mask hides what is before a row's first slot.
 *
 * The line is kept in two parts, settled and recent: a step copies the recent slots only, not the past.
 */
export class SelfCache {
  readonly #settled: (KeysValues | undefined)[];
  readonly #recent: (KeysValues | undefined)[];
  /** By row, its first slot. */
  #starts: number[] = [];
  #settledTime = 0;
  #recentTime = 0;

  constructor(readonly layers: number) {
    this.#settled = new Array(layers).fill(undefined);
    this.#recent = new Array(layers).fill(undefined);
  }

  /** Slots so far. */
  get time(): number {
    return this.#settledTime + this.#recentTime;
  }

  /** Take rows in behind those there are, with their first token: [rows, heads, 1, headDim] a layer, which become the cache's. */
  admit(rows: number, layers: readonly KeysValues[]): void {
    if (this.#starts.length === 0) this.#recentTime = 1;
    layers.forEach((layer, i) => {
      const settled = this.#settled[i];
      if (settled) this.#settled[i] = both(settled, undefined, x => grown(x, [0, rows], [0, 0]));
      this.#recent[i] = both(layer, this.#recent[i], (added, old) =>
        old ? tf.concat([old, grown(added, [0, 0], [this.#recentTime - 1, 0])], 0) : added,
      );
    });
    for (let row = 0; row < rows; row++) this.#starts.push(this.time - 1);
  }

  /**
   * Attention for one new token a row, which appends its key and value. Call inside a tidy, once a token.
   *
   * @param bias of the new slot against all slots, itself included: [heads, 1, time + 1]
   */
  step(bias: tf.Tensor3D): (q: tf.Tensor2D, k: tf.Tensor2D, v: tf.Tensor2D, layer: number) => tf.Tensor2D {
    if (this.#recentTime >= BLOCK) this.#settle();
    this.#recentTime++;
    const mask = this.#mask();
    return (q, k, v, layer) => {
      const [rows, heads] = [this.#starts.length, bias.shape[0]];
      const split = (x: tf.Tensor2D) => tf.reshape(x, [rows, heads, 1, x.shape[1] / heads]) as tf.Tensor4D;
      const added = { keys: split(k), values: split(v) };
      const before = this.#recent[layer];
      const recent = before ? both(before, added, (old, one) => tf.concat([old, one!], 2)) : both(added, undefined, x => x);
      this.#recent[layer] = recent;
      const settled = this.#settled[layer];
      const parts = settled ? [settled, recent] : [recent];
      const queries = lanes(split(q));
      const found = parts.map(({ keys }) => batchMatmul(queries, lanes(keys), false, true));
      const scores = tf.reshape(found.length > 1 ? tf.concat(found, 2) : found[0]!, [rows, heads, 1, this.time]);
      const biased = tf.add(scores, bias);
      const p = lanes(tf.softmax(mask ? tf.add(biased, mask) : biased) as tf.Tensor4D);
      const first = settled ? this.#settledTime : 0;
      const shares = settled ? tf.split(p, [first, this.#recentTime], 2) : [p];
      const outs = parts.map(({ values }, i) => batchMatmul(shares[i] as tf.Tensor3D, lanes(values)));
      return tf.reshape(outs.length > 1 ? tf.add(outs[0]!, outs[1]!) : outs[0]!, [rows, q.shape[1]]);
    };
  }

  /** Go on with these rows in this order. Slots that none of them has are given up. */
  select(rows: readonly number[]): void {
    if (rows.length === this.#starts.length && rows.every((row, i) => row === i)) return;
    const starts = rows.map(row => this.#starts[row]!);
    if (rows.length === 0) {
      this.dispose();
      return;
    }
    const gone = Math.min(...starts);
    const [settledGone, recentGone] = [Math.min(gone, this.#settledTime), Math.max(0, gone - this.#settledTime)];
    const [settledTime, recentTime] = [this.#settledTime - settledGone, this.#recentTime - recentGone];
    for (let i = 0; i < this.layers; i++) {
      const settled = this.#settled[i];
      if (settled && settledTime === 0) {
        tf.dispose([settled.keys, settled.values]);
        this.#settled[i] = undefined;
      } else if (settled) this.#settled[i] = both(settled, undefined, x => chosen(x, rows, settledGone, settledTime));
      this.#recent[i] = both(this.#recent[i]!, undefined, x => chosen(x, rows, recentGone, recentTime));
    }
    this.#starts = starts.map(start => start - gone);
    this.#settledTime = settledTime;
    this.#recentTime = recentTime;
  }

  /** Free everything; rows can be admitted anew. */
  dispose(): void {
    for (const store of [this.#settled, this.#recent]) {
      for (const layer of store) if (layer) tf.dispose([layer.keys, layer.values]);
      store.fill(undefined);
    }
    this.#starts = [];
    this.#settledTime = 0;
    this.#recentTime = 0;
  }

  #settle(): void {
    this.#recent.forEach((recent, i) => {
      this.#settled[i] = both(recent!, this.#settled[i], (added, old) => (old ? tf.concat([old, added], 2) : added));
      this.#recent[i] = undefined;
    });
    this.#settledTime += this.#recentTime;
    this.#recentTime = 0;
  }

  /** Hides the slots before a row's first: [rows, 1, 1, time]. */
  #mask(): tf.Tensor4D | undefined {
    if (this.#starts.every(start => start === 0)) return undefined;
    const mask = new Float32Array(this.#starts.length * this.time);
    this.#starts.forEach((start, row) => {
      mask.fill(MASKED, row * this.time, row * this.time + start);
    });
    return tf.tensor4d(mask, [this.#starts.length, 1, 1, this.time]);
  }
}

function lanes(x: tf.Tensor4D): tf.Tensor3D {
  const [rows, heads, time, width] = x.shape;
  return tf.reshape(x, [rows * heads, time, width]);
}

/** Zeros before and behind, along rows and along time. */
function grown(x: tf.Tensor4D, rows: [number, number], time: [number, number]): tf.Tensor4D {
  return tf.pad(x, [rows, [0, 0], time, [0, 0]]);
}

import * as tf from '@tensorflow/tfjs-core';
import { gather, MASKED } from '../../../base/ops/index.js';

/** Keys and values of one layer, [rows · heads, time, headDim]. */
export interface KeysValues {
  keys: tf.Tensor3D;
  values: tf.Tensor3D;
}

/**
 * What the decoder of every row looks at in the encoder's output: keys and values of every layer, made once a prompt. Rows that
 * come later may be longer or shorter: all are padded at the end to the longest.
 */
export class CrossCache {
  #layers: KeysValues[] = [];
  #heads = 1;
  #lengths: number[] = [];
  /** Which prompt a row goes on from: rows of one prompt (beams) have equal keys and values. */
  #prompts: number[] = [];
  #admitted = 0;
  #mask: tf.Tensor4D | undefined;

  /** Take rows in behind those there are. The tensors become the cache's. */
  admit(lengths: readonly number[], layers: readonly KeysValues[], heads: number): void {
    const before = this.#layers;
    const time = Math.max(...this.#lengths, ...lengths);
    this.#layers = layers.map((layer, i) => both(layer, before[i], (added, old) => joined(old, added, time)));
    this.#heads = heads;
    this.#lengths.push(...lengths);
    this.#prompts.push(...lengths.map(() => this.#admitted++));
    this.#renewMask();
  }

  /** Go on with these rows in this order. */
  select(rows: readonly number[]): void {
    const prompts = rows.map(row => this.#prompts[row]!);
    // Beams of a prompt that change places leave everything here as it is.
    if (prompts.length === this.#prompts.length && prompts.every((prompt, i) => prompt === this.#prompts[i])) return;
    this.#prompts = prompts;
    this.#lengths = rows.map(row => this.#lengths[row]!);
    const time = Math.max(0, ...this.#lengths);
    this.#layers = this.#layers.map(layer => both(layer, undefined, old => chosen(old, rows, this.#heads, time)));
    this.#renewMask();
  }

  layer(index: number): KeysValues {
    return this.#layers[index]!;
  }

  /** Added to scores: [rows, 1, 1, time]. None where all rows are of one length. */
  get mask(): tf.Tensor4D | undefined {
    return this.#mask;
  }

  dispose(): void {
    for (const { keys, values } of this.#layers) tf.dispose([keys, values]);
    this.#mask?.dispose();
    this.#layers = [];
    this.#lengths = [];
    this.#prompts = [];
    this.#mask = undefined;
  }

  #renewMask(): void {
    this.#mask?.dispose();
    this.#mask = undefined;
    const time = Math.max(0, ...this.#lengths);
    if (this.#lengths.every(n => n === time)) return;
    const mask = new Float32Array(this.#lengths.length * time);
    this.#lengths.forEach((length, row) => {
      mask.fill(MASKED, row * time + length, (row + 1) * time);
    });
    this.#mask = tf.keep(tf.tensor4d(mask, [this.#lengths.length, 1, 1, time]));
  }
}

/** The same for keys and values; what was there before is disposed, the result kept. */
function both(a: KeysValues, b: KeysValues | undefined, change: (a: tf.Tensor3D, b?: tf.Tensor3D) => tf.Tensor3D): KeysValues {
  const of = (part: keyof KeysValues) => {
    const made = tf.keep(tf.tidy(() => tf.clone(change(a[part], b?.[part]))));
    a[part].dispose();
    b?.[part].dispose();
    return made;
  };
  return { keys: of('keys'), values: of('values') };
}

/** Rows put behind others, both padded at the end to one time. */
function joined(old: tf.Tensor3D | undefined, added: tf.Tensor3D, time: number): tf.Tensor3D {
  const padded = (x: tf.Tensor3D): tf.Tensor3D => {
    const end: [number, number] = [0, time - x.shape[1]];
    return end[1] > 0 ? tf.pad(x, [[0, 0], end, [0, 0]]) : x;
  };
  return old ? tf.concat([padded(old), padded(added)], 0) : padded(added);
}

/** These rows, and of them the first tokens. */
function chosen(x: tf.Tensor3D, rows: readonly number[], heads: number, time: number): tf.Tensor3D {
  const [lanes, before, headDim] = x.shape;
  const cut = time < before ? tf.slice(x, [0, 0, 0], [lanes, time, headDim]) : x;
  const wide = tf.reshape(cut, [lanes / heads, heads * time * headDim]) as tf.Tensor2D;
  return tf.reshape(gather(wide, tf.tensor1d(Int32Array.from(rows), 'int32')), [rows.length * heads, time, headDim]);
}

import * as tf from '@tensorflow/tfjs-core';
import { MASKED } from '../../../base/ops/index.js';
import { both, chosen, type KeysValues } from './keys-values.js';

/**
 * What the decoder of every row looks at in the encoder's output: keys and values of every layer, made once a prompt. Rows that
 * come later may be longer or shorter: all are padded at the end to the longest.
 */
export class CrossCache {
  #layers: KeysValues[] = [];
  #lengths: number[] = [];
  /** Which prompt a row goes on from: rows of one prompt (beams) have equal keys and values. */
  #prompts: number[] = [];
  #admitted = 0;
  #mask: tf.Tensor4D | undefined;

  /** Take rows in behind those there are. The tensors become the cache's. */
  admit(lengths: readonly number[], layers: readonly KeysValues[]): void {
    const before = this.#layers;
    const time = Math.max(...this.#lengths, ...lengths);
    this.#layers = layers.map((layer, i) => both(layer, before[i], (added, old) => joined(old, added, time)));
    this.#lengths.push(...lengths);
    this.#prompts.push(...lengths.map(() => this.#admitted++));
    this.#newMask();
  }

  /** Go on with these rows in this order. */
  select(rows: readonly number[]): void {
    const prompts = rows.map(row => this.#prompts[row]!);
    const same = prompts.length === this.#prompts.length && prompts.every((prompt, i) => prompt === this.#prompts[i]);
    // Beams of a prompt changing places leave everything here as it is.
    if (same) return;
    this.#prompts = prompts;
    this.#lengths = rows.map(row => this.#lengths[row]!);
    const time = Math.max(0, ...this.#lengths);
    this.#layers = this.#layers.map(layer => both(layer, undefined, old => chosen(old, rows, 0, time)));
    this.#newMask();
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
    this.#mask = undefined;
  }

  #newMask(): void {
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

/** Rows put behind others, both padded at the end to one time. */
function joined(old: tf.Tensor4D | undefined, added: tf.Tensor4D, time: number): tf.Tensor4D {
  const padded = (x: tf.Tensor4D): tf.Tensor4D => {
    const missing = time - x.shape[2];
    return missing > 0
      ? tf.pad(x, [
          [0, 0],
          [0, 0],
          [0, missing],
          [0, 0],
        ])
      : x;
  };
  return old ? tf.concat([padded(old), padded(added)], 0) : padded(added);
}

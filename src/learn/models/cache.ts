import * as tf from '@tensorflow/tfjs-core';
import { batchMatmul, besideKeys, MASKED, type RaggedLayout, rope, ropeFrequencies, ropeTable } from '../../base/ops/index.js';
import type { DecoderConfig } from './config.js';
import type { Attend } from './decoder.js';

/**
 * Keys and values of the tokens seen so far, [rows · keyHeads, time, headDim] a layer. Prompts of different lengths are
 * padded on the right; new tokens follow behind the longest prompt, and a mask hides the gaps between.
 */
export class KeyValueCache {
  readonly #keys: tf.Tensor3D[] = [];
  readonly #values: tf.Tensor3D[] = [];
  readonly #lengths: number[];
  readonly #promptTime: number;
  /** 0 on the tokens of the prompts, a large negative number in the gaps: [rows · keyHeads, 1, promptTime]. None without gaps. */
  readonly #gaps: tf.Tensor3D | undefined;
  #added = 0;

  constructor(
    readonly config: DecoderConfig,
    lengths: readonly number[],
  ) {
    this.#lengths = lengths.slice();
    this.#promptTime = Math.max(...lengths);
    if (lengths.every(n => n === this.#promptTime)) return;
    const { numKeyValueHeads: heads } = config;
    const gaps = new Float32Array(lengths.length * heads * this.#promptTime);
    lengths.forEach((length, row) => {
      for (let head = 0; head < heads; head++) {
        const first = (row * heads + head) * this.#promptTime;
        gaps.fill(MASKED, first + length, first + this.#promptTime);
      }
    });
    this.#gaps = tf.keep(tf.tensor3d(gaps, [lengths.length * heads, 1, this.#promptTime]));
  }

  /** Take over the keys and values of the prompts. */
  fill(layer: number, keys: tf.Tensor2D, values: tf.Tensor2D, layout: RaggedLayout): void {
    this.#keys[layer] = tf.keep(besideKeys(keys, layout));
    this.#values[layer] = tf.keep(besideKeys(values, layout));
  }

  /** Attention for one new token a row, which appends its key and value. Call inside a tidy, once a token. */
  step(): Attend {
    const { numAttentionHeads: heads, numKeyValueHeads: keyHeads, headDim, ropeTheta } = this.config;
    const rows = this.#lengths.length;
    const group = heads / keyHeads;
    const positions = this.#lengths.map(length => length + this.#added);
    this.#added++;
    const frequencies = ropeFrequencies(headDim, ropeTheta);
    const queryRope = ropeTable(positions, frequencies, heads, headDim ** -0.5);
    const keyRope = ropeTable(positions, frequencies, keyHeads);
    const mask = this.#gaps && tf.concat([this.#gaps, tf.zeros([rows * keyHeads, 1, this.#added])], 2);
    return (q, k, v, layer) => {
      const keys = this.#append(this.#keys, layer, rope(k, keyRope));
      const values = this.#append(this.#values, layer, v);
      const queries = tf.reshape(rope(q, queryRope), [rows * keyHeads, group, headDim]) as tf.Tensor3D;
      const scores = batchMatmul(queries, keys, false, true);
      const p = tf.softmax(mask ? tf.add(scores, mask) : scores) as tf.Tensor3D;
      return tf.reshape(batchMatmul(p, values), [rows, heads * headDim]);
    };
  }

  #append(store: tf.Tensor3D[], layer: number, flat: tf.Tensor2D): tf.Tensor3D {
    const { numKeyValueHeads: keyHeads, headDim } = this.config;
    const before = store[layer]!;
    const grown = tf.keep(tf.concat([before, tf.reshape(flat, [flat.shape[0] * keyHeads, 1, headDim])], 1)) as tf.Tensor3D;
    store[layer] = grown;
    before.dispose();
    return grown;
  }

  dispose(): void {
    tf.dispose([...this.#keys, ...this.#values]);
    this.#gaps?.dispose();
  }
}

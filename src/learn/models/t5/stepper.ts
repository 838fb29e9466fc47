import * as tf from '@tensorflow/tfjs-core';
import { BadInput } from '../../../base/core/index.js';
import { batchMatmul, besideKeysOf, laneLayout, matmul } from '../../../base/ops/index.js';
import { checkDecoderRows, encoderRows } from './batch.js';
import type { T5Config } from './config.js';
import { CrossCache } from './cross-cache.js';
import type { KeysValues } from './keys-values.js';
import { crossKeyValues, DECODER_BIAS, decode, encode } from './network.js';
import { layEncoder } from './pass.js';
import { relativeBias, relativeBuckets } from './relative-position.js';
import type { Weights } from './seam.js';
import { SelfCache } from './self-cache.js';
import { t5HeadName } from './weights.js';

/** What a stepper needs of its model. */
export interface SteppedModel {
  readonly config: T5Config;
  /** Values for a pass without gradients, made inside a tidy. */
  readWeights(): Weights;
}

/**
 * Generation with a T5: a prompt goes through the encoder once, what the decoder's layers look at in it is kept, and the decoder
 * begins with the start token. Every later token is one position of the decoder.
 */
export class T5Stepper {
  readonly #model: SteppedModel;
  readonly #cross: CrossCache = new CrossCache();
  readonly #self: SelfCache;
  #rows = 0;

  constructor(model: SteppedModel) {
    this.#model = model;
    this.#self = new SelfCache(model.config.numDecoderLayers);
  }

  get rows(): number {
    return this.#rows;
  }

  /** Take in prompts for the encoder behind the rows there are; logits of the first token of each: [prompts, vocabSize]. */
  admit(prompts: readonly (readonly number[])[]): tf.Tensor2D {
    const { config } = this.#model;
    const { numAttentionHeads: heads, headDim } = config;
    const { rows } = encoderRows({ ids: prompts.map(row => [...row]) }, config);
    const own: KeysValues[] = [];
    const cross: KeysValues[] = [];
    const kept = (x: tf.Tensor, time: number) => tf.keep(tf.reshape(x, [rows.length, heads, time, headDim])) as tf.Tensor4D;
    const logits = tf.tidy(() => {
      const weights = this.#model.readWeights();
      const laid = layEncoder({ rows }, config);
      const encoded = encode(laid, weights, config);
      // One query a row, its start token.
      const layout = laneLayout(
        rows.map(() => 1),
        rows.map(row => row.length),
        heads,
      );
      const starts = tf.fill([rows.length], config.decoderStartTokenId, 'int32') as tf.Tensor1D;
      const hidden = decode(
        starts,
        weights,
        config,
        (_, k, v) => {
          own.push({ keys: kept(tf.clone(k), 1), values: kept(tf.clone(v), 1) });
          // A token that sees itself alone takes its own value.
          return v;
        },
        (q, layer) => {
          const { k, v } = crossKeyValues(encoded, layer, weights);
          const [keys, values] = [besideKeysOf(k, layout), besideKeysOf(v, layout)];
          cross.push({ keys: kept(keys, layout.keyTime), values: kept(values, layout.keyTime) });
          return attendAcross(q, cross.at(-1)!, layout.mask);
        },
      );
      return head(hidden, weights, config);
    });
    this.#self.admit(rows.length, own);
    this.#cross.admit(
      rows.map(row => row.length),
      cross,
    );
    this.#rows += rows.length;
    return logits;
  }

  /** One more token a row; logits [rows, vocabSize]. */
  advance(tokens: readonly number[]): tf.Tensor2D {
    const { config } = this.#model;
    if (this.#rows === 0) throw new BadInput({ problem: 'There are no rows to go on with', fix: 'admit prompts first' });
    checkDecoderRows(
      tokens.map(token => [token]),
      this.#rows,
      config,
    );
    return tf.tidy(() => {
      const weights = this.#model.readWeights();
      const time = this.#self.time;
      const buckets = relativeBuckets(1, time + 1, config, { bidirectional: false, from: time });
      const bias = relativeBias(weights.get(DECODER_BIAS) as tf.Tensor2D, buckets, 1, time + 1);
      const ids = tf.tensor1d(Int32Array.from(tokens), 'int32');
      const across = (q: tf.Tensor2D, layer: number) => attendAcross(q, this.#cross.layer(layer), this.#cross.mask);
      return head(decode(ids, weights, config, this.#self.step(bias), across), weights, config);
    });
  }

  /** Go on with these rows in this order; a row may come more than once, and rows left out are dropped. */
  select(rows: readonly number[]): void {
    const wrong = rows.find(row => !(Number.isInteger(row) && row >= 0 && row < this.#rows));
    if (wrong !== undefined)
      throw new BadInput({ problem: 'There is no such row', expected: `from 0 to ${this.#rows - 1}`, found: `${wrong}` });
    this.#self.select(rows);
    this.#cross.select(rows);
    this.#rows = rows.length;
  }

  dispose(): void {
    this.#self.dispose();
    this.#cross.dispose();
    this.#rows = 0;
  }
}

/** One query a row against what is kept of its prompt: [rows, heads · headDim]. */
function attendAcross(q: tf.Tensor2D, { keys, values }: KeysValues, mask: tf.Tensor4D | undefined): tf.Tensor2D {
  const [rows, heads, time, width] = keys.shape;
  const lanes = (x: tf.Tensor): tf.Tensor3D => tf.reshape(x, [rows * heads, x.size / (rows * heads * width), width]);
  const scores = batchMatmul(lanes(q), lanes(keys), false, true);
  const seen = mask ? tf.reshape(tf.add(tf.reshape(scores, [rows, heads, 1, time]), mask), scores.shape) : scores;
  return tf.reshape(batchMatmul(tf.softmax(seen) as tf.Tensor3D, lanes(values)), [rows, heads * width]);
}

function head(hidden: tf.Tensor2D, weights: Weights, config: T5Config): tf.Tensor2D {
  return matmul(hidden, weights.get(t5HeadName(config)) as tf.Tensor2D, false, true);
}

import * as tf from '@tensorflow/tfjs-core';
import { BadInput } from '../../../base/core/index.js';
import { batchMatmul, besideKeysOf, laneLayout, matmul } from '../../../base/ops/index.js';
import { type CacheStep, KeyValueCache } from '../generation/cache.js';
import type { Stepper } from '../generation/stepper.js';
import { HEAD, type Weights } from '../reading.js';
import { checkDecoderRows, encoderRows } from './batch.js';
import type { T5Config } from './config.js';
import { CrossCache, type KeysValues } from './cross-cache.js';
import { crossKeyValues, DECODER_BIAS, decode, encode, type StackAttend } from './network.js';
import { layEncoder } from './pass.js';
import { biasAtPositions } from './relative-position.js';

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
export class T5Stepper implements Stepper {
  readonly #model: SteppedModel;
  readonly #cross: CrossCache = new CrossCache();
  readonly #own: KeyValueCache;

  constructor(model: SteppedModel) {
    this.#model = model;
    this.#own = new KeyValueCache(model.config.numAttentionHeads);
  }

  get rows(): number {
    return this.#own.lengths.length;
  }

  admit(prompts: readonly (readonly number[])[]): tf.Tensor2D {
    const { config } = this.#model;
    const { numAttentionHeads: heads, headDim } = config;
    const { rows } = encoderRows({ ids: prompts.map(row => [...row]) }, config);
    const lengths = rows.map(row => row.length);
    const cross: KeysValues[] = [];
    const logits = tf.tidy(() => {
      const weights = this.#model.readWeights();
      const encoded = encode(layEncoder({ rows }, config), weights, config);
      // One query a row, its start token.
      const once = rows.map(() => 1);
      const layout = laneLayout(once, lengths, heads);
      this.#own.open(once);
      const lane = (x: tf.Tensor2D) => tf.reshape(x, [rows.length * heads, 1, headDim]) as tf.Tensor3D;
      const hidden = decode(
        tf.fill([rows.length], config.decoderStartTokenId, 'int32') as tf.Tensor1D,
        weights,
        config,
        (_, k, v, layer) => {
          this.#own.fill(layer, lane(k), lane(v));
          // A token that sees itself alone takes its own value.
          return v;
        },
        (q, layer) => {
          const { k, v } = crossKeyValues(encoded, layer, weights);
          cross.push({ keys: tf.keep(besideKeysOf(k, layout)), values: tf.keep(besideKeysOf(v, layout)) });
          return attendAcross(q, cross.at(-1)!, layout.mask, config);
        },
      );
      return logitsOf(hidden, weights);
    });
    this.#cross.admit(lengths, cross, heads);
    return logits;
  }

  advance(tokens: readonly number[]): tf.Tensor2D {
    const { config } = this.#model;
    if (this.rows === 0) throw new BadInput({ problem: 'There are no rows to go on with', fix: 'admit prompts first' });
    checkDecoderRows(
      tokens.map(token => [token]),
      this.rows,
      config,
    );
    return tf.tidy(() => {
      const weights = this.#model.readWeights();
      const own = attendOwn(this.#own.step(), this.#own.capacity, weights, config);
      const across = (q: tf.Tensor2D, layer: number) => attendAcross(q, this.#cross.layer(layer), this.#cross.mask, config);
      const ids = tf.tensor1d(Int32Array.from(tokens), 'int32');
      return logitsOf(decode(ids, weights, config, own, across), weights);
    });
  }

  select(rows: readonly number[]): void {
    const wrong = rows.find(row => !(Number.isInteger(row) && row >= 0 && row < this.rows));
    if (wrong !== undefined)
      throw new BadInput({ problem: 'There is no such row', expected: `from 0 to ${this.rows - 1}`, found: `${wrong}` });
    this.#own.select(rows);
    this.#cross.select(rows);
  }

  dispose(): void {
    this.#own.dispose();
    this.#cross.dispose();
  }
}

/** One new token a row against the row's earlier ones and itself. */
function attendOwn(step: CacheStep, slots: number, weights: Weights, config: T5Config): StackAttend {
  const rows = step.positions.length;
  const { numAttentionHeads: heads, headDim } = config;
  const bias = biasAtPositions(weights.get(DECODER_BIAS) as tf.Tensor2D, step.positions, slots, config);
  const lane = (x: tf.Tensor2D) => tf.reshape(x, [rows * heads, headDim]) as tf.Tensor2D;
  // Bias and mask in one, [rows · heads, 1, slots]: the same for all layers.
  const mask = tf.reshape(step.mask(), [rows, heads, slots]);
  const seen = tf.reshape(tf.add(mask, bias), [rows * heads, 1, slots]);
  return (q, k, v, layer) => {
    const { keys, values } = step.append(layer, lane(k), lane(v));
    const queries = tf.expandDims(lane(q), 1) as tf.Tensor3D;
    const p = tf.softmax(tf.add(batchMatmul(queries, keys.lanes, false, true), seen)) as tf.Tensor3D;
    return tf.reshape(batchMatmul(p, values.lanes), [rows, heads * headDim]);
  };
}

/** One query a row against what is kept of its prompt: [rows, heads · headDim]. */
function attendAcross(
  q: tf.Tensor2D,
  { keys, values }: KeysValues,
  mask: tf.Tensor4D | undefined,
  { numAttentionHeads: heads, headDim }: T5Config,
): tf.Tensor2D {
  const [rows, time] = [q.shape[0], keys.shape[1]];
  const scores = batchMatmul(tf.reshape(q, [rows * heads, 1, headDim]), keys, false, true);
  const seen = mask ? tf.reshape(tf.add(tf.reshape(scores, [rows, heads, 1, time]), mask), scores.shape) : scores;
  return tf.reshape(batchMatmul(tf.softmax(seen) as tf.Tensor3D, values), [rows, heads * headDim]);
}

function logitsOf(hidden: tf.Tensor2D, weights: Weights): tf.Tensor2D {
  return matmul(hidden, weights.get(HEAD) as tf.Tensor2D, false, true);
}

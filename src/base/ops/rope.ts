import * as tf from '@tensorflow/tfjs-core';
import { native } from '../backend/index.js';
import { fused } from './fused.js';
import { gather } from './gather.js';
import { matmul } from './matmul.js';

/**
 * Angles of the rotary embedding for the tokens of a pass, spread over heads so that no op has to broadcast. Like a
 * layout it must live until the gradients have run.
 */
export interface RopeTable {
  readonly heads: number;
  /** cos and sin of [tokens · heads, headDim]; sin carries the sign of the half it multiplies. */
  readonly cos: tf.Tensor2D;
  readonly sin: tf.Tensor2D;
  /**
   * What swaps the two halves of every head: an index [tokens · heads · 2] for {@link gather}, or, where a product is the
   * faster way, the permutation matrix [headDim, headDim].
   */
  readonly swap: tf.Tensor;
  dispose(): void;
}

/**
 * Angles position · frequency_j for j < headDim/2 (Su et al. 2021).
 *
 * @param positions position of every token in its row
 * @param frequencies radians per position, half as many as a head has turned dimensions; {@link ropeFrequencies}
 * @param scale factor of the whole result: 1/√headDim for queries saves attention a pass of its own
 * @param options `headDim`: where it is more than twice the frequencies, the rest of a head passes through unturned;
 * `turnedScale`: a further factor of the turned part (yarn, longrope)
 */
export function ropeTable(
  positions: ArrayLike<number>,
  frequencies: ArrayLike<number>,
  heads: number,
  scale: number = 1,
  options: { headDim?: number; turnedScale?: number } = {},
): RopeTable {
  const half = frequencies.length;
  const count = positions.length;
  const { headDim: width = half * 2, turnedScale = 1 } = options;
  const cos = new Float32Array(count * heads * width);
  const sin = new Float32Array(cos.length);
  const factor = scale * turnedScale;
  for (let t = 0; t < count; t++) {
    const first = t * heads * width;
    for (let j = 0; j < half; j++) {
      // The product is rounded to float32 first, as every float32 implementation of rope does.
      const angle = Math.fround(positions[t]! * Math.fround(frequencies[j]!));
      cos[first + j] = cos[first + half + j] = factor * Math.cos(angle);
      const s = factor * Math.sin(angle);
      sin[first + j] = -s;
      sin[first + half + j] = s;
    }
    cos.fill(scale, first + 2 * half, first + width);
    for (let head = 1; head < heads; head++) {
      cos.copyWithin(first + head * width, first, first + width);
      sin.copyWithin(first + head * width, first, first + width);
    }
  }
  const table = {
    heads,
    cos: tf.tensor2d(cos, [count * heads, width]),
    sin: tf.tensor2d(sin, [count * heads, width]),
    swap: swapper(count * heads, half * 2, width),
  };
  return { ...table, dispose: () => tf.dispose([table.cos, table.sin, table.swap]) };
}

/** θ^(−2j/headDim) for j < headDim/2. */
export function ropeFrequencies(headDim: number, theta: number): Float32Array {
  return Float32Array.from({ length: headDim / 2 }, (_, j) => theta ** ((-2 * j) / headDim));
}

/**
 * Rotary position embedding in Hugging Face's half-split layout: with x = [a, b] per head,
 * y = [a · cos − b · sin, b · cos + a · sin], that is y = x ∘ C + swap(x) ∘ S with S = [−sin, sin].
 *
 * Gradient: the rotation back, dx = dy ∘ C + swap(dy ∘ S).
 *
 * @param x [tokens, heads · headDim]
 */
export function rope(x: tf.Tensor2D, table: RopeTable): tf.Tensor2D {
  const { shape } = x;
  const heads = table.cos.shape;
  return fused<tf.Tensor2D>([x], () => {
    const flat = tf.reshape(x, heads);
    const turned = tf.add(tf.mul(flat, table.cos), tf.mul(swapHalves(flat, table), table.sin));
    return {
      value: tf.reshape(turned, shape),
      gradient: dy => {
        const flat = tf.reshape(dy, heads);
        const dx = tf.add(tf.mul(flat, table.cos), swapHalves(tf.mul(flat, table.sin), table));
        return [tf.reshape(dx, shape)];
      },
    };
  });
}

function swapHalves(x: tf.Tensor, { swap }: RopeTable): tf.Tensor {
  if (swap.rank === 2) return matmul(x as tf.Tensor2D, swap as tf.Tensor2D);
  return tf.reshape(gather(tf.reshape(x, [-1, x.shape[1]! / 2]), swap as tf.Tensor1D), x.shape);
}

function swapper(rows: number, turned: number, width: number): tf.Tensor {
  const door = native();
  // On a CPU TensorFlow's product with a small permutation matrix is six times as fast as its gather of half heads, and as
  // exact. Not on a GPU, whose products may round to fewer bits.
  if (turned === width && (!door || door.gpu))
    return tf.tensor1d(
      Int32Array.from({ length: rows * 2 }, (_, i) => i ^ 1),
      'int32',
    );
  const matrix = new Float32Array(width * width);
  for (let i = 0; i < width; i++) matrix[i * width + (i < turned ? (i + turned / 2) % turned : i)] = 1;
  return tf.tensor2d(matrix, [width, width]);
}

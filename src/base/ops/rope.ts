import * as tf from '@tensorflow/tfjs-core';
import { fused } from './fused.js';

/**
 * Angles of the rotary embedding for the tokens of a pass, spread over heads so that no op has to broadcast. Like a
 * layout it must live until the gradients have run.
 */
export interface RopeTable {
  readonly heads: number;
  /** cos and sin of [tokens · heads, headDim]; sin carries the sign of the half it multiplies. */
  readonly cos: tf.Tensor2D;
  readonly sin: tf.Tensor2D;
  /** Index that swaps the two halves of every head: [tokens · heads · 2]. */
  readonly swap: tf.Tensor1D;
  dispose(): void;
}

/**
 * Angles position · frequency_j for j < headDim/2 (Su et al. 2021).
 *
 * @param positions position of every token in its row
 * @param frequencies radians per position, headDim/2 of them; {@link ropeFrequencies}
 */
export function ropeTable(positions: ArrayLike<number>, frequencies: ArrayLike<number>, heads: number): RopeTable {
  const half = frequencies.length;
  const count = positions.length;
  const cos = new Float32Array(count * heads * half * 2);
  const sin = new Float32Array(cos.length);
  const width = half * 2;
  for (let t = 0; t < count; t++) {
    const first = t * heads * width;
    for (let j = 0; j < half; j++) {
      // The product is rounded to float32 first, as every float32 implementation of rope does.
      const angle = Math.fround(positions[t]! * Math.fround(frequencies[j]!));
      cos[first + j] = cos[first + half + j] = Math.cos(angle);
      const s = Math.sin(angle);
      sin[first + j] = -s;
      sin[first + half + j] = s;
    }
    for (let head = 1; head < heads; head++) {
      cos.copyWithin(first + head * width, first, first + width);
      sin.copyWithin(first + head * width, first, first + width);
    }
  }
  const swap = new Int32Array(count * heads * 2);
  for (let i = 0; i < swap.length; i++) swap[i] = i ^ 1;
  const table = {
    heads,
    cos: tf.tensor2d(cos, [count * heads, width]),
    sin: tf.tensor2d(sin, [count * heads, width]),
    swap: tf.tensor1d(swap, 'int32'),
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

function swapHalves(x: tf.Tensor, table: RopeTable): tf.Tensor {
  return tf.reshape(tf.gather(tf.reshape(x, [-1, x.shape[1]! / 2]), table.swap), x.shape);
}

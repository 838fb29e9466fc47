import * as tf from '@tensorflow/tfjs-core';
import { native } from '../backend/index.js';
import { fused } from './fused.js';
import { gather } from './gather.js';
import { matmul } from './matmul.js';
import { ropeFused } from './native/fused.js';

/**
 * Angles of the rotary embedding for the tokens of a pass, spread over heads so that no op has to broadcast. Like a
 * layout it must live until the gradients have run.
 */
export interface RopeTable {
  readonly heads: number;
  /**
   * cos and sin of [tokens · heads, headDim]; sin carries the sign of the half it multiplies. For the fused kernel
   * [tokens, turned/2], without signs.
   */
  readonly cos: tf.Tensor2D;
  readonly sin: tf.Tensor2D;
  /** Factor of what is not turned. */
  readonly pass: number;
  /**
   * What swaps the two halves of every head: an index [tokens · heads · 2] for {@link gather}, or, where a product is the
   * faster way, the permutation matrix [headDim, headDim]. Undefined for the fused kernel.
   */
  readonly swap: tf.Tensor | undefined;
  dispose(): void;
}

/**
 * Angles position · frequency_j for j < headDim/2 (Su et al. 2021).
 *
 * @param positions position of every token in its row
 * @param frequencies radians per position, half as many as a head has turned dimensions, e.g. θ^(−2j/headDim)
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
  const { cos, sin } = angles(positions, frequencies, scale * turnedScale);
  const compact = native()?.fused ?? false;
  const shape: [number, number] = compact ? [count, half] : [count * heads, width];
  const table = {
    heads,
    pass: scale,
    cos: tf.tensor2d(compact ? cos : spread(cos, half, width, heads, { sign: 1, rest: scale }), shape),
    sin: tf.tensor2d(compact ? sin : spread(sin, half, width, heads, { sign: -1, rest: 0 }), shape),
    swap: compact ? undefined : swapper(count * heads, half * 2, width),
  };
  return {
    ...table,
    dispose() {
      tf.dispose([table.cos, table.sin]);
      table.swap?.dispose();
    },
  };
}

/** factor · cos and factor · sin of every position's angles, [positions, frequencies]. */
function angles(
  positions: ArrayLike<number>,
  frequencies: ArrayLike<number>,
  factor: number,
): { cos: Float32Array; sin: Float32Array } {
  const half = frequencies.length;
  const cos = new Float32Array(positions.length * half);
  const sin = new Float32Array(cos.length);
  for (let t = 0, i = 0; t < positions.length; t++) {
    for (let j = 0; j < half; j++, i++) {
      // The product is rounded to float32 first, as every float32 implementation of rope does.
      const angle = Math.fround(positions[t]! * Math.fround(frequencies[j]!));
      cos[i] = factor * Math.cos(angle);
      sin[i] = factor * Math.sin(angle);
    }
  }
  return { cos, sin };
}

/** A table for both halves of every head, the first with a sign; `rest` is for what is not turned. */
function spread(
  values: Float32Array,
  half: number,
  width: number,
  heads: number,
  { sign, rest }: { sign: number; rest: number },
): Float32Array {
  const count = values.length / half;
  const out = new Float32Array(count * heads * width).fill(rest);
  for (let t = 0; t < count; t++) {
    const first = t * heads * width;
    for (let j = 0; j < half; j++) {
      out[first + j] = sign * values[t * half + j]!;
      out[first + half + j] = values[t * half + j]!;
    }
    for (let head = 1; head < heads; head++) out.copyWithin(first + head * width, first, first + width);
  }
  return out;
}

/**
 * The rotation to one position as a matrix, so that x · R is what {@link rope} makes of every head of x: for tokens that stand
 * at the same position.
 *
 * @returns [headDim, headDim]
 */
export function rotation(
  position: number,
  frequencies: ArrayLike<number>,
  scale: number = 1,
  options: { headDim?: number; turnedScale?: number } = {},
): tf.Tensor2D {
  const half = frequencies.length;
  const { headDim: width = half * 2, turnedScale = 1 } = options;
  const factor = scale * turnedScale;
  const matrix = new Float32Array(width * width);
  for (let j = 0; j < half; j++) {
    const angle = Math.fround(position * Math.fround(frequencies[j]!));
    const [a, b] = [j, j + half];
    matrix[a * width + a] = matrix[b * width + b] = factor * Math.cos(angle);
    matrix[a * width + b] = factor * Math.sin(angle);
    matrix[b * width + a] = -factor * Math.sin(angle);
  }
  for (let i = 2 * half; i < width; i++) matrix[i * width + i] = scale;
  return tf.tensor2d(matrix, [width, width]);
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
  const { cos, sin, swap, heads, pass } = table;
  if (!swap) {
    const door = native()!;
    return fused<tf.Tensor2D>([x], () => ({
      value: ropeFused(door, x, cos, sin, { heads, back: false, pass }),
      gradient: dy => [ropeFused(door, dy, cos, sin, { heads, back: true, pass })],
    }));
  }
  return fused<tf.Tensor2D>([x], () => {
    const flat = tf.reshape(x, cos.shape);
    const turned = tf.add(tf.mul(flat, cos), tf.mul(swapHalves(flat, swap), sin));
    return {
      value: tf.reshape(turned, shape),
      gradient: dy => {
        const flat = tf.reshape(dy, cos.shape);
        const dx = tf.add(tf.mul(flat, cos), swapHalves(tf.mul(flat, sin), swap));
        return [tf.reshape(dx, shape)];
      },
    };
  });
}

function swapHalves(x: tf.Tensor, swap: tf.Tensor): tf.Tensor {
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

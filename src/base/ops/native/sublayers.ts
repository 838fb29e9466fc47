import type * as tf from '@tensorflow/tfjs-core';
import type { NativeOps, OpAttr } from '../../backend/index.js';
import { type AttentionShape, type FusedUnit, UNITS } from './fused.js';

/** The norm before a sub-layer: by root mean square, with weight + offset. */
export interface SublayerNorm {
  epsilon: number;
  offset: number;
}

/** How {@link selfAttentionFused} works. */
export interface SelfAttentionParts extends AttentionShape, SublayerNorm {
  /** Factors of what is not turned of queries and keys. */
  pass: readonly [number, number];
}

/** How {@link feedForwardFused} works. */
export interface FeedForwardParts extends SublayerNorm {
  unit: FusedUnit;
}

/**
 * Half of a decoder's layer in one call (backend/fused/sublayers.h). Not seen by the gradient tape.
 * @param inputs x, weights of norm, query, key, value and output, cosines and sines of queries and of keys, starts of the rows, and the
 * tokens that go on (none: all)
 * @returns y, and what the gradient needs of the way there
 */
export function selfAttentionFused(door: NativeOps, inputs: tf.Tensor[], parts: SelfAttentionParts): tf.Tensor[] {
  return door.executeMany('TunebookSelfAttention', attentionAttrs(door, parts, []), inputs, 7);
}

/**
 * Its gradient: dx, and those of the weights that are `wanted`, in their order.
 * @param inputs dy, the inputs as above, what was made beside y
 */
export function selfAttentionGradFused(
  door: NativeOps,
  inputs: tf.Tensor[],
  parts: SelfAttentionParts,
  wanted: readonly boolean[],
): tf.Tensor[] {
  return chosen(door.executeMany('TunebookSelfAttentionGrad', attentionAttrs(door, parts, wanted), inputs, 6), wanted);
}

/**
 * The other half.
 * @param inputs x, weights of norm, gate, up and down
 * @returns y, and what the gradient needs of the way there
 */
export function feedForwardFused(door: NativeOps, inputs: tf.Tensor[], parts: FeedForwardParts): tf.Tensor[] {
  return door.executeMany('TunebookFeedForward', feedAttrs(door, parts, []), inputs, 4);
}

/** Its gradient, as {@link selfAttentionGradFused}. */
export function feedForwardGradFused(
  door: NativeOps,
  inputs: tf.Tensor[],
  parts: FeedForwardParts,
  wanted: readonly boolean[],
): tf.Tensor[] {
  return chosen(door.executeMany('TunebookFeedForwardGrad', feedAttrs(door, parts, wanted), inputs, 5), wanted);
}

function attentionAttrs({ attr }: NativeOps, parts: SelfAttentionParts, wanted: readonly boolean[]): OpAttr[] {
  return [
    attr.float('eps', parts.epsilon),
    attr.float('offset', parts.offset),
    attr.float('pass_query', parts.pass[0]),
    attr.float('pass_key', parts.pass[1]),
    attr.int('heads', parts.heads),
    attr.int('key_heads', parts.keyHeads),
    attr.int('window', parts.window),
    attr.int('wanted', bits(wanted)),
  ];
}

function feedAttrs({ attr }: NativeOps, parts: FeedForwardParts, wanted: readonly boolean[]): OpAttr[] {
  return [
    attr.float('eps', parts.epsilon),
    attr.float('offset', parts.offset),
    attr.int('kind', UNITS[parts.unit]),
    attr.int('wanted', bits(wanted)),
  ];
}

function bits(flags: readonly boolean[]): number {
  return flags.reduce((sum, flag, i) => sum + (flag ? 1 << i : 0), 0);
}

/** dx and the gradients that were wanted; the others are empty tensors, and are disposed. */
function chosen([dx, ...rest]: tf.Tensor[], wanted: readonly boolean[]): tf.Tensor[] {
  rest.forEach((gradient, i) => {
    if (!wanted[i]) gradient.dispose();
  });
  return [dx!, ...rest.filter((_, i) => wanted[i])];
}

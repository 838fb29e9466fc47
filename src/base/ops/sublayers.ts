import * as tf from '@tensorflow/tfjs-core';
import { type NativeOps, native } from '../backend/index.js';
import { fused } from './fused.js';
import { isFusedUnit } from './native/fused.js';
import { FEW_ROWS } from './native/kernels.js';
import {
  feedForwardFused,
  feedForwardGradFused,
  type SelfAttentionParts,
  type SublayerNorm,
  selfAttentionFused,
  selfAttentionGradFused,
} from './native/sublayers.js';
import type { Nonlinearity } from './nonlinearity.js';
import type { RaggedLayout } from './ragged.js';
import type { RopeTable } from './rope.js';

/** A weight of a sub-layer. */
export interface SublayerWeight {
  value: tf.Tensor;
  /** A constant: no gradient is computed. */
  frozen: boolean;
}

/** What {@link SublayerOps.attention} is told beside the rows. */
export interface SelfAttention extends SublayerNorm {
  /** [width]. */
  norm: SublayerWeight;
  /** [heads · headDim, width]; of keys and values as many rows as key heads have. */
  query: SublayerWeight;
  key: SublayerWeight;
  value: SublayerWeight;
  /** [width, heads · headDim]. */
  output: SublayerWeight;
  /** Rotations; those of the queries carry the scale of the scores. */
  rope: { query: RopeTable; key: RopeTable };
  layout: RaggedLayout;
  window?: number;
  /** int32, the tokens that go on to the residual stream; all without it. */
  keep?: tf.Tensor1D;
}

/** What {@link SublayerOps.feedForward} is told beside the rows. */
export interface FeedForward extends SublayerNorm {
  /** [width]. */
  norm: SublayerWeight;
  /** [inner, width]. */
  gate: SublayerWeight;
  up: SublayerWeight;
  /** [width, inner]. */
  down: SublayerWeight;
  activation: Nonlinearity;
}

/**
 * The two halves of a decoder's layer as Llama has them, each one call forward and one backward, differentiable. What is cheap to
 * compute again is not kept for the gradient: normed rows, the unit's output. Weights, tables and layout must live until the gradients
 * have run.
 */
export interface SublayerOps {
  /** y = x + attention(rope(norm(x) · [Wq Wk Wv]ᵀ)) · Woᵀ of the tokens that go on; see `rmsNorm`, `rope`, `causalAttention`. */
  attention(x: tf.Tensor2D, parts: SelfAttention): tf.Tensor2D;
  /** y = x + (f(h · Wgᵀ) ∘ (h · Wuᵀ)) · Wdᵀ, h = norm(x); see `rmsNorm`, `gatedUnit`. */
  feedForward(x: tf.Tensor2D, parts: FeedForward): tf.Tensor2D;
  hasUnit(kind: Nonlinearity): boolean;
}

/** Ops for this many rows; undefined where they are so few that other kernels are the faster ones, or the fused ones are not in use. */
export function sublayerOps(rows: number): SublayerOps | undefined {
  const door = native();
  if (!door?.fused || rows <= FEW_ROWS) return undefined;
  return {
    attention: (x, parts) => selfAttention(door, x, parts),
    feedForward: (x, parts) => feedForward(door, x, parts),
    hasUnit: isFusedUnit,
  };
}

function selfAttention(door: NativeOps, x: tf.Tensor2D, given: SelfAttention): tf.Tensor2D {
  const { norm, query, key, value, output, rope, layout, window, keep } = given;
  const weights = [norm, query, key, value, output];
  const { heads, keyHeads, starts, time } = layout;
  const parts: SelfAttentionParts = {
    heads,
    keyHeads,
    // A window as long as the longest row hides nothing.
    window: window === undefined || window >= time ? 0 : window,
    epsilon: given.epsilon,
    offset: given.offset,
    pass: [rope.query.pass, rope.key.pass],
  };
  const matrices = weights.map(({ value }) => value);
  const tables = [rope.query.cos, rope.query.sin, rope.key.cos, rope.key.sin, starts];
  const inputs = (x: tf.Tensor) => [x, ...matrices, ...tables, keep ?? tf.tensor1d([], 'int32')];
  return fused<tf.Tensor2D>([x, ...learnt(weights)], save => {
    const [y, ...made] = selfAttentionFused(door, inputs(x), parts);
    save(x, ...made);
    return {
      value: y as tf.Tensor2D,
      gradient: (dy, [x, ...made]) => selfAttentionGradFused(door, [dy, ...inputs(x!), ...made], parts, wanted(weights)),
    };
  });
}

function feedForward(door: NativeOps, x: tf.Tensor2D, given: FeedForward): tf.Tensor2D {
  const { norm, gate, up, down, activation, epsilon, offset } = given;
  if (!isFusedUnit(activation)) throw new Error(`the fused kernels have no unit "${activation}"`);
  const weights = [norm, gate, up, down];
  const matrices = weights.map(({ value }) => value);
  const parts = { unit: activation, epsilon, offset };
  return fused<tf.Tensor2D>([x, ...learnt(weights)], save => {
    const [y, ...made] = feedForwardFused(door, [x, ...matrices], parts);
    save(x, ...made);
    return {
      value: y as tf.Tensor2D,
      gradient: (dy, [x, ...made]) => feedForwardGradFused(door, [dy, x!, ...matrices, ...made], parts, wanted(weights)),
    };
  });
}

const wanted = (weights: readonly SublayerWeight[]) => weights.map(({ frozen }) => !frozen);
const learnt = (weights: readonly SublayerWeight[]) => weights.filter(({ frozen }) => !frozen).map(({ value }) => value);

import type * as tf from '@tensorflow/tfjs-core';
import { native } from '../backend/index.js';
import {
  type AttentionStepParts,
  attentionStepFused,
  type FusedUnit,
  isFusedUnit,
  type ProductParts,
  productsFused,
} from './native/fused.js';
import { FEW_ROWS } from './native/kernels.js';
import type { Nonlinearity } from './nonlinearity.js';

export type { AttentionStepParts, FusedUnit, ProductParts };

/**
 * What a decoder's layer does to few rows, a new token each, in few calls: with one row a call costs as much as the work of many
 * an op. Nothing is differentiable.
 */
export interface FewRowsOps {
  /**
   * y = residual + f(norm(x) · [W₁ … Wₙ]ᵀ + b), every part but the products at will.
   * @param x [rows, in]
   * @returns [rows, columns of all matrices], or half as many columns where the unit is gated
   */
  products(x: tf.Tensor2D, parts: ProductParts): tf.Tensor2D;
  /**
   * Attention of every row's new token to the keys and values of its row. Writes the new ones in place: every tensor that shares
   * the data of `keys` and `values` changes with them.
   * @param projections queries, keys and values beside each other, [rows, (heads + 2 · keyHeads) · headDim]
   * @param keys [rows · keyHeads, slots, headDim]
   * @param values [rows · keyHeads, slots, headDim]
   * @param positions slot of every row's new token: int32 [rows]
   * @returns [rows, heads · headDim]
   */
  attention(
    projections: tf.Tensor2D,
    keys: tf.Tensor3D,
    values: tf.Tensor3D,
    positions: tf.Tensor1D,
    parts: AttentionStepParts,
  ): tf.Tensor2D;
  /** Whether {@link products} has this unit. */
  hasUnit(kind: Nonlinearity): kind is FusedUnit;
}

/** Ops for this many rows; undefined where they are too many, or the fused kernels are not in use. */
export function fewRowsOps(rows: number): FewRowsOps | undefined {
  const door = native();
  if (!door?.fused || rows > FEW_ROWS) return undefined;
  return {
    products: (x, parts) => productsFused(door, x, parts),
    attention: (projections, keys, values, positions, parts) =>
      attentionStepFused(door, projections, keys, values, positions, parts),
    hasUnit: isFusedUnit as FewRowsOps['hasUnit'],
  };
}

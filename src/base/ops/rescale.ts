import * as tf from '@tensorflow/tfjs-core';
import { fused } from './fused.js';

/** What {@link rescale} may be told beyond the factors. */
export interface RescaleOptions {
  /**
   * n, what the magnitudes are relative to, [width]: computed when asked and never differentiated, as DoRA wants it (Liu et
   * al. 2024, section 4.3). Ones where absent.
   */
  norm?: () => tf.Tensor1D;
  /** c, what is not rescaled, e.g. a bias: [width]. */
  constant?: tf.Tensor1D;
  /** Whether c is differentiated too; it is a frozen weight otherwise. Default false. */
  learnt?: boolean;
  /** Rescale rows instead of columns; `magnitude` and `norm` are then [rows]. */
  rows?: boolean;
}

/**
 * Columns of a matrix rescaled by learnt factors (IA³, Liu et al. 2022; DoRA): z = (y − c) ∘ m/n + c.
 *
 * Gradient: dy = dz ∘ m/n, dm = Σ_rows dz ∘ (y − c) / n, dc = Σ_rows dz ∘ (1 − m/n).
 *
 * @param y [rows, width]
 * @param magnitude m, [width]
 */
export function rescale(y: tf.Tensor2D, magnitude: tf.Tensor1D, options: RescaleOptions = {}): tf.Tensor2D {
  const { norm, constant, learnt = false, rows = false } = options;
  const along = (factor: tf.Tensor) => (rows ? tf.expandDims(factor, 1) : factor);
  return fused<tf.Tensor2D>(constant && learnt ? [y, magnitude, constant] : [y, magnitude], save => {
    const n = norm?.();
    const factor = n ? tf.div(magnitude, n) : magnitude;
    const inner = constant ? tf.sub(y, constant) : y;
    const scaled = tf.mul(inner, along(factor)) as tf.Tensor2D;
    if (n) save(inner, factor, n);
    else save(inner, factor);
    return {
      value: constant ? tf.add(scaled, constant) : scaled,
      gradient: (dz, [inner, factor, n]) => {
        const paid = tf.sum(tf.mul(dz, inner!), rows ? 1 : 0);
        const gradients = [tf.mul(dz, along(factor!)), n ? tf.div(paid, n) : paid];
        return constant && learnt ? [...gradients, tf.mul(tf.sum(dz, 0), tf.sub(1, factor!))] : gradients;
      },
    };
  });
}

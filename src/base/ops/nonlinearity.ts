import * as tf from '@tensorflow/tfjs-core';
import { type NativeOps, native } from '../backend/index.js';
import { fused } from './fused.js';
import { type FusedUnit, isFusedUnit, unitFused, unitGradFused } from './native/fused.js';
import { swiglu } from './swiglu.js';

/**
 * Nonlinearities of feed-forward blocks: `relu`; `gelu`, x · Φ(x) with the error function; `gelu_new`, its approximation by tanh
 * (Hendrycks & Gimpel 2016); `silu`, x · σ(x); `quick_gelu`, x · σ(1.702 x); `tanh`; `linear`, x itself.
 */
export type Nonlinearity = 'relu' | 'gelu' | 'gelu_new' | 'silu' | 'quick_gelu' | 'tanh' | 'linear';

/** f(x) element by element. Gradient: dx = dy ∘ f′(x). */
export function nonlinear(x: tf.Tensor2D, kind: Nonlinearity): tf.Tensor2D {
  const door = native();
  if (door?.fused && isFusedUnit(kind)) return unitByKernel(door, kind, [x]);
  return fused<tf.Tensor2D>([x], save => {
    save(x);
    return { value: FUNCTIONS[kind].value(x), gradient: (dy, [x]) => [tf.mul(dy, FUNCTIONS[kind].slope(x as tf.Tensor2D))] };
  });
}

/**
 * A gated unit (Shazeer 2020): y = f(gate) ∘ up. Both inputs have the same shape.
 *
 * Gradient: dgate = dy ∘ up ∘ f′(gate), dup = dy ∘ f(gate).
 */
export function gatedUnit(gate: tf.Tensor2D, up: tf.Tensor2D, kind: Nonlinearity): tf.Tensor2D {
  const door = native();
  if (door?.fused && isFusedUnit(kind)) return unitByKernel(door, kind, [gate, up]);
  if (kind === 'silu') return swiglu(gate, up);
  return fused<tf.Tensor2D>([gate, up], save => {
    const value = FUNCTIONS[kind].value(gate);
    save(gate, up, value);
    return {
      value: tf.mul(value, up) as tf.Tensor2D,
      gradient: (dy, [gate, up, value]) => [
        tf.mul(tf.mul(dy, up!), FUNCTIONS[kind].slope(gate as tf.Tensor2D)),
        tf.mul(dy, value!),
      ],
    };
  });
}

function unitByKernel(door: NativeOps, kind: FusedUnit, inputs: tf.Tensor2D[]): tf.Tensor2D {
  return fused<tf.Tensor2D>(inputs, save => {
    save(...inputs);
    return { value: unitFused(door, kind, inputs), gradient: (dy, saved) => unitGradFused(door, kind, dy, saved) };
  });
}

/** √(2/π) and the cubic's factor of the approximation. */
const ROOT = Math.sqrt(2 / Math.PI);
const CUBIC = 0.044715;
/** Steepness of quick_gelu's sigmoid. */
const QUICK = 1.702;

const FUNCTIONS: Record<Nonlinearity, { value: (x: tf.Tensor2D) => tf.Tensor2D; slope: (x: tf.Tensor2D) => tf.Tensor2D }> = {
  relu: { value: x => tf.relu(x), slope: x => tf.step(x) },
  gelu: {
    value: x => tf.mul(x, normalCdf(x)),
    // Φ(x) + x · φ(x)
    slope: x => tf.add(normalCdf(x), tf.mul(x, tf.mul(tf.exp(tf.mul(tf.square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI)))),
  },
  gelu_new: {
    value: x => tf.mul(x, halfTanh(x)),
    // With h = ½(1 + tanh u): h + x · 2h(1 − h) · u′, u′ = √(2/π) · (1 + 3c·x²).
    slope: x => {
      const h = halfTanh(x);
      const inner = tf.add(tf.mul(tf.square(x), 6 * CUBIC * ROOT), 2 * ROOT);
      return tf.add(h, tf.mul(tf.mul(x, inner), tf.sub(h, tf.square(h))));
    },
  },
  silu: {
    value: x => tf.mul(x, tf.sigmoid(x)),
    slope: x => {
      const s = tf.sigmoid(x);
      return tf.add(s, tf.mul(x, tf.sub(s, tf.square(s))));
    },
  },
  quick_gelu: {
    value: x => tf.mul(x, tf.sigmoid(tf.mul(x, QUICK))),
    slope: x => {
      const s = tf.sigmoid(tf.mul(x, QUICK));
      return tf.add(s, tf.mul(tf.mul(x, QUICK), tf.sub(s, tf.square(s))));
    },
  },
  tanh: { value: x => tf.tanh(x), slope: x => tf.sub(1, tf.square(tf.tanh(x))) },
  linear: { value: x => tf.clone(x), slope: x => tf.onesLike(x) },
};

/** Φ(x) = ½(1 + erf(x/√2)). */
function normalCdf(x: tf.Tensor2D): tf.Tensor2D {
  return tf.mul(tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1), 0.5);
}

/** ½(1 + tanh(√(2/π) · (x + c·x³))). */
function halfTanh(x: tf.Tensor2D): tf.Tensor2D {
  const u = tf.mul(tf.mul(x, tf.add(tf.mul(tf.square(x), CUBIC), 1)), ROOT);
  return tf.mul(tf.add(tf.tanh(u), 1), 0.5);
}

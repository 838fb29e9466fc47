import * as tf from '@tensorflow/tfjs-core';
import { native } from '../backend/index.js';
import { fused } from './fused.js';
import { unitFused, unitGradFused } from './native/fused.js';
import { sigmoidGradKernel } from './native/kernels.js';

/**
 * SwiGLU (Shazeer 2020): y = silu(gate) ∘ up, silu(z) = z · σ(z).
 *
 * Gradient: dup = dy ∘ silu(gate), dgate = dy ∘ up ∘ (σ + gate · σ · (1 − σ)).
 *
 * Both inputs have the same shape.
 */
export function swiglu(gate: tf.Tensor2D, up: tf.Tensor2D): tf.Tensor2D {
  const door = native();
  if (door?.fused)
    return fused<tf.Tensor2D>([gate, up], save => {
      save(gate, up);
      return {
        value: unitFused(door, 'silu', [gate, up]),
        gradient: (dy, saved) => unitGradFused(door, 'silu', dy, saved),
      };
    });
  return fused<tf.Tensor2D>([gate, up], save => {
    const s = tf.sigmoid(gate);
    const silu = tf.mul(gate, s);
    save(gate, up, s, silu);
    return {
      value: tf.mul(silu, up) as tf.Tensor2D,
      gradient: (dy, [gate, up, s, silu]) => {
        const dup = tf.mul(dy, silu!);
        const a = tf.mul(dy, up!);
        const dgate = tf.add(tf.mul(a, s!), sigmoidGradient(s!, tf.mul(a, gate!)));
        return [dgate, dup];
      },
    };
  });
}

/** dy · s · (1 − s): one kernel on native. */
function sigmoidGradient(s: tf.Tensor, dy: tf.Tensor): tf.Tensor {
  const door = native();
  if (door) return sigmoidGradKernel(door, s, dy);
  return tf.mul(dy, tf.sub(s, tf.mul(s, s)));
}

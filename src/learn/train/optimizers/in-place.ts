import * as tf from '@tensorflow/tfjs-core';
import { native } from '../../../base/backend/index.js';
import type { Parameter } from '../../../base/core/index.js';
import { type ModelParameter, withValue } from '../../models/index.js';

/** p ← p − change. Inside TensorFlow in place, as long as nobody holds a value of p; elsewhere by a new value. */
export function subtractFrom(parameter: Parameter<tf.Tensor>, change: tf.Tensor): void {
  const door = native();
  const handle = (parameter as ModelParameter).handle;
  if (door && handle) door.executeMany('AssignSubVariableOp', [door.attr.type('dtype', 'float32')], [handle, change], 0);
  else tf.tidy(() => parameter.write(tf.sub(parameter.read(), change)));
}

/** p ← p · factor. */
export function shrink(parameter: Parameter<tf.Tensor>, factor: number): void {
  if (factor === 1) return;
  // The value read must be gone when p changes: p − (1 − factor) · p is then in place.
  const loss = withValue(parameter, value => tf.mul(value, 1 - factor));
  subtractFrom(parameter, loss);
  loss.dispose();
}

/** p ← p · (1 − lr · decay), `lr` being a scalar tensor. */
export function shrinkBy(parameter: Parameter<tf.Tensor>, lr: tf.Tensor, decay: number): void {
  const loss = withValue(parameter, value => tf.tidy(() => tf.mul(value, tf.mul(lr, decay))));
  subtractFrom(parameter, loss);
  loss.dispose();
}

/** A running mean in place: m ← m + (1 − keep) · (x − m), that is keep · m + (1 − keep) · x. */
export function average(mean: Parameter<tf.Tensor>, x: tf.Tensor, keep: number): void {
  const change = withValue(mean, value => tf.tidy(() => tf.mul(tf.sub(value, x), 1 - keep)));
  subtractFrom(mean, change);
  change.dispose();
}

/** The TensorFlow variables behind parameters, or undefined when one of them lives elsewhere. */
export function handles(parameters: readonly Parameter<tf.Tensor>[]): tf.Tensor[] | undefined {
  const found = parameters.flatMap(parameter => (parameter as ModelParameter).handle ?? []);
  return found.length === parameters.length ? found : undefined;
}

import * as tf from '@tensorflow/tfjs-core';
import { BadInput, type Parameter } from '../../../base/core/index.js';
import type { HookContext, HookState, SavedHookState } from '../hooks.js';

/** Values of weights that hooks keep, by name: as they were at a moment, or how much each matters. Checkpoints can hold them. */
export class KeptWeights {
  readonly #values = new Map<string, tf.Tensor>();

  get names(): string[] {
    return [...this.#values.keys()];
  }

  get(name: string): tf.Tensor | undefined {
    return this.#values.get(name);
  }

  /** Keep a tensor in place of the one before. */
  put(name: string, value: tf.Tensor): void {
    this.#values.get(name)?.dispose();
    this.#values.set(name, tf.keep(value));
  }

  /** Keep the values of these weights. */
  take(parameters: readonly Parameter<tf.Tensor>[]): void {
    for (const parameter of parameters) this.put(parameter.name, parameter.read());
  }

  /** What a checkpoint is to hold. */
  saved(prefix: string): NonNullable<HookState['tensors']> {
    return Array.from(this.#values, ([name, value]) => ({
      name: `${prefix}/${name}`,
      shape: value.shape,
      size: value.size,
      values: () => value.dataSync() as Float32Array,
    }));
  }

  load(prefix: string, names: readonly string[], { tensor }: SavedHookState): void {
    for (const name of names) {
      const { values, shape } = tensor(`${prefix}/${name}`)!;
      this.put(name, tf.tensor(values, [...shape], 'float32'));
    }
  }

  dispose(): void {
    for (const value of this.#values.values()) value.dispose();
    this.#values.clear();
  }
}

/**
 * Whether a remedy is to look at the weights now: at the first step of a run, not where it has kept what it needs. One that was used by
 * another run, or comes to a run that is under way, would hold the model at the wrong place.
 */
export function beginning(name: string, kept: KeptWeights, { run }: HookContext): boolean {
  if (kept.names.length > 0 && run.step > 0) return false;
  if (kept.names.length === 0 && run.step === 0) return true;
  throw new BadInput({
    problem:
      run.step === 0
        ? `${name} is in use by another run`
        : `${name} was not there when the run began: what it is to keep is not known`,
    where: { key: 'hooks' },
    fix: run.step === 0 ? `make one for every run: hooks: [train.${name}({…})]` : 'start a new run from the saved model',
  });
}

/** The weights of a run's model that are trained. */
export function trained({ run }: HookContext): Parameter<tf.Tensor>[] {
  return run.model.parameters.filter(({ trainable }) => trainable);
}

import type * as tf from '@tensorflow/tfjs-core';
import type { Parameter } from '../../base/core/index.js';
import { disposeState, type Optimizer, type OptimizerState, type UpdateOptions } from './types.js';

type Weights = readonly Parameter<tf.Tensor>[];

/**
 * What an optimizer remembers in a run, in which weights may be frozen and thawed on the way. A weight has memory from its first
 * update on, keeps it while it rests, and counts its own updates, as in PyTorch: bias corrections are right for each.
 */
export class OptimizerMemory {
  readonly #optimizer: Optimizer;
  /** Everything there is, in the order in which weights came; `updates` are those of the weight with most. */
  readonly state: OptimizerState;
  /** Updates of the weights that have had fewer, by name. */
  readonly #fewer: Map<string, number>;
  #view: { names: string; slots: OptimizerState['slots'] } | undefined;

  constructor(optimizer: Optimizer, weights: Weights, resumed?: { state: OptimizerState; fewer?: Record<string, number> }) {
    this.#optimizer = optimizer;
    this.state = resumed?.state ?? optimizer.init(weights);
    this.#fewer = new Map(Object.entries(resumed?.fewer ?? {}));
  }

  /** Updates of the weights that have had fewer than `state.updates`; plain JSON. */
  get fewer(): Record<string, number> {
    return Object.fromEntries(this.#fewer);
  }

  /** Update these weights. Gradients are consumed. */
  step(weights: Weights, gradients: readonly tf.Tensor[], options: UpdateOptions): void {
    this.#admit(weights);
    const before = this.state.updates;
    const counts = weights.map(({ name }) => this.#fewer.get(name) ?? before);
    for (const count of new Set(counts)) {
      const own = weights.filter((_, i) => counts[i] === count);
      const view: OptimizerState = { ...this.state, updates: count, slots: this.#slotsOf(own) };
      this.#optimizer.step(
        own,
        gradients.filter((_, i) => counts[i] === count),
        view,
        options,
      );
    }
    const after = Math.max(before, ...counts.map(count => count + 1));
    if (after > before) this.#rest(weights, before);
    weights.forEach(({ name }, i) => {
      if (counts[i]! + 1 < after) this.#fewer.set(name, counts[i]! + 1);
      else this.#fewer.delete(name);
    });
    this.state.updates = after;
  }

  dispose(): void {
    disposeState(this.state);
  }

  /** Weights without memory get some; they have had no update. */
  #admit(weights: Weights): void {
    const known = new Set(Object.values(this.state.slots).flatMap(values => values.map(({ name }) => name)));
    // Plain SGD remembers nothing of any weight.
    if (known.size === 0) return;
    const strangers = weights.filter(({ name }) => !known.has(name));
    if (strangers.length === 0) return;
    const { slots } = this.#optimizer.init(strangers);
    for (const [slot, values] of Object.entries(slots)) this.state.slots[slot] = [...(this.state.slots[slot] ?? []), ...values];
    for (const { name } of strangers) this.#fewer.set(name, 0);
    this.#view = undefined;
  }

  /** Weights that are not updated while others are fall behind. */
  #rest(active: Weights, updates: number): void {
    const names = new Set(active.map(({ name }) => name));
    for (const { name } of Object.values(this.state.slots).flat())
      if (!names.has(name) && !this.#fewer.has(name)) this.#fewer.set(name, updates);
  }

  /** The slots of these weights, in their order. */
  #slotsOf(weights: Weights): OptimizerState['slots'] {
    const names = weights.map(({ name }) => name).join();
    if (this.#view?.names === names) return this.#view.slots;
    const slots: OptimizerState['slots'] = {};
    for (const [slot, values] of Object.entries(this.state.slots)) {
      const byName = new Map(values.map(value => [value.name, value]));
      slots[slot] = weights.flatMap(({ name }) => byName.get(name) ?? []);
    }
    this.#view = { names, slots };
    return slots;
  }
}

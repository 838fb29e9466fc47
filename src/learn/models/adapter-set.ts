import * as tf from '@tensorflow/tfjs-core';
import { BadInput, quote } from '../../base/core/index.js';
import type { Adapter } from './adapter.js';
import type { ModelParameter } from './parameter.js';

/** The adapters on a model: which there are, which are in use, which one is merged. */
export class AdapterSet {
  readonly byName: Map<string, Adapter> = new Map();
  #inUse: Adapter[] = [];
  /** Which of the model's own weights were trainable before the first adapter froze them. */
  #trainable: Set<ModelParameter> | undefined;
  #merged: { adapter: Adapter; originals: Map<string, tf.Tensor> } | undefined;

  constructor(
    readonly base: readonly ModelParameter[],
    readonly find: (name: string) => ModelParameter,
  ) {}

  get parameters(): ModelParameter[] {
    return Array.from(this.byName.values()).flatMap(adapter => adapter.parameters);
  }

  /** Adapters that change what the model computes; a merged one is part of the weights instead. */
  get inUse(): readonly Adapter[] {
    return this.#inUse.filter(adapter => adapter !== this.#merged?.adapter);
  }

  parameter(name: string): ModelParameter | undefined {
    return this.parameters.find(parameter => parameter.name === name);
  }

  attach(name: string, build: () => Adapter): Adapter {
    if (this.byName.has(name))
      throw new BadInput({
        problem: 'An adapter of this name is attached already',
        found: quote(name),
        fix: 'give it another name ({ name }), or detach the old one',
      });
    if (!/^[\w-]+$/.test(name))
      throw new BadInput({
        problem: 'This cannot be the name of an adapter',
        expected: 'letters, digits, _ and -',
        found: quote(name),
      });
    this.#notMerged('attach');
    const adapter = build();
    if (this.#trainable === undefined) this.#trainable = new Set(this.base.filter(parameter => parameter.trainable));
    for (const parameter of this.base) parameter.trainable = false;
    this.byName.set(name, adapter);
    this.use([name]);
    return adapter;
  }

  use(names: readonly string[]): void {
    this.#notMerged('use');
    const chosen = names.map(name => this.#get(name));
    if (chosen.filter(({ virtualTokens }) => virtualTokens > 0).length > 1)
      throw new BadInput({
        problem: 'Two adapters with virtual tokens cannot be used at once',
        found: names.join(', '),
        fix: 'use one of them',
      });
    for (const adapter of this.byName.values())
      for (const parameter of adapter.parameters) parameter.trainable = chosen.includes(adapter);
    this.#inUse = [...new Set(chosen)];
  }

  detach(name: string): void {
    const adapter = this.#get(name);
    this.#notMerged('detach');
    this.byName.delete(name);
    this.#inUse = this.#inUse.filter(used => used !== adapter);
    adapter.dispose();
    if (this.byName.size > 0 || !this.#trainable) return;
    for (const parameter of this.base) parameter.trainable = this.#trainable.has(parameter);
    this.#trainable = undefined;
  }

  merge(name: string): void {
    const adapter = this.#get(name);
    this.#notMerged('merge');
    if (!adapter.merged)
      throw new BadInput({
        problem: `An adapter of kind ${adapter.kind} cannot be merged`,
        expected: 'lora or ia3, which are changes of weights',
        fix: 'use it beside the model',
      });
    const originals = new Map<string, tf.Tensor>();
    tf.tidy(() => {
      const folded = adapter.merged!(name => this.find(name).read());
      for (const [name, value] of folded) {
        const parameter = this.find(name);
        // A copy of its own: the value read shares the variable's memory, which the next line writes to.
        originals.set(name, tf.keep(copy(parameter)));
        parameter.write(value);
      }
    });
    this.#merged = { adapter, originals };
  }

  unmerge(): void {
    if (!this.#merged) throw new BadInput({ problem: 'No adapter is merged', fix: 'model.merge(name) first' });
    for (const [name, value] of this.#merged.originals) {
      this.find(name).write(value);
      value.dispose();
    }
    this.#merged = undefined;
  }

  dispose(): void {
    if (this.#merged) tf.dispose([...this.#merged.originals.values()]);
    this.#merged = undefined;
    for (const adapter of this.byName.values()) adapter.dispose();
    this.byName.clear();
    this.#inUse = [];
  }

  #get(name: string): Adapter {
    const found = this.byName.get(name);
    if (found) return found;
    throw new BadInput({
      problem: 'No adapter of this name is attached',
      expected: [...this.byName.keys()].join(', ') || 'model.attach(…) first',
      found: quote(name),
    });
  }

  #notMerged(what: string): void {
    if (this.#merged)
      throw new BadInput({
        problem: `Adapter ${this.#merged.adapter.name} is merged: ${what} is not possible`,
        fix: 'model.unmerge() first',
      });
  }
}

function copy(parameter: ModelParameter): tf.Tensor {
  const value = parameter.read();
  const values = value.dataSync() as Float32Array;
  value.dispose();
  return tf.tensor(values.slice(), [...parameter.shape], 'float32');
}

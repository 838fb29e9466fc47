import * as tf from '@tensorflow/tfjs-core';
import { BadInput } from '../../base/core/index.js';
import type { Model } from '../../learn/models/index.js';

/** A model's weights as they act: with the adapters in use folded in. Call `dispose` when done. */
export interface EffectiveWeights {
  /** A weight of the base; the caller disposes it. */
  read(name: string): tf.Tensor;
  dispose(): void;
}

/** @throws BadInput where an adapter in use is no change of weights */
export function effectiveWeights(model: Model): EffectiveWeights {
  let changed = new Map<string, tf.Tensor>();
  const read = (name: string): tf.Tensor => {
    const own = changed.get(name);
    return own ? tf.clone(own) : model.parameter(name).read();
  };
  try {
    for (const name of model.inUse) {
      const adapter = model.adapters.get(name)!;
      if (!adapter.merged)
        throw new BadInput({
          problem: `What an adapter of kind ${adapter.kind} does is no change of weights`,
          found: name,
          fix: 'compare what the models say (klToBase) or their hidden states (cka)',
        });
      // Adapters build on each other in their order.
      const next = new Map(changed);
      for (const [weight, value] of tf.tidy(() => tensorsOf(adapter.merged!(read)))) {
        next.get(weight)?.dispose();
        next.set(weight, value);
      }
      changed = next;
    }
  } catch (error) {
    tf.dispose([...changed.values()]);
    throw error;
  }
  return { read, dispose: () => tf.dispose([...changed.values()]) };
}

/** Keep what a tidy would free. */
function tensorsOf(weights: Map<string, tf.Tensor>): [string, tf.Tensor][] {
  return Array.from(weights, ([name, value]) => [name, tf.keep(value)]);
}

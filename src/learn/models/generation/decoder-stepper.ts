import * as tf from '@tensorflow/tfjs-core';
import { BadInput } from '../../../base/core/index.js';
import { besideKeys, causalAttention, matmul, softcapped } from '../../../base/ops/index.js';
import type { Adapter } from '../adapter.js';
import { attentionOptions, turned } from '../attend.js';
import type { DecoderConfig } from '../config/index.js';
import { type Attend, decode } from '../decoder.js';
import { pack } from '../packed.js';
import { HEAD, type Weights } from '../reading.js';
import { KeyValueCache } from './cache.js';
import { attendCached } from './cached-attention.js';
import { type LayerSteps, layerSteps } from './layer-steps.js';
import type { Stepper, StepperOptions } from './stepper.js';
import { SwitchingStepper, switchLength } from './switching-stepper.js';

/** What a decoder's stepper needs of its model. */
export interface SteppedDecoder {
  readonly config: DecoderConfig;
  readonly inUse: readonly string[];
  readonly adapters: ReadonlyMap<string, Pick<Adapter, 'virtualTokens'>>;
  readValues(): ReadonlyMap<string, tf.Tensor>;
  readWeights(values: ReadonlyMap<string, tf.Tensor>): Weights;
}

/** Generation with a decoder. Weights are read once, as they are when the stepper is made. */
export function decoderStepper(model: SteppedDecoder, options: StepperOptions = {}): Stepper {
  const make = () => new DecoderStepper(model, options);
  const limit = switchLength(model.config);
  return limit === undefined ? make() : new SwitchingStepper(make, limit);
}

class DecoderStepper implements Stepper {
  readonly #model: SteppedDecoder;
  readonly #cache: KeyValueCache;
  readonly #values: ReadonlyMap<string, tf.Tensor>;
  readonly #adapters: string;
  /** Made with the first token: values and adapters stay as they are. */
  #layers?: LayerSteps;
  readonly reserved: number;

  constructor(model: SteppedDecoder, { capacity = 0 }: StepperOptions) {
    this.#model = model;
    this.#adapters = model.inUse.join();
    this.reserved = model.inUse.reduce((sum, name) => sum + model.adapters.get(name)!.virtualTokens, 0);
    const expected = Math.min(capacity + this.reserved, model.config.maxPositionEmbeddings);
    this.#cache = new KeyValueCache(model.config.numKeyValueHeads, expected);
    this.#values = model.readValues();
    for (const value of this.#values.values()) tf.keep(value);
  }

  get rows(): number {
    return this.#cache.lengths.length;
  }

  admit(prompts: readonly (readonly number[])[]): tf.Tensor2D {
    const { config } = this.#model;
    return tf.tidy(() => {
      const weights = this.#weights();
      const { virtualTokens } = weights;
      const packed = pack(prompts, config, { shared: false, virtualTokens });
      const lengths = prompts.map(prompt => prompt.length + virtualTokens);
      this.#cache.open(lengths);
      const last = tf.tensor1d(
        lengths.map((length, row) => packed.starts[row]! + length - 1),
        'int32',
      );
      const attend: Attend = (q, k, v, layer) => {
        const [queries, keys, values] = turned(q, k, v, layer, packed, weights);
        this.#cache.fill(layer, besideKeys(keys, packed.layout), besideKeys(values, packed.layout));
        return causalAttention(queries, keys, values, packed.layout, attentionOptions(config, layer, packed));
      };
      try {
        return logits(decode({ ...packed, attend, keep: last }, weights, config), weights, config);
      } finally {
        packed.dispose();
      }
    });
  }

  advance(tokens: readonly number[]): tf.Tensor2D {
    const { config } = this.#model;
    return tf.tidy(() => {
      const weights = this.#weights();
      const step = this.#cache.step();
      const ids = tf.tensor1d([...tokens], 'int32');
      const positions = tf.tensor1d([...step.positions], 'int32');
      this.#layers ??= layerSteps(weights, config);
      const layer = this.#layers(step);
      const how = layer ? { layer } : { attend: attendCached(step, config) };
      return logits(decode({ ids, positions, ...how }, weights, config), weights, config);
    });
  }

  select(rows: readonly number[]): void {
    this.#cache.select(rows);
  }

  dispose(): void {
    this.#cache.dispose();
    tf.dispose([...this.#values.values()]);
  }

  #weights(): Weights {
    if (this.#model.inUse.join() !== this.#adapters)
      throw new BadInput({
        problem: 'Other adapters came into use while the model was generating',
        expected: this.#adapters || 'no adapter',
        found: this.#model.inUse.join() || 'no adapter',
        fix: 'end the generation before model.attach, use or detach',
      });
    return this.#model.readWeights(this.#values);
  }
}

function logits(hidden: tf.Tensor2D, weights: Weights, config: DecoderConfig): tf.Tensor2D {
  return softcapped(matmul(hidden, weights.get(HEAD) as tf.Tensor2D, false, true), config.logitSoftcap);
}

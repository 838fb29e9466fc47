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
import { holdsBefore, positionsBehind, SharedPrefix } from './shared-prefix.js';
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
  const { capacity = Number.POSITIVE_INFINITY, prefix } = options;
  const shared = prefix && decoderShares(model, capacity) ? prefix : [];
  const make = () => new DecoderStepper(model, { ...options, prefix: shared });
  const limit = switchLength(model.config);
  return limit === undefined ? make() : new SwitchingStepper(make, limit);
}

/** Whether a beginning can be computed once for rows of up to this many tokens, virtual ones not counted. */
export function decoderShares(model: SteppedDecoder, capacity: number): boolean {
  return holdsBefore(capacity + virtualTokensOf(model), model.config);
}

function virtualTokensOf({ inUse, adapters }: SteppedDecoder): number {
  return inUse.reduce((sum, name) => sum + adapters.get(name)!.virtualTokens, 0);
}

class DecoderStepper implements Stepper {
  readonly #model: SteppedDecoder;
  readonly #cache: KeyValueCache;
  readonly #values: ReadonlyMap<string, tf.Tensor>;
  readonly #given: ReadonlySet<tf.Tensor>;
  readonly #computed = new Map<string, tf.Tensor>();
  readonly #adapters: string;
  readonly #prefix: readonly number[];
  /** Made with the first prompts. */
  #shared?: SharedPrefix;
  /** Made with the first token: values and adapters stay as they are. */
  #layers?: LayerSteps;
  readonly reserved: number;

  constructor(model: SteppedDecoder, { capacity = 0, prefix = [] }: StepperOptions) {
    this.#model = model;
    this.#adapters = model.inUse.join();
    this.#prefix = prefix;
    this.reserved = virtualTokensOf(model);
    const shared = prefix.length > 0 ? prefix.length + this.reserved : 0;
    const expected = Math.min(capacity + this.reserved, model.config.maxPositionEmbeddings) - shared;
    this.#cache = new KeyValueCache(model.config.numKeyValueHeads, expected);
    this.#values = model.readValues();
    for (const value of this.#values.values()) tf.keep(value);
    this.#given = new Set(this.#values.values());
  }

  get rows(): number {
    return this.#cache.lengths.length;
  }

  admit(prompts: readonly (readonly number[])[]): tf.Tensor2D {
    const { config } = this.#model;
    return tf.tidy(() => {
      const weights = this.#weights();
      const shared = this.#beginning(prompts, weights);
      const rows = shared ? prompts.map(prompt => prompt.slice(this.#prefix.length)) : prompts;
      const virtualTokens = shared ? 0 : weights.virtualTokens;
      const packed = pack(rows, config, { shared: false, virtualTokens, behind: shared?.length });
      const { layout, starts } = packed;
      this.#cache.open(layout.lengths);
      const last = tf.tensor1d(
        layout.lengths.map((length, row) => starts[row]! + length - 1),
        'int32',
      );
      const keep = (layer: number, keys: tf.Tensor2D, values: tf.Tensor2D) =>
        this.#cache.fill(layer, besideKeys(keys, layout), besideKeys(values, layout));
      const within: Attend = (q, k, v, layer) => {
        const [queries, keys, values] = turned(q, k, v, layer, packed, weights);
        keep(layer, keys, values);
        return causalAttention(queries, keys, values, layout, attentionOptions(config, layer, packed));
      };
      const attend = shared ? shared.behind(packed, keep) : within;
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
      const positions = tf.tensor1d([...positionsBehind(this.#shared, step.positions)], 'int32');
      this.#layers ??= layerSteps(weights, config, this.#shared);
      const layer = this.#layers(step);
      const how = layer ? { layer } : { attend: attendCached(step, config, this.#shared) };
      return logits(decode({ ids, positions, ...how }, weights, config), weights, config);
    });
  }

  select(rows: readonly number[]): void {
    this.#cache.select(rows);
  }

  dispose(): void {
    this.#cache.dispose();
    this.#shared?.dispose();
    tf.dispose([...this.#values.values(), ...this.#computed.values()]);
  }

  /** The beginning that all rows share, where there is one. */
  #beginning(prompts: readonly (readonly number[])[], weights: Weights): SharedPrefix | undefined {
    const prefix = this.#prefix;
    if (prefix.length === 0) return undefined;
    prompts.forEach((prompt, row) => {
      if (prompt.length <= prefix.length || prefix.some((token, t) => token !== prompt[t]))
        throw new BadInput({
          problem: `Row ${row} does not go on behind the beginning that all rows share`,
          expected: `its ${prefix.length} tokens, and at least one more`,
          found: `${prompt.length} tokens`,
        });
    });
    this.#shared ??= SharedPrefix.of(prefix, weights, this.#model.config);
    return this.#shared;
  }

  #weights(): Weights {
    if (this.#model.inUse.join() !== this.#adapters)
      throw new BadInput({
        problem: 'Other adapters came into use while the model was generating',
        expected: this.#adapters || 'no adapter',
        found: this.#model.inUse.join() || 'no adapter',
        fix: 'end the generation before model.attach, use or detach',
      });
    const weights = this.#model.readWeights(this.#values);
    return weights.bare ? weights : { ...weights, get: name => this.#once(name, weights) };
  }

  /** A weight; one that adapters compute from others, e.g. an embedding with trained rows, is computed for the first token alone. */
  #once(name: string, weights: Weights): tf.Tensor {
    const known = this.#computed.get(name);
    if (known) return known;
    const value = weights.get(name);
    if (!this.#given.has(value)) this.#computed.set(name, tf.keep(value));
    return value;
  }
}

function logits(hidden: tf.Tensor2D, weights: Weights, config: DecoderConfig): tf.Tensor2D {
  return softcapped(matmul(hidden, weights.get(HEAD) as tf.Tensor2D, false, true), config.logitSoftcap);
}

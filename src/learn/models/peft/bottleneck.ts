import * as tf from '@tensorflow/tfjs-core';
import { BadInput, Random } from '../../../base/core/index.js';
import { linear, nonlinear } from '../../../base/ops/index.js';
import type { Adapter, AdapterPass, PassContext } from '../adapter.js';
import type { Model } from '../model.js';
import { createParameter, type ModelParameter } from '../parameter.js';
import { taskType } from './base.js';
import { type BottleneckActivation, type BottleneckSettings, checkSettings, sizeFor } from './bottleneck-settings.js';
import type { FiledSpec, PeftFormat, PlannedTensor } from './format.js';
import { checkOptions } from './virtual-tokens.js';

/** Options of {@link bottleneck}. */
export interface BottleneckOptions {
  /**
   * Where: `houlsby`, behind the attention and the feed-forward of every layer (Houlsby et al. 2019); `pfeiffer`, behind the
   * feed-forward only (Pfeiffer et al. 2021), which halves the parameters. Defaults to `houlsby`.
   */
  placement?: 'houlsby' | 'pfeiffer';
  /** Width of the bottleneck as a fraction of the residual stream: hiddenSize / reduction, rounded down. Defaults to 16. */
  reduction?: number;
  /** Width of the bottleneck itself, in place of `reduction`. */
  size?: number;
  /** Defaults to `gelu` for houlsby, as in its authors' code, and `relu` for pfeiffer, as in AdapterHub. */
  activation?: BottleneckActivation;
  /** Factor of what the adapter adds. Defaults to 1. */
  scale?: number;
  /** Only these layers, counted from 0; those of T5's decoder behind its encoder's. All unless told. */
  layers?: readonly number[];
  /** Seed of the first values. Defaults to 0. */
  seed?: number | string;
}

/**
 * Bottleneck adapters: what a sub-layer gives to the residual stream, y, becomes y + scale · (W_up · act(W_down · y + b_down) +
 * b_up). W_up and the biases begin at zero, so that the model begins as it was; W_down begins uniform within ±1/√hiddenSize (He et
 * al. 2022, AdapterHub's `mam_adapter`).
 *
 * Weights are named after the module they stand behind, e.g. `model.layers.0.mlp.bottleneck_down.default.weight` [size, hiddenSize].
 * PEFT has no such adapters: their files have its layout with a `peft_type` of our own, `BOTTLENECK`.
 */
export function bottleneck(options: BottleneckOptions = {}): FiledSpec {
  checkOptions('bottleneck', options, ['placement', 'reduction', 'size', 'activation', 'scale', 'layers', 'seed']);
  const { placement = 'houlsby', reduction = 16, size, scale = 1, layers, seed = 0 } = options;
  if (options.reduction !== undefined && size !== undefined)
    throw new BadInput({ problem: 'A bottleneck has one width', where: { key: 'size' }, expected: 'reduction or size' });
  const activation = options.activation ?? (placement === 'houlsby' ? 'gelu' : 'relu');
  const settings = { placement, reduction, size, activation, scale, layers, seed, original: {} };
  checkSettings(settings);
  return bottleneckSpec(settings);
}

/** `peft_type: BOTTLENECK`. */
export const bottleneckFormat: PeftFormat = {
  peftType: 'BOTTLENECK',
  spec(config) {
    const layers = config.values.layers_to_transform ?? undefined;
    const settings = {
      placement: config.values.placement as 'houlsby',
      reduction: 1,
      size: config.integer('bottleneck_size', 1),
      activation: config.values.activation as BottleneckActivation,
      scale: config.number('scale', 1),
      layers: layers as readonly number[] | undefined,
      seed: 0,
      original: config.values,
    };
    checkSettings(settings, config.file);
    return bottleneckSpec(settings);
  },
};

function bottleneckSpec(settings: BottleneckSettings): FiledSpec {
  return {
    kind: 'bottleneck',
    plan: model => sublayers(model, settings).flatMap(module => planned(model, module, settings)),
    build: (model, name, values) => new Bottleneck(model, name, settings, values),
  };
}

/** Modules that give to the residual stream, in every family: attention first, feed-forward second. */
const ATTENTION = /^.*?\.\d+\.(?:layer\.\d+\.)?(?:self_attn|attn|SelfAttention|EncDecAttention)(?=\.)/;
const FEED_FORWARD = /^.*?\.\d+\.(?:layer\.\d+\.)?(?:mlp|block_sparse_moe|DenseReluDense)(?=\.)/;

/** The modules that get an adapter, in the order of the layers. Throws BadInput where a wanted layer does not exist. */
function sublayers(model: Model, { placement, layers }: BottleneckSettings): string[] {
  // Layers count on from the encoder's to the decoder's: the first part of a name tells one from another.
  const numbers = new Map<string, number>();
  const found = new Map<string, number>();
  for (const { name } of model.baseParameters) {
    const module = ((placement === 'houlsby' ? ATTENTION.exec(name) : null) ?? FEED_FORWARD.exec(name))?.[0];
    if (module === undefined) continue;
    const layer = /^.*?\.\d+\./.exec(module)![0];
    if (!numbers.has(layer)) numbers.set(layer, numbers.size);
    found.set(module, numbers.get(layer)!);
  }
  const absent = layers?.find(layer => layer >= numbers.size);
  if (absent !== undefined)
    throw new BadInput({
      problem: 'The model has no such layer',
      where: { key: 'layers' },
      expected: `layers from 0 to ${numbers.size - 1}`,
      found: `${absent}`,
    });
  return [...found].filter(([, layer]) => !layers || layers.includes(layer)).map(([module]) => module);
}

interface Planned extends PlannedTensor {
  part: 'downWeight' | 'downBias' | 'upWeight' | 'upBias';
  /** Name in memory. */
  named(adapter: string): string;
}

function planned(model: Model, module: string, settings: BottleneckSettings): Planned[] {
  const hidden = model.config.hiddenSize;
  const size = sizeFor(settings, hidden);
  const tensor = (part: Planned['part'], which: string, kind: string, shape: number[]): Planned => ({
    part,
    file: `base_model.model.${module}.${which}.${kind}`,
    shape,
    named: adapter => `${module}.${which}.${adapter}.${kind}`,
  });
  return [
    tensor('downWeight', 'bottleneck_down', 'weight', [size, hidden]),
    tensor('downBias', 'bottleneck_down', 'bias', [size]),
    tensor('upWeight', 'bottleneck_up', 'weight', [hidden, size]),
    tensor('upBias', 'bottleneck_up', 'bias', [hidden]),
  ];
}

type Weights = Record<Planned['part'], ModelParameter>;

class Bottleneck implements Adapter {
  readonly kind = 'bottleneck';
  readonly virtualTokens = 0;
  readonly parameters: readonly ModelParameter[];
  readonly #byModule = new Map<string, Weights>();
  readonly #files: { name: string; parameter: ModelParameter }[] = [];
  readonly #config: Record<string, unknown>;
  readonly #activation: BottleneckActivation;
  readonly #scale: number;

  constructor(
    model: Model,
    readonly name: string,
    settings: BottleneckSettings,
    values?: ReadonlyMap<string, Float32Array>,
  ) {
    const { placement, activation, scale, layers, original } = settings;
    this.#activation = activation;
    this.#scale = scale;
    this.#config = {
      activation,
      base_model_name_or_path: original.base_model_name_or_path ?? null,
      bottleneck_size: sizeFor(settings, model.config.hiddenSize),
      inference_mode: true,
      layers_to_transform: layers ?? null,
      peft_type: 'BOTTLENECK',
      placement,
      scale,
      task_type: taskType(model),
    };
    try {
      for (const module of sublayers(model, settings)) {
        const weights: Partial<Weights> = {};
        for (const { part, file, shape, named } of planned(model, module, settings)) {
          const first = values?.get(file) ?? firstValues(part, shape, `${settings.seed}/${file}`);
          const parameter = createParameter(named(name), shape, first);
          this.#files.push({ name: file, parameter });
          weights[part] = parameter;
        }
        this.#byModule.set(module, weights as Weights);
      }
    } catch (error) {
      this.#dispose();
      throw error;
    }
    this.parameters = this.#files.map(({ parameter }) => parameter);
  }

  pass({ value }: PassContext): AdapterPass {
    return {
      behind: (y, { module }) => {
        const weights = this.#byModule.get(module);
        if (!weights) return y;
        const { downWeight, downBias, upWeight, upBias } = weights;
        const inner = linear(y, value(downWeight) as tf.Tensor2D, value(downBias) as tf.Tensor1D);
        const added = linear(nonlinear(inner, this.#activation), value(upWeight) as tf.Tensor2D, value(upBias) as tf.Tensor1D);
        return tf.add(y, this.#scale === 1 ? added : tf.mul(added, this.#scale));
      },
    };
  }

  toPeft(): ReturnType<Adapter['toPeft']> {
    return { config: { ...this.#config }, tensors: [...this.#files] };
  }

  dispose(): void {
    this.#dispose();
  }

  #dispose(): void {
    for (const { parameter } of this.#files) parameter.dispose();
  }
}

function firstValues(part: Planned['part'], shape: readonly number[], seed: string): Float32Array {
  const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
  if (part !== 'downWeight') return values;
  const random = new Random(seed);
  const bound = 1 / Math.sqrt(shape[1]!);
  return values.map(() => (2 * random.next() - 1) * bound);
}

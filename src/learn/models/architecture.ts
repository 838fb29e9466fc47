import { BadInput, quote } from '../../base/core/index.js';
import { type DecoderConfig, decoderConfig, type PartialConfig, type Preset, parseConfig, presetSizes } from './config/index.js';
import { DecoderModel } from './decoder-model.js';
import type { Model, OriginalFiles } from './model.js';
import { canonicalName } from './names.js';
import { createParameter, type ModelParameter } from './parameter.js';
import { initT5, isT5, type T5Config, type T5Model, t5Architecture } from './t5/index.js';
import { initialValues, type WeightSpec, weightSpecs } from './weights.js';

/** What loading needs to know of a kind of model. */
export interface Architecture {
  /** The weights it has, in the order of the layers. */
  specs: WeightSpec[];
  /** The weight that a tensor of the files is; undefined for one that is computed or tied and need not be read. */
  canonical(fileName: string): string | undefined;
  /** The architecture that files with these tensors are, where config.json does not tell all of it. */
  fitting?(fileNames: ReadonlySet<string>): Architecture;
  /** The model with these weights, in the order of `specs`. */
  make(weights: readonly ModelParameter[], original?: OriginalFiles): Model;
}

/** The architecture a config.json describes. Throws BadInput, naming file and key, for one that is not known. */
export function architectureOf(raw: Record<string, unknown>, file?: string): Architecture {
  return isT5(raw) ? t5Architecture(raw, file) : decoder(parseConfig(raw, file));
}

function decoder(config: DecoderConfig): Architecture {
  return {
    specs: weightSpecs(config),
    canonical: name => canonicalName(config, name),
    make: (weights, original) => new DecoderModel(config, weights, original),
  };
}

/** Options of {@link init}: the seed, and any field of the configuration to set. */
export type InitOptions<Config = PartialConfig> = Config & {
  /** 0 unless told. Equal seeds give equal weights on every machine. */
  seed?: number | string;
};

/** A T5's configuration in parts; the rest is that of a nano-sized one. */
export type T5PartialConfig = Partial<T5Config> & { modelType: 't5' };

/**
 * A new model with random weights, for work from scratch: `init('nano', {vocabSize: tokenizer.vocabSize, seed: 1})`,
 * `init({modelType: 'gpt2', hiddenSize: 64, …}, {seed})`, or an encoder–decoder with `modelType: 't5'`. Matrices begin as
 * N(0, 1/√fan_in), see {@link weightSpecs}.
 */
export function init(from: T5PartialConfig, options?: InitOptions<Partial<T5Config>>): T5Model;
export function init(from: Preset, options: InitOptions<T5PartialConfig>): T5Model;
export function init(from: Preset | PartialConfig, options?: InitOptions): Model;
export function init(
  from: Preset | PartialConfig | T5PartialConfig,
  options: InitOptions | InitOptions<Partial<T5Config>> = {},
): Model {
  if (typeof from !== 'string' && (typeof from !== 'object' || from === null))
    throw new BadInput({
      problem: 'This is no configuration of a model',
      expected: 'nano, tiny, small, or an object',
      found: quote(from ?? null),
      fix: "for example models.init('nano', { vocabSize: tokenizer.vocabSize, seed: 1 })",
    });
  const { seed = 0, ...overrides } = options;
  const sizes = typeof from === 'string' ? presetSizes(from) : from;
  if ((overrides.modelType ?? sizes.modelType) === 't5') return initT5({ ...sizes, ...overrides } as T5PartialConfig, { seed });
  return initDecoder(from as Preset | PartialConfig, overrides as PartialConfig, seed);
}

function initDecoder(from: Preset | PartialConfig, overrides: PartialConfig, seed: number | string): Model {
  const { specs, make } = decoder(decoderConfig(from, overrides));
  return make(specs.map(spec => createParameter(spec.name, spec.shape, initialValues(spec, seed))));
}

import { type DecoderConfig, decoderConfig, type PartialConfig, type Preset, parseConfig } from './config/index.js';
import { DecoderModel } from './decoder-model.js';
import type { Model, OriginalFiles } from './model.js';
import { canonicalName } from './names.js';
import { createParameter, type ModelParameter } from './parameter.js';
import { initialValues, type WeightSpec, weightSpecs } from './weights.js';

/** What loading needs to know of a kind of model. */
export interface Architecture {
  /** The weights it has, in the order of the layers. */
  specs: WeightSpec[];
  /** The weight that a tensor of the files is; undefined for one that is computed or tied and need not be read. */
  canonical(fileName: string): string | undefined;
  /** The model with these weights, in the order of `specs`. */
  make(weights: readonly ModelParameter[], original?: OriginalFiles): Model;
}

/** The architecture a config.json describes. Throws BadInput, naming file and key, for one that is not known. */
export function architectureOf(raw: Record<string, unknown>, file?: string): Architecture {
  return decoder(parseConfig(raw, file));
}

function decoder(config: DecoderConfig): Architecture {
  return {
    specs: weightSpecs(config),
    canonical: name => canonicalName(config, name),
    make: (weights, original) => new DecoderModel(config, weights, original),
  };
}

/** Options of {@link init}: the seed, and any field of the configuration to set. */
export type InitOptions = PartialConfig & {
  /** 0 unless told. Equal seeds give equal weights on every machine. */
  seed?: number | string;
};

/**
 * A new decoder with random weights, for work from scratch: `init('nano', {vocabSize: tokenizer.vocabSize, seed: 1})`, or
 * `init({modelType: 'gpt2', hiddenSize: 64, …}, {seed})`. Matrices begin as N(0, 1/√fan_in), see {@link weightSpecs}.
 */
export function init(from: Preset | PartialConfig, options: InitOptions = {}): Model {
  const { seed = 0, ...overrides } = options;
  const { specs, make } = decoder(decoderConfig(from, overrides));
  return make(specs.map(spec => createParameter(spec.name, spec.shape, initialValues(spec, seed))));
}

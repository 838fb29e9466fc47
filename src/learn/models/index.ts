export type { Adapter, AdapterPass, AdapterSpec, LinearModule, PassContext, Sublayer } from './adapter.js';
export { type InitOptions, init } from './architecture.js';
export type { ModelInput, TrainBatch } from './batch.js';
export {
  type Activation,
  type DecoderConfig,
  type LayerType,
  type ModelConfig,
  type ModelType,
  type PartialConfig,
  type Preset,
  parseConfig,
  type RopeConfig,
} from './config/index.js';
export { DecoderModel } from './decoder-model.js';
export { type LoadOptions, load } from './files/load.js';
export type { SaveOptions } from './files/save.js';
export type { Generated } from './generation/generate.js';
export type { GenerateOptions } from './generation/options.js';
export type { SamplingOptions } from './generation/sampling.js';
export type { Stepper, StepperOptions } from './generation/stepper.js';
export {
  type LossAndGradients,
  type LossOptions,
  type LossSum,
  Model,
  type OriginalFiles,
  type TrainPass,
} from './model.js';
export { createParameter, type ModelParameter } from './parameter.js';
export type { Weights } from './reading.js';
export { type ResizeOptions, resizeVocabulary } from './resize.js';

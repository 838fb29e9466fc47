export type { ModelInput, TrainBatch } from './batch.js';
export { type DecoderConfig, type Preset, parseConfig } from './config.js';
export type { Weights } from './decoder.js';
export type { Generated, GenerateOptions } from './generate.js';
export { type InitOptions, init, load } from './load.js';
export {
  type LossAndGradients,
  type LossOptions,
  type LossSum,
  Model,
  type TrainPass,
} from './model.js';
export { createParameter, type ModelParameter } from './parameter.js';
export { type ResizeOptions, resizeVocabulary } from './resize.js';
export type { SamplingOptions } from './sampling.js';

export type { Adapter, AdapterPass, AdapterSpec, LinearModule, PassContext, Sublayer } from './adapter.js';
export { type InitOptions, init, type T5PartialConfig } from './architecture.js';
export { type AttentionMapsOptions, type AttentionWeights, attentionMaps } from './attention-maps.js';
export { average, copyOf, interpolate, sameShapes, scaleAdapter } from './average.js';
export type { ModelInput, TrainBatch } from './batch.js';
export {
  type Asked,
  type ChatOptions,
  Reply,
  type ReplyPiece,
  ReplyStream,
  type TextGeneratorOptions,
  textGenerator,
} from './chat/index.js';
export { checkTokenizer } from './check-tokenizer.js';
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
export type { WeightType } from './files/half.js';
export { type HubOptions, localFolder } from './files/hub.js';
export { type LoadOptions, load } from './files/load.js';
export type { SaveOptions } from './files/save.js';
export type {
  BeamHypothesis,
  BeamOptions,
  Completion,
  ContinuousOptions,
  Finish,
  Generated,
  GenerateOptions,
  Piece,
  SamplingOptions,
  Stepper,
  StepperOptions,
  TextDecoder,
} from './generation/index.js';
export {
  type LossAndGradients,
  type LossOptions,
  type LossSum,
  Model,
  type OriginalFiles,
  type TrainPass,
} from './model.js';
export { createParameter, type ModelParameter, withValue } from './parameter.js';
export * from './peft/index.js';
export type { Weights } from './reading.js';
export { type ResizeOptions, resizeVocabulary } from './resize.js';
export { hiddenStates, logitsOf, type Predictors, predictors, restAdapters, softcapOf } from './states.js';
export { type T5Config, type T5Input, T5Model, type T5TrainBatch } from './t5/index.js';

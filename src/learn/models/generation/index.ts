export { type BeamHypothesis, type BeamOptions, beamSearch } from './beam.js';
export { type Completion, type ContinuousOptions, continuous } from './continuous.js';
export { type Generated, generate } from './generate.js';
export type { GenerateOptions } from './options.js';
export type { Finish, Piece } from './row.js';
export type { SamplingOptions } from './sampling.js';
export type { GenerativeModel, Stepper, StepperOptions } from './stepper.js';
export { stream } from './stream.js';
export { type TextDecoder, TextSoFar } from './text.js';

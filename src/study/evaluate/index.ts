export { type ComparedRung, type ComparedSample, compare, LadderComparison } from './compare.js';
export { type Completion, Completions, complete } from './complete.js';
export {
  type ExactMatchOptions,
  exactMatch,
  normalise,
  type ScoredSample,
  Scores,
  type TaskScore,
} from './exact-match.js';
export type { GenerationOptions } from './generate.js';
export { wilson } from './interval.js';
export { Ladder, ladder, type RungScore } from './ladder.js';
export type { AnsweringModel, MeasurableModel } from './model.js';
export { type MeanLoss, meanLoss, responseLoss } from './response-loss.js';

export {
  BASELINES,
  type Baseline,
  type BaselineOptions,
  type BaselineScore,
  Baselines,
  baselines,
} from './baselines/baselines.js';
export type { FewShotOptions } from './baselines/few-shot.js';
export { type RequestParts, requestParts } from './baselines/parts.js';
export {
  type ChoiceAccuracy,
  type ChoiceSample,
  ChoiceScores,
  type ChoicesOptions,
  choices,
} from './choices.js';
export { type ComparedRung, type ComparedSample, compare, LadderComparison } from './compare.js';
export { type Arm, type ComparedMeasure, type CompareOptions, Comparison } from './comparison.js';
export { type Completion, Completions, complete } from './complete.js';
export { type ExactMatchOptions, exactMatch, type ScoredSample, Scores, type TaskScore } from './exact-match.js';
export type { GenerationOptions } from './generate.js';
export { type EvaluationBudget, type EvaluationHook, type HookOptions, hook } from './in-loop.js';
export { wilson } from './interval.js';
export { Ladder, ladder, type RungScore } from './ladder.js';
export { type LikelihoodOptions, type LikelihoodRequest, logLikelihoods } from './likelihood.js';
export { type Answered, METRICS, type Metric, type MetricName } from './metrics/metrics.js';
export { squadNormalise, tokenF1 } from './metrics/squad.js';
export type { AnsweringModel, LikelihoodModel, MeasurableModel } from './model.js';
export { normalise } from './normalise.js';
export { Perplexity, type PerplexityOptions, perplexity } from './perplexity.js';
export { Preferences, preferences, type RankedModel, type WinRate } from './preferences/preferences.js';
export {
  type PairsOptions,
  pairs,
  type RatedPair,
  type Rating,
  type ReadRatings,
  readRatings,
} from './preferences/ratings.js';
export { agreement, bradleyTerry, type Strength } from './preferences/strengths.js';
export { type MeanLoss, meanLoss, responseLoss } from './response-loss.js';
export { type ReadSamples, readSamples } from './sample-log.js';
export { type JudgingOptions, judgeAnswers, type ScoreOptions, score } from './score.js';
export { type MetricScore, type Parting, type PartScore, type RowSample, Scored } from './scored.js';
export { Sensitivity, type SensitivityOptions, sensitivity, type Variant } from './sensitivity.js';
export * from './statistics/index.js';
export { SUPERVISION, type Supervision } from './supervision.js';

/** Figures: plain data → Vega-Lite spec or safe HTML; rendering, live updating, and the hosts that show them. */
export { type AttentionData, type AttentionMap, type AttentionOptions, attention } from './attention.js';
export { type BeforeAfterRow, beforeAfter } from './before-after.js';
export { type ComparisonData, type ComparisonRow, comparison } from './comparison.js';
export { type ConversationData, type ConversationMessage, conversation } from './conversation.js';
export { type DatasetOptions, type DatasetSource, dataset } from './dataset.js';
export { type DiversityCurve, type DiversityOptions, type DiversityPoint, diversity } from './diversity.js';
export { type DriftOptions, type DriftRow, drift } from './drift.js';
export { type ErrorData, errorView } from './error-view.js';
export { type Figure, type FigureParts, figure, isFigure, JUPYTER_DISPLAY, VEGALITE_MIME, type VegaLiteSpec } from './figure.js';
export { type ForgettingReportData, forgettingReport } from './forgetting-report.js';
export { type GenerationsOptions, generations } from './generations.js';
export { type HistogramOptions, histogram } from './histogram.js';
export { type DisplayOptions, display } from './hosts.js';
export { type IntervalRow, type IntervalsData, intervals } from './intervals.js';
export { type KlForgettingOptions, type KlPoint, klForgetting } from './kl-forgetting.js';
export { follow, type LiveOptions, type LiveRun, type LiveView, live } from './live.js';
export { type LossColumns, type LossCurveOptions, type LossHistory, type LossPoint, lossCurve } from './loss-curve.js';
export { type MarginSeries, type MarginsOptions, margins } from './margins.js';
export { type MixtureLine, type MixtureOptions, type MixtureSource, mixture } from './mixture.js';
export { notebookPage } from './notebook-page.js';
export { type PacksOptions, type PacksSource, packs } from './packs.js';
export { type PageOptions, page } from './page.js';
export { type LabelledModel, type ParametersOptions, type ParametersSource, parameters } from './parameters.js';
export type { ModelFacts, ModelSource, WeightFacts } from './parameters-facts.js';
export { progressBars } from './progress-bars.js';
export { type RateOptions, type RatePair, RatingSession, rate } from './rate.js';
export { type PairData, pair } from './rate-figure.js';
export { type PngOptions, type RenderOptions, renderPng, renderSvg } from './render.js';
export { type RewardHistory, type RewardsOptions, rewards } from './rewards.js';
export { type RunCurves, type RunsOptions, type RunsSource, runs } from './runs.js';
export { type Sample, type SamplesOptions, type SamplesSource, type ScoredSource, samples } from './samples.js';
export { browse, type SampleBrowser } from './samples-browser.js';
export type { CardSample } from './samples-cards.js';
export type { SampleFilter } from './samples-filter.js';
export { type TableOptions, type TableSource, table } from './table.js';
export { type TaskMatrix, type TaskMatrixOptions, taskMatrix } from './task-matrix.js';
export { type TemplateComparisonOptions, type TemplateLine, templateComparison } from './template-comparison.js';
export { type TensorOptions, tensor } from './tensor.js';
export { PALETTE, type Theme } from './theme.js';
export type { TokenCell, TokenView } from './token-cells.js';
export { type TokensOptions, type TokensSource, tokens } from './tokens.js';
export { ansiKey, TEXT_KEY, type TokensTextOptions, tokensAnsi, tokensText } from './tokens-text.js';
export { type TradeOffOptions, type TradeOffPoint, tradeOff } from './trade-off.js';
export {
  type Column,
  type TrainingEvaluation,
  type TrainingHistory,
  type TrainingOptions,
  type TrainingSource,
  training,
} from './training.js';
export { bundleOf, figureOf, type RunData, toFigure } from './views.js';

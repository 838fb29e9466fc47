export type { NonFiniteOptions, NonFinitePolicy } from './accidents.js';
export { NonFinite } from './accidents.js';
export type { BestOptions, StopEarlyOptions } from './best.js';
export type { CheckpointOptions } from './checkpoints/index.js';
export { combine } from './combine.js';
export { stepFlops } from './flops.js';
export type { EvaluateOptions, Evaluation, Sample } from './held-out.js';
export type { History, StepReport } from './history.js';
export type { EvalResult, HookContext, HookState, Hooks, LossContext, Objective, SavedHookState } from './hooks.js';
export type { LabelledTokens } from './labels.js';
export { jsonl } from './logs/jsonl.js';
export type { EvalRow, RunAbout, RunEnd, RunLogger } from './logs/logger.js';
export type { MlflowOptions } from './logs/mlflow.js';
export { mlflow } from './logs/mlflow.js';
export { tensorboard } from './logs/tensorboard.js';
export type { WeightMatch } from './match.js';
export type { MemoryNeed } from './memory-need.js';
export { memoryNeed } from './memory-need.js';
export type { AdafactorOptions } from './optimizers/adafactor.js';
export { adafactor } from './optimizers/adafactor.js';
export type { AdamWOptions } from './optimizers/adamw.js';
export { adamw } from './optimizers/adamw.js';
export type { GroupOptions, ParameterGroup } from './optimizers/groups.js';
export type { LionOptions } from './optimizers/lion.js';
export { lion } from './optimizers/lion.js';
export type { SgdOptions } from './optimizers/sgd.js';
export { sgd } from './optimizers/sgd.js';
export type { OptimizerName, SftOptions } from './options.js';
export type { Given, RecordedOptions } from './record/from.js';
export { fromRecord } from './record/from.js';
export { RecordedRun, readRecord, readRecords } from './record/read.js';
export { rerun } from './record/rerun.js';
export type {
  GitState,
  Hardware,
  RecordHashes,
  RecordModel,
  RecordOptions,
  RecordSession,
  RecordVersions,
  RunRecord,
  WeightsHash,
} from './record/types.js';
export * from './remedies/index.js';
export type { ResumeOptions } from './resume.js';
export { resume } from './resume.js';
export type { Driver, RunStatus, RunView } from './run.js';
export { Run } from './run.js';
export type { Schedule, ScheduleName, ScheduleOptions, WsdOptions } from './schedules.js';
export { constant, cosine, inverseSqrt, linear, polynomial, wsd } from './schedules.js';
export { sft } from './sft.js';
export type { RowStream } from './source.js';
export type { SpikeOptions } from './spikes.js';
export type { StoredTensor } from './tensors-file.js';
export type {
  BatchGradients,
  ModelSizes,
  Optimizer,
  OptimizerState,
  TrainableModel,
  TrainRow,
  UpdateOptions,
} from './types.js';

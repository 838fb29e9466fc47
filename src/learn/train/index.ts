export type { CheckpointOptions } from './checkpoint.js';
export type { History, StepReport } from './history.js';
export type { EvalResult, HookContext, Hooks } from './hooks.js';
export type { AdamWOptions } from './optimizers/adamw.js';
export { adamw } from './optimizers/adamw.js';
export type { SgdOptions } from './optimizers/sgd.js';
export { sgd } from './optimizers/sgd.js';
export type { OptimizerName, SftOptions } from './options.js';
export type { ResumeOptions } from './resume.js';
export { resume } from './resume.js';
export type { Driver, RunStatus, RunView } from './run.js';
export { Run } from './run.js';
export type { Schedule, ScheduleName, ScheduleOptions } from './schedules.js';
export { constant, cosine, linear } from './schedules.js';
export { sft } from './sft.js';
export type { RowStream } from './source.js';
export type {
  BatchGradients,
  Optimizer,
  OptimizerState,
  TrainableModel,
  TrainRow,
  UpdateOptions,
} from './types.js';

/** Sweeps: every configuration with every seed, each a trial in a process of its own, here or on Slurm; a journal; tables and figures. */
export type { Attempt } from './attempt.js';
export type { Config, Value } from './canonical.js';
export type { EndedAttempt, Engine, EngineContext, EngineSession, RunningAttempt } from './engine.js';
export { type FigureOptions, type SweepCurve, SweepFigure } from './figure.js';
export {
  type BudgetOptions,
  type BudgetSplit,
  budget,
  type Condition,
  expand,
  type Grid,
  type GridEntries,
  product,
  When,
  when,
} from './grid.js';
export { local } from './local.js';
export type { PlannedTrial, SweepOptions } from './options.js';
export type { EndStatus, Metrics, Outcome, TrialError, TrialRecord } from './records.js';
export { type ReportRow, readSweep, SweepResults, type SweepStatus } from './results.js';
export { type SlurmOptions, slurm } from './slurm.js';
export type { SummaryOptions, SummaryRow } from './summary.js';
export { Sweep, sweep } from './sweep.js';
export { readSweepFile } from './sweep-file.js';
export type { SweepRow } from './table.js';
export type { Trial, TrialContext, TrialMetrics } from './trial-types.js';

/**
 * What a model forgets while it learns, and why. Remedies are hooks and options of the loop: `train.ewc`, `train.l2sp`, `train.klAnchor`,
 * `replay`, {@link budget}; afterwards {@link wiseFt}.
 */
export { type BudgetHooks, type BudgetOptions, budget, type WithinBudget } from './budget.js';
export { Cka, type CkaOptions, cka, type LayerCka } from './cka.js';
export { type ComparedRow, Comparison, compare } from './compare.js';
export { Drift, type DriftOptions, drift, effectiveRank, type WeightDrift } from './drift.js';
export { type Exam, examFigures, examTable, publish } from './exam.js';
export { type BaseSamplesOptions, baseSamples, type Divergence, type KlOptions, klToBase } from './kl.js';
export { baseLoss, factRecall, Memory, measure, type Probe, type Recall } from './measure.js';
export type { Pair } from './pair.js';
export { Report, type ReportData, type ReportProbes, type ReportRow, report } from './report.js';
export { Said, type SaidBefore, type SaidOptions, said } from './said.js';
export { type SequenceOptions, sequence } from './sequence.js';
export { type TaskFate, TaskMatrix, type TaskMatrixOptions, taskMatrix } from './task-matrix.js';
export { type TextRow, textRows } from './text-rows.js';
export { WiseCurve, type WiseOptions, type WisePoint, wiseFt } from './wise-ft.js';

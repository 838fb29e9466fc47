/** What one optimizer step did. */
export interface StepReport {
  /** 1 for the first optimizer step. */
  step: number;
  /** Mean loss over the labelled tokens of the step (nats per token), before the update. */
  loss: number;
  /** Global L2 norm of the gradient of that loss, before clipping. */
  gradNorm: number;
  learningRate: number;
  /** Tokens read by the model, without padding. */
  tokens: number;
  /** Share of padding that rectangles of the batches would have held; nothing is computed on it here. */
  padding: number;
  /** Tokens that carry loss. */
  labelTokens: number;
  tokensPerSecond: number;
  labelTokensPerSecond: number;
  /** Seconds this step took. */
  seconds: number;
  /** Passes over the rows so far, as a fraction; of a stream whole passes. */
  epoch: number;
  /** Batches since the last step that were left out because none of their tokens carries a label. */
  skipped: number;
  /** Seconds until the end of the run, at the pace of the last steps. */
  secondsLeft?: number;
  /** Memory of the process, in bytes (resident set). */
  memory?: number;
  /** Speed of the step's matrix products as a share of `backend.matmulSpeed()`; counted as `stepFlops` says. */
  matmulShare?: number;
  /** Steps since the last one that were left out because their loss or gradient was not finite. */
  rejected?: number;
  /** Where the loss jumped: standard deviations above the mean of the losses before. */
  spike?: number;
  /** Every `detailEvery` steps: mean entropy of the predictions of the trained tokens, in nats. */
  entropy?: number;
  /** Every `detailEvery` steps: share of trained tokens that are the model's first choice. */
  tokenAccuracy?: number;
  /** Mean loss by task, where rows name theirs. */
  lossByTask?: Record<string, number>;
  /** Every `detailEvery` steps: gradient norm of every trained weight, before clipping, by name. Not part of the history. */
  gradNorms?: Record<string, number>;
}

/** Columns that are there once a step has had something for them. */
type Sparse = 'secondsLeft' | 'memory' | 'matmulShare' | 'rejected' | 'spike' | 'entropy' | 'tokenAccuracy';

/** Columns with a number for every step. */
type Dense = Exclude<keyof StepReport, Sparse | 'lossByTask' | 'gradNorms'>;

const COLUMNS: readonly Dense[] = [
  'step',
  'loss',
  'gradNorm',
  'learningRate',
  'tokens',
  'padding',
  'labelTokens',
  'tokensPerSecond',
  'labelTokensPerSecond',
  'seconds',
  'epoch',
  'skipped',
];

const SPARSE: readonly Sparse[] = ['secondsLeft', 'memory', 'matmulShare', 'rejected', 'spike', 'entropy', 'tokenAccuracy'];

/** The reports of a run by column: `aq.table(run.history)` takes the arrays as they are. Steps without a value have null. */
export type History = { [K in Dense]: number[] } & { [K in Sparse]?: (number | null)[] } & {
  /** A column for every task, named `loss/<task>`. */
  [task: `loss/${string}`]: (number | null)[];
};

export function emptyHistory(): History {
  return Object.fromEntries(COLUMNS.map(name => [name, [] as number[]])) as History;
}

export function record(history: History, report: StepReport): void {
  const before = history.step.length;
  for (const name of COLUMNS) history[name].push(report[name]);
  const sparse: Record<string, number | undefined> = {};
  for (const name of SPARSE) sparse[name] = report[name];
  for (const [task, loss] of Object.entries(report.lossByTask ?? {})) sparse[`loss/${task}`] = loss;
  const columns = history as Record<string, (number | null)[]>;
  for (const [name, value] of Object.entries(sparse)) {
    if (value === undefined) continue;
    columns[name] ??= new Array<null>(before).fill(null);
    columns[name].push(value);
  }
  for (const column of Object.values(columns)) if (column.length === before) column.push(null);
}

/** The report of the latest step, as far as the history has it. */
export function latest(history: History): StepReport | undefined {
  if (history.step.length === 0) return undefined;
  const report: Record<string, unknown> = {};
  const lossByTask: Record<string, number> = {};
  for (const [name, column] of Object.entries(history)) {
    const value = column.at(-1);
    if (value === null || value === undefined) continue;
    if (name.startsWith('loss/')) lossByTask[name.slice('loss/'.length)] = value;
    else report[name] = value;
  }
  if (Object.keys(lossByTask).length > 0) report.lossByTask = lossByTask;
  return report as unknown as StepReport;
}

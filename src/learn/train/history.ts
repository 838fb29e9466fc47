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
}

/** The reports of a run by column: `aq.table(run.history)` takes the arrays as they are. */
export type History = { [K in keyof StepReport]: StepReport[K][] };

const COLUMNS = [
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
] as const satisfies readonly (keyof StepReport)[];

export function emptyHistory(): History {
  return Object.fromEntries(COLUMNS.map(name => [name, [] as number[]])) as History;
}

export function record(history: History, report: StepReport): void {
  for (const name of COLUMNS) history[name].push(report[name]);
}

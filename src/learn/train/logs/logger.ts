import type { Sample } from '../held-out.js';
import type { StepReport } from '../history.js';
import type { RunStatus } from '../run.js';

/** What a log is told of the run it follows, whenever the run sets off. */
export interface RunAbout {
  name: string;
  /** Optimizer steps planned. */
  total: number;
  /** Steps done before: 0, or where the run goes on. */
  step: number;
  /** Every setting of the run as plain JSON. */
  config: Record<string, unknown>;
}

/** How a run came to rest. */
export interface RunEnd {
  /** 'stopped' by itself or by `run.stop()`; 'interrupted' by a signal or the stop of a cell. */
  state: 'finished' | 'stopped' | 'failed' | 'interrupted';
  status: RunStatus;
  /** Why it stopped itself. */
  reason?: string;
  error?: unknown;
}

/** Numbers that an evaluation found, with its step. */
export type EvalRow = { step: number } & Record<string, number>;

/**
 * Keeps the numbers of a run somewhere: `logs: [train.jsonl('log.jsonl'), train.tensorboard('tb')]`. A log never ends a run: one
 * that throws is named once on stderr, and the run goes on. A run that is stopped and resumed calls `onStart` again.
 */
export interface RunLogger {
  readonly name: string;
  /** Plain JSON that says where it writes; kept in the run record. */
  readonly settings?: Record<string, unknown>;
  onStart?(about: RunAbout): void | Promise<void>;
  onStep?(report: StepReport): void;
  /** After an evaluation, with the answers that were generated in it. */
  onEval?(found: EvalRow, samples: readonly Sample[]): void;
  /** After a checkpoint was written into `dir`. */
  onCheckpoint?(dir: string, step: number): void;
  onStop?(end: RunEnd): void | Promise<void>;
}

/**
 * The numbers of a step by the names that all logs use: those of the report, `loss/<task>`, and where asked for `gradNorm/<weight>`.
 * `step` is not among them.
 */
export function scalars(report: StepReport, options: { gradNorms?: boolean } = {}): Record<string, number> {
  const { lossByTask, gradNorms, step: _, ...rest } = report;
  const found: Record<string, number> = {};
  for (const [name, value] of Object.entries(rest)) if (typeof value === 'number') found[name] = value;
  for (const [task, loss] of Object.entries(lossByTask ?? {})) found[`loss/${task}`] = loss;
  if (options.gradNorms) for (const [weight, norm] of Object.entries(gradNorms ?? {})) found[`gradNorm/${weight}`] = norm;
  return found;
}

/** Says something on stderr, once. */
export class Complaint {
  readonly #about: string;
  #said = false;

  /** @param about the beginning of the sentence, e.g. 'The log runs/a.jsonl' */
  constructor(about: string) {
    this.#about = about;
  }

  say(error: unknown): void {
    if (this.#said) return;
    this.#said = true;
    const why = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${this.#about} cannot be written (${why}); the run goes on.\n`);
  }
}

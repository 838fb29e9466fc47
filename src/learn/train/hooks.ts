import type * as tf from '@tensorflow/tfjs-core';
import { TunebookError } from '../../base/core/index.js';
import type { TrainPass } from '../models/index.js';
import type { StepReport } from './history.js';
import type { Run, RunStatus } from './run.js';

/** What a hook is told. Hooks may be async; the run waits for them. */
export interface HookContext {
  run: Run;
  signal?: AbortSignal;
}

/**
 * Functions a run calls on its way. A hook that throws ends the run with an error that names the hook and the step;
 * the weights are then those of that step.
 */
export interface Hooks {
  /** Before the first step. */
  onStart?(context: HookContext): void | Promise<void>;
  /** After every optimizer step. */
  onStep?(report: StepReport, context: HookContext): void | Promise<void>;
  /** Every `evaluateEvery` steps and at the end; what it returns is kept in `run.evaluations`. */
  onEval?(report: StepReport, context: HookContext): EvalResult | Promise<EvalResult>;
  /** After a checkpoint was written; `dir` is its folder. */
  onCheckpoint?(dir: string, context: HookContext): void | Promise<void>;
  /**
   * A differentiable term added to the loss of every batch: a *sum* over its labelled positions, since the step divides
   * by the number of labelled tokens. It sees the hidden states, head, logits (on demand) and weights of the pass.
   */
  loss?(pass: TrainPass): tf.Scalar;
  /** When the run has finished, was stopped or has failed. */
  onStop?(status: RunStatus, context: HookContext): void | Promise<void>;
}

/** Named numbers an evaluation found, e.g. `{ heldOut: 0.62 }`. */
export type EvalResult = Record<string, number>;

/** Call a hook; an error in it names the hook and the step. */
export async function callHook<T>(name: string, step: number, call: () => T | Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    throw new TunebookError({
      problem: `The hook ${name} failed at step ${step}: ${cause instanceof Error ? cause.message : String(cause)}`,
      fix: 'mend the hook; the weights are those after that step, and run.resume() goes on from there',
      cause,
    });
  }
}

import * as tf from '@tensorflow/tfjs-core';
import { quote, TunebookError } from '../../base/core/index.js';
import type { TrainPass } from '../models/index.js';
import type { Evaluation, Sample } from './held-out.js';
import type { StepReport } from './history.js';
import type { LabelledTokens } from './labels.js';
import type { Run, RunStatus } from './run.js';
import type { StoredTensor } from './tensors-file.js';
import type { TrainRow } from './types.js';

/** What a hook is told. Hooks may be async; the run waits for them. */
export interface HookContext {
  run: Run;
  signal?: AbortSignal;
  /** In `onEval`: what the run's own evaluation found, where there is one. */
  evaluation?: Evaluation;
}

/** What a loss is told of the batch its pass belongs to. */
export interface LossContext {
  /** Number of the optimizer step, from 1. */
  step: number;
  rows: readonly TrainRow[];
  /** All rows there are to replay; those of them in `rows` are replayed ones. */
  replayed: ReadonlySet<TrainRow>;
  /** Row, place and weight of every position of `pass.hidden`, `pass.labels` and `pass.logits()`. */
  tokens: LabelledTokens;
}

/** What hooks must have again when their run is resumed. */
export interface HookState {
  /** Plain JSON. */
  json?: unknown;
  /** Values by names of your own; `values` is called when the checkpoint is written, for one after the other. */
  tensors?: readonly { name: string; shape: readonly number[]; size: number; values(): Float32Array }[];
}

/** The same as read back. */
export interface SavedHookState {
  json?: unknown;
  tensor(name: string): StoredTensor | undefined;
}

/** A loss before it is normalised (contract 2): the step divides the sum of numerators by the sum of denominators. */
export interface Objective {
  numerator: tf.Scalar;
  denominator: number;
}

/**
 * Functions a run calls on its way. A hook that throws ends the run with an error that names the hook and the step; the weights
 * are then those of that step, and a checkpoint is written where the run has them. They are the seam on which other ways to train
 * stand; four examples, complete and tested in tests/learn/train/examples:
 *
 * KL to the model as it was, added to the loss (Σ over the trained tokens, as the step divides by their number):
 *
 *     loss: ({ logits, hidden }, { rows, tokens }) => klToBase(logits(), baseLogits(rows, tokens))      // kl.ts
 *
 * A probe that scores what the model says with a reward, into the history of evaluations:
 *
 *     onSample: samples => ({ reward: mean(samples.map(({ got }) => reward(got))) })                    // reward-probe.ts
 *
 * Freezing by schedule: layers join one by one, the uppermost first (Howard & Ruder 2018). Weights that rest keep their memory:
 *
 *     onStart: ({ run }) => thaw(run.step), onStep: ({ step }) => thaw(step)                            // thaw.ts
 *     // thaw: for (const p of model.parameters) p.trainable = layerOf(p.name) >= layers - 1 - Math.floor(step / every)
 *
 * DPO (Rafailov et al. 2023) in place of the loss, a pair being a packed row of two segments:                // dpo.ts
 *
 *     objective(pass, { rows, tokens }) {
 *       const margins = …;      // [pairs]: β · ((log π − log π₀)(chosen) − (log π − log π₀)(rejected))
 *       return { numerator: tf.sum(tf.softplus(tf.neg(margins))), denominator: rows.length };
 *     }
 *
 * Several hooks go together as a list, `hooks: [train.ewc({ rows, strength: 5 }), train.klAnchor(), mine]`: see {@link combine}.
 */
export interface Hooks {
  /** What they are, with their settings, as plain JSON: kept in the run's record, and compared when the run is resumed. */
  readonly about?: Readonly<Record<string, unknown>>;
  /** Before the first step. */
  onStart?(context: HookContext): void | Promise<void>;
  /** After every optimizer step. */
  onStep?(report: StepReport, context: HookContext): void | Promise<void>;
  /** Whenever the run evaluates, and at the end; what it returns is kept in `run.evaluations`. */
  onEval?(report: StepReport, context: HookContext): EvalResult | Promise<EvalResult>;
  /** After the samples of an evaluation; what it returns is kept beside the rest in `run.evaluations`. */
  onSample?(samples: readonly Sample[], context: HookContext): EvalResult | Promise<EvalResult> | void | Promise<void>;
  /** After a checkpoint was written; `dir` is its folder. */
  onCheckpoint?(dir: string, context: HookContext): void | Promise<void>;
  /**
   * A differentiable term added to the loss of every batch: a *sum* over its labelled positions, since the step divides
   * by the number of labelled tokens. It sees the hidden states, head, logits (on demand) and weights of the pass.
   */
  loss?(pass: TrainPass, context: LossContext): tf.Scalar;
  /**
   * A loss in place of the cross entropy, which is then not computed. The step's loss is Σ numerators ÷ Σ denominators over its
   * batches, whatever is counted: pairs, rows, tokens.
   */
  objective?(pass: TrainPass, context: LossContext): Objective;
  /** When the run has finished, was stopped or has failed. */
  onStop?(status: RunStatus, context: HookContext): void | Promise<void>;
  /** What they must have again when the run is resumed: asked for at every checkpoint, whose files then hold it. */
  onSave?(): HookState;
  /** Before `onStart` of a run that is resumed: what `onSave` gave. */
  onLoad?(state: SavedHookState): void | Promise<void>;
  /** When the run is done or disposed: free what the hooks hold. It may be called without `onStart`. */
  onDispose?(): void;
}

/** The names of all hooks. */
export const HOOK_NAMES: readonly Exclude<keyof Hooks, 'about'>[] = [
  'onStart',
  'onStep',
  'onEval',
  'onSample',
  'onCheckpoint',
  'loss',
  'objective',
  'onStop',
  'onSave',
  'onLoad',
  'onDispose',
];

/** Named numbers an evaluation found, e.g. `{ heldOut: 0.62 }`. */
export type EvalResult = Record<string, number>;

/** Call a hook; an error in it names the hook and the step. */
export async function callHook<T>(name: string, step: number, call: () => T | Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    throw hookError(name, step, cause);
  }
}

/** The same for hooks that are not async: those inside a pass, `onSave` and `onDispose`. `made` looks at what they give. */
export function callNow<T, U = T>(
  name: 'loss' | 'objective' | 'onSave' | 'onDispose',
  step: number,
  call: () => T,
  made: (given: T) => U = given => given as unknown as U,
): U {
  try {
    return made(atOnce(call()));
  } catch (cause) {
    throw hookError(name, step, cause);
  }
}

/** What a hook gave that must not be async. */
export function atOnce<T>(given: T): T {
  const later = (given as PromiseLike<unknown> | undefined)?.then;
  if (typeof later !== 'function') return given;
  // Nobody waits for it: what it throws must not end the process.
  later.call(given, undefined, () => undefined);
  throw new Error('it is async, and the run cannot wait for this one');
}

/** What a hook inside a pass gives is one number of the graph: anything else has no gradient. */
export function scalarTerm(given: unknown): tf.Scalar {
  if (given instanceof tf.Tensor && given.size === 1) return tf.reshape(given, []);
  const found = given instanceof tf.Tensor ? `a tensor of shape [${given.shape}]` : quote(given);
  throw new Error(`it gave ${found} where a scalar tensor is needed, made with tf.sum(…)`);
}

/** The same for what stands in place of the loss. */
export function checkedObjective(given: Objective | undefined): Objective {
  if (typeof given?.denominator !== 'number')
    throw new Error(`it gave ${quote(given)} where { numerator, denominator } is needed: a scalar tensor and a number`);
  return { numerator: scalarTerm(given.numerator), denominator: given.denominator };
}

function hookError(name: string, step: number, cause: unknown): TunebookError {
  return new TunebookError({
    problem: `The hook ${name} failed at step ${step}: ${cause instanceof Error ? cause.message : String(cause)}`,
    fix: 'mend the hook; the weights are those after the last whole step, and run.resume() goes on from there',
    cause,
  });
}

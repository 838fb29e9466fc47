import { host, whyNotWritten } from '../../base/core/index.js';
import { type BestState, BestWatch, saveBest } from './best.js';
import { warn } from './checkpoints/index.js';
import type { StepReport } from './history.js';
import { callHook, type EvalResult, type HookContext } from './hooks.js';
import type { SftPlan } from './options.js';
import type { Run } from './run.js';

/** The evaluations of a run: when they are due, what they call, and what follows from them. */
export class Evaluations {
  readonly #plan: SftPlan;
  readonly #signal: AbortSignal | undefined;
  readonly #watch: BestWatch | undefined;

  constructor(plan: SftPlan, signal: AbortSignal | undefined, best: BestState | undefined) {
    this.#plan = plan;
    this.#signal = signal;
    this.#watch = plan.best && new BestWatch(plan.best, best);
  }

  /** What the search for the best has found. */
  get best(): BestState | undefined {
    return this.#watch?.state;
  }

  /** The run was stopped because nothing got better. */
  get over(): boolean {
    return (this.best?.since ?? 0) >= (this.#plan.best?.patience ?? Number.POSITIVE_INFINITY);
  }

  get atStart(): boolean {
    return this.#plan.heldOut?.atStart ?? false;
  }

  due(step: number, total: number): boolean {
    const { heldOut, hooks, evaluateEvery } = this.#plan;
    const every = heldOut?.every ?? evaluateEvery;
    return Boolean(heldOut || hooks.onEval) && (step === total || (every !== undefined && step % every === 0));
  }

  /** Whether a run that is done after `step` has yet to be evaluated: where rows were left out, its last step is not the last planned. */
  missed(step: number, run: Run): boolean {
    return step > 0 && step < run.total && this.due(run.total, run.total) && run.evaluations.at(-1)?.step !== step;
  }

  /** Evaluate after a step (0: before the first), keep what was found in the run, keep the best weights, stop the run if it is time. */
  async take(step: number, report: StepReport | undefined, run: Run): Promise<void> {
    const { heldOut, hooks } = this.#plan;
    const signals = [this.#signal, host()?.signal].filter(signal => signal !== undefined);
    const evaluation = await heldOut?.evaluate(step, AbortSignal.any(signals));
    // Stopped on the way: half an evaluation says nothing.
    if (heldOut && !evaluation) return;
    const context: HookContext = { run, signal: this.#signal, evaluation };
    const found: EvalResult = {};
    if (evaluation) {
      found.heldOut = evaluation.loss;
      const tasks = Object.entries(evaluation.byTask);
      if (tasks.length > 1) for (const [task, loss] of tasks) found[`heldOut/${task}`] = loss;
      run.samples.push(...evaluation.samples);
      if (evaluation.samples.length > 0)
        Object.assign(found, await callHook('onSample', step, () => hooks.onSample?.(evaluation.samples, context)));
    }
    if (report && hooks.onEval) Object.assign(found, await callHook('onEval', step, () => hooks.onEval!(report, context)));
    // The step is ours to say, whatever a hook returned.
    run.evaluations.push(Object.assign({ step }, found, { step }));
    if (report) await this.#judge(step, found, run);
  }

  async #judge(step: number, found: EvalResult, run: Run): Promise<void> {
    const { best: options, checkpoint, model } = this.#plan;
    if (!this.#watch) return;
    const { best, stop } = this.#watch.see(step, found);
    if (best && options!.keep) {
      const { dir } = checkpoint!;
      // The run is not lost for it; the folder then holds the best before.
      await saveBest(dir, model, { step, ...found }).catch(error =>
        warn(`The best weights, of step ${step}, could not be written to ${dir}: ${whyNotWritten(error)}. The run goes on.`),
      );
    }
    if (!stop || step === run.total || run.status === 'done') return;
    const { value, step: at } = this.#watch.state;
    run.stop(`no better for ${options!.patience} evaluations: the best ${this.#watch.metric}, ${value}, was at step ${at}`);
  }
}

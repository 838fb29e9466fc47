import { BadInput, host, type Progress, progress, setView, shield } from '../../base/core/index.js';
import type { EncodeSummary, PackReport } from '../../prepare/tokens/index.js';
import type { Sample } from './held-out.js';
import { emptyHistory, type History, latest, record, type StepReport } from './history.js';
import { callHook } from './hooks.js';
import type { TrainableModel } from './types.js';

/** Why a run is at rest. */
export type RunStatus = 'ready' | 'running' | 'paused' | 'stopped' | 'done' | 'failed';

/** The work behind a {@link Run}: one call, one optimizer step. `align` will drive its trainers through the same door. */
export interface Driver {
  readonly name: string;
  readonly model: TrainableModel;
  /** Optimizer steps planned in all. */
  readonly total: number;
  readonly encoding?: EncodeSummary;
  readonly packing?: PackReport;
  /** Before the first step of this process. */
  start?(run: Run): Promise<void>;
  /** One optimizer step, or undefined when there is nothing left to do. */
  step(): Promise<StepReport | undefined>;
  /** After the step is in the history: hooks, checkpoints. */
  reported?(report: StepReport, run: Run): Promise<void>;
  /** The run came to rest: finished, stopped or failed, of which `error` says why. */
  ended?(status: RunStatus, run: Run, error?: unknown): Promise<void>;
  /** Free what the driver holds beside the model (optimizer state). */
  dispose?(): void;
}

/** What a {@link Run} shows of itself, as `show` draws it: the view of kind 'run'. */
export interface RunView {
  name: string;
  total: number;
  status: RunStatus;
  history: History;
}

/**
 * A training run (contract 5). Pulling it drives it – `for await (const report of run)` or `await run.finish()` – and
 * nothing else does: displays and loggers subscribe with {@link onStep}. `break` pauses; iterating again goes on.
 */
export class Run implements AsyncIterable<StepReport> {
  readonly name: string;
  /** The model being trained; `train.resume` may have loaded it. */
  readonly model: TrainableModel;
  /** Optimizer steps planned in all. */
  readonly total: number;
  /**
   * What became of the conversations it was given: rows dropped (with reasons) and truncated; of streamed rows, those read so
   * far. Undefined for encoded rows.
   */
  readonly encoding: EncodeSummary | undefined;
  /** How `packing` put the rows together: packs, fill, rows too long. Undefined without packing and for streamed rows. */
  readonly packing: PackReport | undefined;
  /** All reports so far by column: `aq.table(run.history)`. */
  readonly history: History;
  /** What `hooks.onEval` found, with the step: `[{ step: 50, heldOut: 0.62 }, …]`. */
  readonly evaluations: ({ step: number } & Record<string, number>)[] = [];
  /** What the model said at evaluations, with the step: see `evaluate.samples`. */
  readonly samples: Sample[] = [];
  /** Checkpoints written, with their steps; older ones may be gone from disk. */
  readonly checkpoints: { step: number; dir: string }[] = [];
  readonly #driver: Driver;
  readonly #listeners = new Set<(report: StepReport) => void>();
  #signal: AbortSignal | undefined;
  #status: RunStatus = 'ready';
  #started = false;
  #driven = false;
  #stopping = false;
  #stopReason: string | undefined;
  #disposed = false;
  #progress: Progress | undefined;

  constructor(driver: Driver, options: { signal?: AbortSignal; history?: History } = {}) {
    this.#driver = driver;
    this.name = driver.name;
    this.model = driver.model;
    this.total = driver.total;
    this.encoding = driver.encoding;
    this.packing = driver.packing;
    this.history = options.history ?? emptyHistory();
    this.#signal = options.signal;
  }

  get status(): RunStatus {
    return this.#status;
  }

  /** Optimizer steps done. */
  get step(): number {
    return this.history.step.at(-1) ?? 0;
  }

  /** The report of the latest step. */
  get last(): StepReport | undefined {
    return latest(this.history);
  }

  /** Call `listener` after every step; returns the function that unsubscribes. Listeners never drive the run. */
  onStep(listener: (report: StepReport) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * End after the current step. {@link resume} goes on.
   * @param why kept in {@link stopReason}
   */
  stop(why?: string): void {
    this.#stopping = true;
    this.#stopReason = why;
  }

  /** Why the run was stopped, where it stopped itself: 'no better for 3 evaluations …'. */
  get stopReason(): string | undefined {
    return this.#stopReason;
  }

  /**
   * Let a run that was stopped or paused go on: `await run.resume().finish()` or `for await (… of run.resume())`.
   * @param options.signal replaces the signal the run was started with (one that has been aborted is dropped).
   */
  resume(options: { signal?: AbortSignal } = {}): this {
    this.#stopping = false;
    this.#stopReason = undefined;
    if (options.signal ?? this.#signal?.aborted) this.#signal = options.signal;
    if (this.#status === 'stopped' || this.#status === 'failed') this.#status = 'paused';
    return this;
  }

  /** Drive the run to its end (or to where it is stopped); returns the history. */
  async finish(): Promise<History> {
    for await (const _ of this);
    return this.history;
  }

  /** Free optimizer state. Done by itself when the run has finished; the model is not touched. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#driver.dispose?.();
  }

  [Symbol.asyncIterator](): AsyncIterator<StepReport> {
    if (this.#driven)
      throw new BadInput({
        problem: `The run "${this.name}" is already being driven by another loop`,
        fix: 'let one loop (or finish()) drive it and follow it elsewhere with run.onStep(…)',
      });
    this.#driven = true;
    const end: IteratorReturnResult<undefined> = { done: true, value: undefined };
    let over = false;
    // A second next() before the first has answered waits for it: steps never overlap.
    let queue: Promise<unknown> = Promise.resolve();
    const advance = async (): Promise<IteratorResult<StepReport>> => {
      const report = over ? undefined : await this.#advance();
      if (report) return { done: false, value: report };
      over = true;
      return end;
    };
    return {
      next: () => {
        const answer = queue.then(advance);
        queue = answer.catch(() => {
          over = true;
        });
        return answer;
      },
      return: async () => {
        await queue;
        if (!over) this.#rest(this.#status === 'running' ? 'paused' : this.#status);
        over = true;
        return end;
      },
    };
  }

  /** One step, or undefined when the run came to rest. */
  async #advance(): Promise<StepReport | undefined> {
    try {
      this.#refuseWhatCannotGoOn();
      if (this.#status === 'done') return this.#rest('done');
      if (this.#interrupted()) return await this.#end('stopped');
      this.#status = 'running';
      this.#progress ??= progress(this.name, { total: this.total });
      if (!this.#started) {
        this.#started = true;
        await this.#driver.start?.(this);
      }
      // The macrotask queue: interrupts, messages of the kernel and timers get their turn every step.
      await new Promise<void>(resolve => setImmediate(resolve));
      const report = this.step < this.total ? await shield(() => this.#driver.step()) : undefined;
      if (!report) return await this.#end('done');
      record(this.history, report);
      this.#progress.update(report.step, `loss ${report.loss.toFixed(3)}`);
      for (const listener of this.#listeners) await callHook('onStep', report.step, () => listener(report));
      await this.#driver.reported?.(report, this);
      return report;
    } catch (error) {
      await this.#end('failed', error).catch(() => undefined);
      throw error;
    }
  }

  #refuseWhatCannotGoOn(): void {
    if (this.#status === 'failed')
      throw new BadInput({
        problem: `The run "${this.name}" has failed`,
        fix: 'call run.resume() to go on after the failed step, or start a new run',
      });
    if (this.#disposed && this.#status !== 'done')
      throw new BadInput({ problem: `The run "${this.name}" was disposed`, fix: 'start a new run' });
  }

  #interrupted(): boolean {
    return this.#stopping || this.#signal?.aborted === true || host()?.signal?.aborted === true;
  }

  async #end(status: RunStatus, error?: unknown): Promise<undefined> {
    this.#rest(status);
    await this.#driver.ended?.(status, this, error);
    if (status === 'done') this.dispose();
    return undefined;
  }

  #rest(status: RunStatus): undefined {
    this.#status = status;
    this.#driven = false;
    this.#progress?.finish(status);
    this.#progress = undefined;
    return undefined;
  }
}

setView(Run, ({ name, total, status, history }) => {
  const data: RunView = { name, total, status, history };
  return { kind: 'run', data };
});

import { BadInput, host, onTermination, type Progress, progress, setView, shield } from '../../base/core/index.js';
import type { EncodeSummary, PackReport } from '../../prepare/tokens/index.js';
import { warn } from './checkpoints/index.js';
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
  /** Write a checkpoint of the run as it is after its last step, into its folder or another; returns the checkpoint's folder. */
  save?(run: Run, dir?: string): Promise<string>;
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
  readonly evaluations: ({ step: number } & Record<string, number>)[];
  /** What the model said at evaluations, with the step: see `evaluate.samples`. */
  readonly samples: Sample[];
  /** Checkpoints written, with their steps; older ones may be gone from disk. */
  readonly checkpoints: { step: number; dir: string }[] = [];
  readonly #driver: Driver;
  readonly #listeners = new Set<(report: StepReport) => void>();
  #signal: AbortSignal | undefined;
  #status: RunStatus = 'ready';
  #started = false;
  #driven = false;
  /** Number of the loop that drives the run, and the signal of the cell it runs in. */
  #loop = 0;
  #cell: AbortSignal | undefined;
  /** Inside a step and what belongs to it. */
  #busy = false;
  #stopping = false;
  #stopReason: string | undefined;
  #disposed = false;
  /** The step that is being made, and the checkpoint that is being written: they wait for each other. */
  #stepping: Promise<unknown> | undefined;
  #saving: Promise<unknown> | undefined;
  #progress: Progress | undefined;
  /** Take back what is done at SIGINT and SIGTERM. */
  #unhandle: (() => void) | undefined;

  constructor(
    driver: Driver,
    options: { signal?: AbortSignal; history?: History; evaluations?: Run['evaluations']; samples?: Sample[] } = {},
  ) {
    this.#driver = driver;
    this.name = driver.name;
    this.model = driver.model;
    this.total = driver.total;
    this.encoding = driver.encoding;
    this.packing = driver.packing;
    this.history = options.history ?? emptyHistory();
    this.evaluations = options.evaluations ?? [];
    this.samples = options.samples ?? [];
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
    // An interrupt stops by force a cell whose own code, a hook of it say, does not answer: its loop will never come back.
    if (this.#driven && this.#cell?.aborted && host()?.signal !== this.#cell) {
      this.#loop++;
      this.#rest('paused');
    }
    this.#stopping = false;
    this.#stopReason = undefined;
    if (options.signal ?? this.#signal?.aborted) this.#signal = options.signal;
    if (this.#status === 'stopped' || this.#status === 'failed') this.#status = 'paused';
    return this;
  }

  /**
   * Write a checkpoint of the run as it is after its last step, beside those it writes by itself: when the disk of its own folder is full,
   * say, into another. A step that is being made is waited for.
   * @param dir default: the run's `checkpoint.dir`
   * @returns the folder of the checkpoint, for `train.resume`
   */
  async save(dir?: string): Promise<string> {
    const { save } = this.#driver;
    if (!save || this.#disposed)
      throw new BadInput({
        problem: this.#disposed ? `The run "${this.name}" is over` : `The run "${this.name}" cannot be saved`,
        fix: 'write its weights: run.model.save(dir)',
      });
    await this.#stepping?.catch(() => undefined);
    const saving = save.call(this.#driver, this, dir);
    this.#saving = saving;
    return saving;
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
    this.#cell = host()?.signal;
    const loop = ++this.#loop;
    const end: IteratorReturnResult<undefined> = { done: true, value: undefined };
    let over = false;
    // A second next() before the first has answered waits for it: steps never overlap.
    let queue: Promise<unknown> = Promise.resolve();
    const advance = async (): Promise<IteratorResult<StepReport>> => {
      if (loop !== this.#loop) over = true;
      const report = over ? undefined : await this.#advance();
      // The step during which it was stopped is the last.
      if (this.#status !== 'running') over = true;
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
        const broken = !over && loop === this.#loop;
        over = true;
        // A loop that an interrupt cuts ends the run as stop() does; one that is left pauses it.
        if (broken && this.#status === 'running' && this.#interrupted()) await shield(() => this.#end('stopped'));
        else if (broken) this.#rest(this.#status === 'running' ? 'paused' : this.#status);
        return end;
      },
    };
  }

  /** One step, or undefined when the run came to rest. */
  async #advance(): Promise<StepReport | undefined> {
    this.#busy = true;
    try {
      this.#refuseWhatCannotGoOn();
      if (this.#status === 'done') return this.#rest('done');
      if (this.#interrupted()) return await shield(() => this.#end('stopped'));
      this.#status = 'running';
      this.#unhandle ??= onTermination(this.name, 'ends after this step', signal => this.#terminate(signal));
      this.#progress ??= progress(this.name, { total: this.total, stop: () => this.stop('Stop button') });
      if (!this.#started) {
        this.#started = true;
        await this.#driver.start?.(this);
      }
      await this.#saving?.catch(() => undefined);
      const { report, told } = await shield(() => this.#step());
      if (report && !told) await this.#tell(report);
      return report;
    } catch (error) {
      await shield(() => this.#end('failed', error)).catch(() => undefined);
      throw error;
    } finally {
      this.#busy = false;
    }
  }

  /**
   * What an interrupt of a cell must not cut: the step and, where the interrupt came meanwhile, all that there is to do until the run is at
   * rest. Between two shields the kernel may end the cell, and its timers with it.
   */
  async #step(): Promise<{ report?: StepReport; told?: boolean }> {
    // The macrotask queue: interrupts, messages of the kernel and timers get their turn every step.
    await new Promise<void>(resolve => setImmediate(resolve));
    if (this.#interrupted()) return { report: await this.#end('stopped') };
    const stepping = this.step < this.total ? this.#driver.step() : undefined;
    this.#stepping = stepping;
    const report = await stepping;
    if (!report) return { report: await this.#end('done') };
    record(this.history, report);
    if (!this.#interrupted()) return { report };
    await this.#tell(report);
    await this.#end('stopped');
    return { report, told: true };
  }

  /** At a signal that ends the process: the step that is being made is the last; where none is, the run comes to rest now. */
  #terminate(signal: string): void {
    this.stop(signal);
    if (!this.#busy) void shield(() => this.#end('stopped')).catch(error => warn((error as Error).message));
  }

  /** Let everybody know of a step. */
  async #tell(report: StepReport): Promise<void> {
    this.#progress?.update(report.step, `loss ${report.loss.toFixed(3)}`);
    for (const listener of this.#listeners) await callHook('onStep', report.step, () => listener(report));
    await this.#driver.reported?.(report, this);
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
    const unhandle = this.#unhandle;
    this.#unhandle = undefined;
    this.#rest(status);
    try {
      await this.#driver.ended?.(status, this, error);
    } finally {
      unhandle?.();
    }
    if (status === 'done') this.dispose();
    return undefined;
  }

  #rest(status: RunStatus): undefined {
    this.#status = status;
    this.#driven = false;
    this.#progress?.finish(status);
    this.#progress = undefined;
    this.#unhandle?.();
    this.#unhandle = undefined;
    return undefined;
  }
}

setView(Run, ({ name, total, status, history }) => {
  const data: RunView = { name, total, status, history };
  return { kind: 'run', data };
});

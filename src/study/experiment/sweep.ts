import type { ColumnTable } from 'arquero';
import { BadInput, host, onTermination, setView, type View, viewOf } from '../../base/core/index.js';
import { drive } from './driver.js';
import type { FigureOptions, SweepFigure } from './figure.js';
import { type CheckedOptions, checkOptions, type SweepOptions } from './options.js';
import { SweepState, type TrialRecord } from './records.js';
import { readState, SweepResults, type SweepStatus } from './results.js';
import type { SummaryOptions, SummaryRow } from './summary.js';

/**
 * Many trials of one module: every configuration with every seed. Pulling it drives it (`for await (const record of sweep)`, or
 * `await sweep.finish()`); what was done before, by this process or by one that was killed, is not done again.
 */
export class Sweep {
  readonly name: string;
  /** Absolute. */
  readonly folder: string;
  /** Trials planned. */
  readonly total: number;
  readonly #options: CheckedOptions;
  #stop = new AbortController();
  #driving = false;
  #seen: SweepResults;

  constructor(options: SweepOptions) {
    this.#options = checkOptions(options);
    this.name = this.#options.name;
    this.folder = this.#options.folder;
    this.total = this.#options.plan.length;
    this.#seen = new SweepResults(this.folder, new SweepState(), this.#shape);
  }

  /** The trials planned, seed by seed. */
  get trials(): readonly { id: string; config: Record<string, unknown>; seed: number }[] {
    return this.#options.plan;
  }

  get #shape(): { ids: string[]; budgeted: boolean } {
    return { ids: this.#options.plan.map(({ id }) => id), budgeted: this.#options.budgeted };
  }

  /** Drive the sweep, one record at a time. `break` ends what runs on this machine in good order; Slurm's jobs go on. */
  [Symbol.asyncIterator](): AsyncGenerator<TrialRecord, void> {
    return this.#drive(false);
  }

  /** Drive the sweep to its end, or to {@link stop}. Failed trials are results: see `status()`. */
  async finish(): Promise<this> {
    for await (const _ of this.#drive(false));
    return this;
  }

  /**
   * Come to rest soon: trials that run on this machine are ended and made again later; Slurm's jobs go on without a driver, and the
   * next one takes them over.
   */
  stop(): void {
    this.#stop.abort();
  }

  /** End everything that was begun, Slurm's jobs too, also what a driver that is no more has left. Results that are there are kept. */
  async cancel(): Promise<void> {
    if (this.#driving)
      throw new BadInput({ problem: 'this sweep is being driven here', fix: 'call stop() first and wait for its end' });
    for await (const _ of this.#drive(true));
  }

  /** What the journal says now; also while another process drives the sweep. */
  async results(): Promise<SweepResults> {
    const state = await readState(this.folder);
    this.#seen = new SweepResults(this.folder, state ?? new SweepState(), this.#shape);
    return this.#seen;
  }

  async status(): Promise<SweepStatus> {
    return (await this.results()).status;
  }

  /** One row for every result, as an arquero table: `trial`, `seed`, the settings, the metrics, `status`, `error`, `seconds`, `attempt`. */
  async table(): Promise<ColumnTable> {
    return (await this.results()).table();
  }

  /** A metric by configuration over the seeds: n, mean, standard deviation, 95 % interval. */
  async summary(options: SummaryOptions = {}): Promise<SummaryRow[]> {
    return (await this.results()).summary(options);
  }

  /** A metric against a setting with intervals over seeds; along a budget on a logarithmic axis. Show draws it. */
  async figure(options: FigureOptions = {}): Promise<SweepFigure> {
    return (await this.results()).figure(options);
  }

  async csv(path: string): Promise<void> {
    await (await this.results()).csv(path);
  }

  async parquet(path: string): Promise<void> {
    await (await this.results()).parquet(path);
  }

  async *#drive(cancel: boolean): AsyncGenerator<TrialRecord, void> {
    if (this.#driving) throw new BadInput({ problem: 'this sweep has a driver already', fix: 'use one loop, or finish() alone' });
    this.#driving = true;
    this.#stop = new AbortController();
    const stop = () => this.stop();
    const signals = [this.#options.signal, host()?.signal].filter(signal => signal !== undefined);
    for (const signal of signals) {
      if (signal.aborted) stop();
      else signal.addEventListener('abort', stop, { once: true });
    }
    const unhandle = onTermination(this.name, 'comes to rest', stop);
    try {
      yield* drive(this.#options, { stop: this.#stop.signal, cancel, ask: stop });
    } finally {
      for (const signal of signals) signal.removeEventListener('abort', stop);
      this.#driving = false;
      await this.results();
      unhandle();
    }
  }

  /** How a sweep describes itself: its results as they were last read. */
  view(): View {
    return viewOf(this.#seen)!;
  }
}

setView(Sweep, sweep => sweep.view());

/**
 * Plan a sweep. Nothing runs until it is driven: `const results = await sweep({ trial: './trial.ts', grid: { … }, seeds: 5 }).finish()`.
 * @throws BadInput for options, settings or seeds that cannot be used
 */
export function sweep(options: SweepOptions): Sweep {
  return new Sweep(options);
}

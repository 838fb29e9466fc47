import { host } from '../../../base/core/index.js';
import type { StepReport } from '../history.js';
import type { RunAbout, RunEnd, RunLogger } from '../logs/logger.js';
import { Complaint } from '../logs/logger.js';
import type { Driver, Run, RunStatus } from '../run.js';

/** A driver whose run is followed by logs. What they throw is said once and never reaches the run. */
export class WatchedDriver implements Driver {
  readonly #driver: Driver;
  readonly #logs: readonly { log: RunLogger; complaint: Complaint }[];
  readonly #config: () => Record<string, unknown>;
  readonly #signal: AbortSignal | undefined;
  #awake = false;
  /** What of the run's lists the logs have been told. */
  #told: Record<'evaluations' | 'samples' | 'checkpoints', number> | undefined;

  constructor(driver: Driver, logs: readonly RunLogger[], config: () => Record<string, unknown>, signal?: AbortSignal) {
    this.#driver = driver;
    this.#logs = logs.map(log => ({ log, complaint: new Complaint(`The log ${log.name}`) }));
    this.#config = config;
    this.#signal = signal;
  }

  get name(): Driver['name'] {
    return this.#driver.name;
  }

  get model(): Driver['model'] {
    return this.#driver.model;
  }

  get total(): Driver['total'] {
    return this.#driver.total;
  }

  get encoding(): Driver['encoding'] {
    return this.#driver.encoding;
  }

  get packing(): Driver['packing'] {
    return this.#driver.packing;
  }

  async start(run: Run): Promise<void> {
    await this.#wake(run);
    await this.#driver.start?.(run);
    this.#news(run);
  }

  step(): Promise<StepReport | undefined> {
    return this.#driver.step();
  }

  async reported(report: StepReport, run: Run): Promise<void> {
    if (!this.#awake) await this.#wake(run);
    for (const { log, complaint } of this.#logs) attempt(complaint, () => log.onStep?.(report));
    try {
      await this.#driver.reported?.(report, run);
    } finally {
      this.#news(run);
    }
  }

  async ended(status: RunStatus, run: Run, error?: unknown): Promise<void> {
    try {
      await this.#driver.ended?.(status, run, error);
    } finally {
      this.#news(run);
      if (this.#awake) await this.#sleep(status, run, error);
    }
  }

  async save(run: Run, dir?: string): Promise<string> {
    const folder = await this.#driver.save!(run, dir);
    this.#news(run);
    return folder;
  }

  dispose(): void {
    this.#driver.dispose?.();
  }

  async #wake(run: Run): Promise<void> {
    this.#awake = true;
    this.#told ??= { evaluations: run.evaluations.length, samples: run.samples.length, checkpoints: run.checkpoints.length };
    const about: RunAbout = { name: run.name, total: run.total, step: run.step, config: this.#config() };
    for (const { log, complaint } of this.#logs) await attempt(complaint, () => log.onStart?.(about));
  }

  async #sleep(status: RunStatus, run: Run, error: unknown): Promise<void> {
    this.#awake = false;
    const interrupted = this.#signal?.aborted || host()?.signal?.aborted;
    const state = status === 'done' ? 'finished' : status === 'failed' ? 'failed' : interrupted ? 'interrupted' : 'stopped';
    const end: RunEnd = {
      state,
      status,
      ...(run.stopReason && { reason: run.stopReason }),
      ...(error !== undefined && { error }),
    };
    await Promise.all(this.#logs.map(({ log, complaint }) => attempt(complaint, () => log.onStop?.(end))));
  }

  #news(run: Run): void {
    const told = this.#told;
    if (!told) return;
    for (const found of run.evaluations.slice(told.evaluations)) {
      const said = run.samples.slice(told.samples).filter(({ step }) => step === found.step);
      for (const { log, complaint } of this.#logs) attempt(complaint, () => log.onEval?.(found, said));
    }
    for (const { dir, step } of run.checkpoints.slice(told.checkpoints))
      for (const { log, complaint } of this.#logs) attempt(complaint, () => log.onCheckpoint?.(dir, step));
    const { evaluations, samples, checkpoints } = run;
    this.#told = { evaluations: evaluations.length, samples: samples.length, checkpoints: checkpoints.length };
  }
}

async function attempt(complaint: Complaint, call: () => void | Promise<void>): Promise<void> {
  try {
    await call();
  } catch (error) {
    complaint.say(error);
  }
}

import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BadInput, isFileError, Unavailable, whyNotWritten } from '../../base/core/index.js';
import { type Attempt, attemptFolder, type BatchHeader, FILES, type Result } from './attempt.js';
import { type Code, keepCode, readCode } from './code.js';
import type { EndedAttempt, EngineSession } from './engine.js';
import { identity } from './identity.js';
import { Journal } from './journal.js';
import { Lock } from './lock.js';
import type { CheckedOptions, PlannedTrial } from './options.js';
import { type JournalRecord, type OpenAttempt, SweepState, type TrialRecord } from './records.js';
import { JOURNAL } from './results.js';
import { Watch } from './watch.js';

/** Attempts in a row that are cut off before a trial counts as failed. */
const MOST_LOST = 5;

/** What a driver runs that begins nothing. */
const NO_CODE: Code = { hash: '', entry: '', compiled: new Map() };

/** How a driver is told to end. */
export interface DriverControl {
  /** Aborted when the driver shall come to rest. */
  readonly stop: AbortSignal;
  /** End what runs, too, wherever it runs; nothing new is begun. */
  readonly cancel: boolean;
  /** Asks the driver to end: the button of its progress. */
  ask(): void;
}

/**
 * Drive a sweep to its end: take over what earlier drivers left, begin what is missing, and write down what ends. Yields each
 * trial's record when it is in the journal. One driver at a time has the folder.
 */
export async function* drive(options: CheckedOptions, control: DriverControl): AsyncGenerator<TrialRecord, void> {
  const { folder } = options;
  // First, so that a trial that does not compile leaves nothing behind. To end what runs no code is needed.
  const code = control.cancel ? NO_CODE : await readCode(options.trial, 'trial');
  try {
    await mkdir(join(folder, 'trials'), { recursive: true });
    yield* drivenFolder(options, control, code);
  } catch (error) {
    throw isFileError(error) ? unwritable(folder, error) : error;
  }
}

/** Drive the sweep of a folder that is there. */
async function* drivenFolder(options: CheckedOptions, control: DriverControl, code: Code): AsyncGenerator<TrialRecord, void> {
  const { folder, engine, plan } = options;
  const lock = await Lock.take(folder);
  let journal: Journal | undefined;
  let session: EngineSession | undefined;
  let work: Work | undefined;
  const state = new SweepState();
  try {
    journal = await Journal.open(join(folder, JOURNAL), state.note);
    if (!control.cancel) checkChanged(options, state, code.hash);
    const header: BatchHeader = {
      folder,
      trial: options.trial,
      code: code.hash,
      files: await keepCode(code, join(folder, 'code')),
    };
    const { pid, host } = identity();
    const opening: JournalRecord = {
      type: 'open',
      at: new Date().toISOString(),
      name: options.name,
      trial: options.trial,
      code: code.hash,
      engine: engine.name,
      host,
      pid,
    };
    await journal.append([opening]);
    const { name, timeout, grace, concurrency, threads, memory, env } = options;
    session = await engine.open({
      folder,
      name,
      header,
      journal,
      jobs: state.jobs,
      timeout,
      grace,
      concurrency,
      threads,
      memory,
      env,
      signal: control.stop,
    });
    work = new Work(options, state, code.hash);
    await session.adopt(await openAttempts(folder, plan, state));
    yield* loop(options, control, { state, journal, session, work });
  } finally {
    // Left in the middle, by `break` or by an error.
    if (session && journal && work && session.open > 0 && !session.detached) await endAll(session, journal, work);
    session?.close();
    await journal?.close();
    await lock.release();
  }
}

function unwritable(folder: string, cause: NodeJS.ErrnoException): Unavailable {
  return new Unavailable({
    problem: "the sweep's folder cannot be written",
    where: { file: folder },
    found: `${whyNotWritten(cause)} (${cause.code}${cause.path ? `, ${cause.path}` : ''})`,
    fix: 'make room or give another folder, and run the sweep again: what is in its journal is kept',
    cause,
  });
}

interface Parts {
  state: SweepState;
  journal: Journal;
  session: EngineSession;
  work: Work;
}

async function* loop(
  options: CheckedOptions,
  control: DriverControl,
  { state, journal, session, work }: Parts,
): AsyncGenerator<TrialRecord, void> {
  const watch = new Watch(options, state, session, control.ask);
  try {
    for (let stopped = false; ; ) {
      if (control.stop.aborted || control.cancel || work.unusable) {
        if (!control.cancel && !work.unusable && session.detached) break;
        if (!stopped) await session.stop();
        stopped = true;
      } else await work.begin(session);
      if (session.open === 0 && (stopped || work.none)) break;
      const records = (await session.wait()).map(each => work.record(each, stopped));
      if (records.length > 0) await journal.append(records);
      for (const record of records) {
        state.note(record);
        yield record;
      }
      await watch.update();
    }
    if (work.unusable) throw work.unusable;
  } finally {
    watch.finish();
  }
}

async function endAll(session: EngineSession, journal: Journal, work: Work): Promise<void> {
  await session.stop();
  while (session.open > 0) {
    const records = (await session.wait()).map(each => work.record(each, true));
    // It may be the journal that failed: the next driver finds in their folders what became of them.
    if (records.length > 0) await journal.append(records).catch(() => undefined);
  }
}

/** What is to be begun, and what becomes of what ended. */
class Work {
  readonly #options: CheckedOptions;
  readonly #state: SweepState;
  readonly #code: string;
  /** To be begun, the next one last. */
  readonly #pending: PlannedTrial[];
  readonly #retries = new Map<string, number>();
  /** The trial's module cannot even be loaded: it fails for every configuration alike, and that is no result. */
  unusable: BadInput | undefined;

  constructor(options: CheckedOptions, state: SweepState, code: string) {
    this.#options = options;
    this.#state = state;
    this.#code = code;
    this.#pending = options.plan.filter(({ id }) => this.#isMissing(id)).reverse();
  }

  get none(): boolean {
    return this.#pending.length === 0;
  }

  #isMissing(id: string): boolean {
    const { open, last } = this.#state.trials.get(id) ?? {};
    if (open) return false;
    if (!last || last.status === 'interrupted' || last.status === 'lost') return true;
    if (last.code !== this.#code && this.#options.changed === 'new') return true;
    return last.status !== 'done' && this.#options.retryFailed;
  }

  async begin(session: EngineSession): Promise<void> {
    for (;;) {
      const count = Math.min(session.room(), this.#pending.length);
      if (count === 0) return;
      const next = this.#pending.slice(-count).reverse();
      const attempts = next.map(({ id, config, seed }) => ({ id, attempt: this.#state.trial(id).attempts + 1, config, seed }));
      const begun = await session.begin(attempts);
      this.#pending.length -= begun;
      for (const { id, attempt } of attempts.slice(0, begun)) {
        const trial = this.#state.trial(id);
        trial.attempts = attempt;
        trial.open = { attempt };
      }
      if (begun < count) return;
    }
  }

  /** The record of an attempt that ended; what is to be made again is pending then. */
  record({ attempt, result }: EndedAttempt, stopped: boolean): TrialRecord {
    const { id, config, seed } = attempt;
    const { phase, code = this.#code, ...outcome } = result;
    if (phase === 'load') {
      this.unusable ??= unusable(this.#options.trial, result);
      outcome.status = 'interrupted';
    } else if (outcome.status === 'interrupted' && !stopped) outcome.status = 'lost';
    if (outcome.status === 'lost' && this.#state.trial(id).lost + 1 >= MOST_LOST) {
      outcome.status = 'failed';
      outcome.error = { message: `its process was lost or ended from outside ${MOST_LOST} times in a row` };
    }
    const record: TrialRecord = {
      type: 'end',
      at: new Date().toISOString(),
      id,
      attempt: attempt.attempt,
      config,
      seed,
      code,
      ...outcome,
    };
    const planned = { id, config, seed };
    if (outcome.status === 'lost' || outcome.status === 'interrupted') this.#pending.push(planned);
    else if (outcome.status !== 'done') {
      const tried = this.#retries.get(id) ?? 0;
      if (tried < this.#options.retry) {
        this.#retries.set(id, tried + 1);
        this.#pending.push(planned);
      }
    }
    return record;
  }
}

function unusable(file: string, { error }: Result): BadInput {
  return new BadInput({
    problem: 'the trial cannot be run',
    where: { file },
    found: error?.message,
    fix: `correct it and run the sweep again\n${error?.stack ?? ''}\n${error?.stderr ?? ''}`.trimEnd(),
  });
}

function checkChanged({ changed, folder, trial, plan }: CheckedOptions, state: SweepState, code: string): void {
  if (changed !== 'error') return;
  const old = plan.filter(({ id }) => {
    const { last } = state.trials.get(id) ?? {};
    return last?.status === 'done' && last.code !== code;
  });
  if (old.length === 0) return;
  throw new BadInput({
    problem: `the trial's code has changed since ${old.length} of the ${plan.length} results were made`,
    where: { file: trial },
    expected: 'one code for all results of a sweep',
    fix: `set changed: 'new' (--changed new) to make them again, 'keep' to keep them, or give another folder than ${folder}`,
  });
}

/** What earlier drivers began and nobody has seen the end of. */
async function openAttempts(
  folder: string,
  plan: readonly PlannedTrial[],
  state: SweepState,
): Promise<{ attempt: Attempt; open: OpenAttempt }[]> {
  const planned = new Map(plan.map(trial => [trial.id, trial]));
  const found: { attempt: Attempt; open: OpenAttempt }[] = [];
  for (const [id, { open }] of state.trials) {
    if (!open) continue;
    const trial = planned.get(id) ?? (await describe(folder, id, open));
    // One that is planned no longer, and of which its driver died before it wrote down what it was: nobody can have begun it.
    if (trial) found.push({ attempt: { ...trial, attempt: open.attempt }, open });
  }
  return found;
}

/** The settings of an attempt from the file it was begun with. */
async function describe(folder: string, id: string, { attempt, batch }: OpenAttempt): Promise<PlannedTrial | undefined> {
  const file =
    batch === undefined ? join(attemptFolder(folder, id, attempt), FILES.batch) : join(folder, 'batches', batch, FILES.batch);
  try {
    const lines = (await readFile(file, 'utf8')).split('\n');
    const line = lines.slice(1).find(text => text.includes(id));
    return line === undefined ? undefined : (JSON.parse(line) as PlannedTrial);
  } catch {
    return undefined;
  }
}

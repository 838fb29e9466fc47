import { randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BadInput, Unavailable, writeFileAtomic } from '../../base/core/index.js';
import { type Attempt, abandon, attemptFolder, FILES, left, type Result, readResult, tailOf } from './attempt.js';
import type { EndedAttempt, EngineContext, EngineSession, RunningAttempt } from './engine.js';
import { exitError } from './local.js';
import type { OpenAttempt } from './records.js';
import type { SlurmOptions } from './slurm.js';
import { accounted, isLive, largestArray, queued, Refused, type RunProgram, type TaskState } from './slurm-commands.js';
import { batchScript, sbatchArguments } from './slurm-script.js';

/** Bytes of stderr that are kept with a failure. */
const TAIL = 4096;
/** Looks at a task that is gone from the queue without a result, before it is given up: results travel through a shared disk. */
const PATIENCE = 3;
/** Seconds without an answer of the controller before the driver gives up; the jobs go on. */
const SILENCE = 900;

/** What sbatch says when the controller is being started anew, is too busy, or took the job and could not say so any more. */
const UNANSWERED = /timed? ?out|unable to contact|connect(ion)? (failure|refused|reset)|zero bytes|transport endpoint/i;

/** One job array. */
interface Batch {
  /** Name of its folder. */
  id: string;
  job: string | undefined;
  /** Attempts that have not ended, by their place in the array. */
  open: Map<number, Attempt>;
  running: Set<number>;
  /** Looks in a row at which a task was gone. */
  missed: Map<number, number>;
  /** Cancelled by us. */
  stopped: boolean;
  /** The controller has not heard of that yet. */
  toCancel: boolean;
}

/** A driver's work with a cluster; what runs there goes on without it. */
export class SlurmSession implements EngineSession {
  readonly detached = true;
  readonly #options: SlurmOptions;
  readonly #context: EngineContext;
  readonly #run: RunProgram;
  readonly #batches = new Map<string, Batch>();
  readonly #ended: EndedAttempt[] = [];
  /** Tasks of an array at most; less after the cluster has refused. */
  #largest: number;
  /** The cluster takes no more until something has ended. */
  #full = false;
  #open = 0;
  #heard = Date.now();

  private constructor(options: SlurmOptions, context: EngineContext, run: RunProgram, largest: number) {
    this.#options = options;
    this.#context = context;
    this.#run = run;
    this.#largest = largest;
  }

  static async open(options: SlurmOptions, context: EngineContext, run: RunProgram): Promise<SlurmSession> {
    try {
      return new SlurmSession(options, context, run, await largestArray(run));
    } catch (error) {
      throw error instanceof Refused ? unreachable(error) : error;
    }
  }

  get open(): number {
    return this.#open + this.#ended.length;
  }

  running(): RunningAttempt[] {
    const attempts = [...this.#batches.values()].flatMap(({ running, open }) => [...running].map(index => open.get(index)!));
    return attempts.map(attempt => ({ attempt, folder: this.#folder(attempt) }));
  }

  room(): number {
    // A limit on trials at once is a limit of each array.
    if (this.#full || (this.#context.concurrency !== undefined && this.#open > 0)) return 0;
    return Math.max(0, Math.min(this.#largest, Math.floor(this.#options.queued ?? 5000) - this.#open));
  }

  #folder({ id, attempt }: Attempt): string {
    return attemptFolder(this.#context.folder, id, attempt);
  }

  #batch(id: string): Batch {
    let batch = this.#batches.get(id);
    if (!batch) {
      const job = this.#context.jobs.get(id);
      batch = { id, job, open: new Map(), running: new Set(), missed: new Map(), stopped: false, toCancel: false };
      this.#batches.set(id, batch);
    }
    return batch;
  }

  /** Names are unique, so that a job is found again whose number its driver did not live to write down. */
  #jobName(batch: string): string {
    return `tunebook-${batch}`;
  }

  async adopt(attempts: readonly { attempt: Attempt; open: OpenAttempt }[]): Promise<void> {
    for (const { attempt, open } of attempts) {
      if (open.batch !== undefined) {
        this.#batch(open.batch).open.set(open.index!, attempt);
        this.#open++;
        continue;
      }
      const found = await left(this.#folder(attempt));
      if ('claim' in found)
        throw new BadInput({
          problem: `trial ${attempt.id} still runs as process ${found.claim.pid} on ${found.claim.host}, begun by engine local`,
          where: { file: this.#context.folder },
          fix: 'go on with engine local, or end that process',
        });
      this.#ended.push({ attempt, result: found.result });
    }
  }

  async begin(attempts: readonly Attempt[]): Promise<number> {
    const { journal, header, folder: sweep } = this.#context;
    const id = `${Date.now().toString(36)}-${randomBytes(4).toString('hex')}`;
    const folder = join(sweep, 'batches', id);
    const file = join(folder, FILES.batch);
    const at = new Date().toISOString();
    await mkdir(folder, { recursive: true });
    await writeFileAtomic(file, `${[header, ...attempts].map(line => JSON.stringify(line)).join('\n')}\n`);
    await writeFileAtomic(join(folder, 'job.sh'), batchScript(this.#options, this.#context, folder, file), { mode: 0o700 });
    await journal.append([{ type: 'batch', at, batch: id, trials: attempts.map(({ id, attempt }) => [id, attempt]) }]);
    const name = this.#jobName(id);
    let job: string | undefined;
    try {
      const said = await this.#run('sbatch', [
        ...sbatchArguments(this.#options, this.#context, { name, folder, tasks: attempts.length }),
        join(folder, 'job.sh'),
      ]);
      // With several clusters it is followed by the cluster's name.
      job = /^\d+$/.exec(said.trim().split('\n').at(-1)!.split(';')[0]!)?.[0];
    } catch (error) {
      // Whether it was taken nobody knows. It is found by its name, or begun anew when it is not there.
      if (error instanceof Refused && UNANSWERED.test(error.message)) return this.#begun(id, attempts, undefined);
      await journal.append([{ type: 'withdrawn', at: new Date().toISOString(), batch: id }]);
      this.#refused(error, attempts.length);
      return 0;
    }
    if (job !== undefined) await journal.append([{ type: 'job', at: new Date().toISOString(), batch: id, job }]);
    return this.#begun(id, attempts, job);
  }

  #begun(id: string, attempts: readonly Attempt[], job: string | undefined): number {
    const batch = this.#batch(id);
    batch.job = job;
    attempts.forEach((attempt, index) => void batch.open.set(index, attempt));
    this.#open += attempts.length;
    return attempts.length;
  }

  /** A cluster that has a limit on queued jobs takes more later; one that refuses a single first job never will. */
  #refused(error: unknown, tasks: number): void {
    if (!(error instanceof Refused)) throw error;
    const limit = /limit|polic|too many|temporarily|array specification/i.test(error.message);
    if (limit && this.#open > 0) this.#full = true;
    else if (limit && tasks > 1) this.#largest = Math.ceil(tasks / 2);
    else
      throw new Unavailable({
        problem: 'the cluster does not take the job',
        found: error.message,
        fix: 'correct what is asked for in experiment.slurm({ … })',
        cause: error,
      });
  }

  async wait(): Promise<EndedAttempt[]> {
    if (this.#ended.length === 0 && this.#open > 0) {
      await sleep((this.#options.poll ?? 10) * 1000, undefined, { signal: this.#context.signal }).catch(() => undefined);
      await this.#look();
    }
    if (this.#ended.length > 0) this.#full = false;
    return this.#ended.splice(0);
  }

  async #look(): Promise<void> {
    const batches = [...this.#batches.values()];
    let tasks: Map<string, Map<number, TaskState>>;
    try {
      tasks = await queued(
        this.#run,
        batches.map(({ id }) => this.#jobName(id)),
      );
      this.#heard = Date.now();
    } catch (error) {
      // The controller is started anew, or busy; the jobs do not need it.
      if (!(error instanceof Refused)) throw error;
      if (Date.now() - this.#heard > SILENCE * 1000) throw unreachable(error);
      return;
    }
    for (const batch of batches) {
      if (batch.toCancel) await this.#cancel(batch);
      await this.#lookAt(batch, tasks.get(this.#jobName(batch.id)) ?? new Map());
      if (batch.open.size === 0) this.#batches.delete(batch.id);
    }
  }

  async #lookAt(batch: Batch, known: Map<number, TaskState>): Promise<void> {
    let remembered: Map<number, TaskState> | undefined;
    let asked = false;
    batch.running.clear();
    for (const [index, attempt] of batch.open) {
      let task = known.get(index);
      if (task && isLive(task)) {
        if (task.state !== 'PENDING') batch.running.add(index);
        batch.missed.delete(index);
        continue;
      }
      const found = await readResult(this.#folder(attempt));
      if (!found && !task && batch.job !== undefined) {
        if (!asked) remembered = await accounted(this.#run, batch.job);
        asked = true;
        task = remembered?.get(index);
        if (task && isLive(task)) continue;
      }
      const result = await this.#explain(batch, index, attempt, task, found);
      if (!result) continue;
      batch.open.delete(index);
      batch.missed.delete(index);
      this.#open--;
      this.#ended.push({ attempt, result });
    }
  }

  /** What became of a task that is in the queue no longer; undefined while its result may still be on its way. */
  async #explain(
    batch: Batch,
    index: number,
    attempt: Attempt,
    task: TaskState | undefined,
    found: Result | undefined,
  ): Promise<Result | undefined> {
    if (found?.status === 'done') return found;
    if (batch.stopped) {
      // One that the controller may still take, of which it has not told: it will find that it was given up.
      if (batch.job === undefined) await abandon(this.#folder(attempt));
      return { status: 'interrupted' };
    }
    const folder = join(this.#context.folder, 'batches', batch.id);
    const exit = await exitOf(join(folder, `${index}.exit`));
    const stderr = await tailOf(join(folder, `${index}.err`), TAIL);
    const said = stderr ? { stderr } : {};
    const { timeout } = this.#context;
    const late = exit && timeout !== undefined && (exit.code === 124 || exit.seconds >= timeout);
    if (late || task?.state === 'TIMEOUT' || task?.state === 'DEADLINE') {
      const limit = late ? `${timeout} s` : 'the job may (its time limit on the cluster)';
      return { status: 'timeout', error: { message: `it took longer than ${limit}`, ...said } };
    }
    if (task?.state === 'CANCELLED') return { status: 'cancelled', error: { message: 'its job was cancelled', ...said } };
    if (task?.state === 'OUT_OF_MEMORY')
      return { status: 'failed', error: { message: 'its job ran out of memory: ask for more in slurm({ memory })', ...said } };
    if (task && ['NODE_FAIL', 'PREEMPTED', 'BOOT_FAIL'].includes(task.state)) return { status: 'lost' };
    if (found) return found.error ? { ...found, error: { ...found.error, ...said } } : found;
    if (exit)
      return { status: 'failed', error: { ...exitError(exit.code > 128 ? null : exit.code, signalOf(exit.code)), ...said } };
    const missed = (batch.missed.get(index) ?? 0) + 1;
    batch.missed.set(index, missed);
    if (missed < PATIENCE) return undefined;
    if (task) {
      const reason = task.reason && task.reason !== 'None' ? ` (${task.reason})` : '';
      return { status: 'failed', error: { message: `its job ended as ${task.state}${reason} without a result`, ...said } };
    }
    // Never submitted, or ended so long ago that nobody knows. Should it be in a queue after all, it will find that it was given up.
    await abandon(this.#folder(attempt));
    return { status: 'lost' };
  }

  async stop(): Promise<void> {
    for (const batch of this.#batches.values()) {
      batch.stopped = true;
      await this.#cancel(batch);
    }
  }

  async #cancel(batch: Batch): Promise<void> {
    const which = batch.job === undefined ? [`--name=${this.#jobName(batch.id)}`] : [batch.job];
    try {
      await this.#run('scancel', which);
      batch.toCancel = false;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      // Refused when it has ended meanwhile, too; what still lives is told again.
      batch.toCancel = true;
    }
  }

  close(): void {
    this.#batches.clear();
  }
}

/** The exit code and the seconds that the script wrote down. */
async function exitOf(path: string): Promise<{ code: number; seconds: number } | undefined> {
  const [code, seconds] = (await readFile(path, 'utf8').catch(() => '')).trim().split(' ').map(Number);
  return code ? { code, seconds: seconds ?? 0 } : undefined;
}

const SIGNALS: Record<number, string> = { 6: 'SIGABRT', 7: 'SIGBUS', 9: 'SIGKILL', 11: 'SIGSEGV', 15: 'SIGTERM' };

/** The signal that an exit code of the shell's means. */
const signalOf = (code: number): string | null => (code > 128 ? (SIGNALS[code - 128] ?? `signal ${code - 128}`) : null);

function unreachable(error: Refused): Unavailable {
  return new Unavailable({
    problem: "Slurm's controller does not answer",
    found: error.message,
    fix: 'run the sweep again when it does: its jobs go on, and the journal knows them',
    cause: error,
  });
}

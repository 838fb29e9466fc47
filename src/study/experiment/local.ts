import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { BadInput } from '../../base/core/index.js';
import { type Attempt, aliveOf, attemptFolder, type Claim, FILES, left, type Result, readResult, tailOf } from './attempt.js';
import type { EndedAttempt, Engine, EngineContext, EngineSession, RunningAttempt } from './engine.js';
import { MARK, signalAttempt } from './identity.js';
import { keepLogsShort } from './logs.js';
import { concurrencyFor, cores, freeMemory, threadVariables } from './machine.js';
import type { OpenAttempt, TrialError } from './records.js';

/** The program of a trial's process. */
export const WORKER: string = fileURLToPath(new URL('./worker.js', import.meta.url));

/** Bytes of stderr that are kept with a failure. */
const TAIL = 4096;
/** Exit code of a trial whose result could not be written (EX_IOERR of sysexits.h); see worker.ts. */
const UNWRITTEN = 74;
/** Milliseconds between two looks at what runs. */
const PACE = 200;

/** Trials as processes of this machine, each in a process group of its own. */
export function local(): Engine {
  return { name: 'local', open: async context => new LocalSession(context) };
}

interface Running extends RunningAttempt {
  /** Leader of the process group. */
  pid: number;
  /** Absent for one that an earlier driver began. */
  child?: ChildProcess;
  alive(): boolean;
  /** Milliseconds since 1970. */
  began: number;
  /** Why it is being ended. */
  ending?: 'timeout' | 'interrupted';
  killAt: number;
}

class LocalSession implements EngineSession {
  readonly detached = false;
  readonly #context: EngineContext;
  readonly #most: number;
  readonly #running = new Set<Running>();
  readonly #ended: EndedAttempt[] = [];
  #looked = 0;

  constructor(context: EngineContext) {
    this.#context = context;
    const { threads, memory, concurrency } = context;
    this.#most = concurrency ?? concurrencyFor(threads, memory, { cores: cores(), free: freeMemory() });
  }

  get open(): number {
    return this.#running.size + this.#ended.length;
  }

  running(): RunningAttempt[] {
    return [...this.#running];
  }

  room(): number {
    const room = this.#most - this.#running.size;
    // Others use this machine's memory too: what does not fit now waits, as long as something runs that will give some back.
    const wait = this.#context.concurrency === undefined && this.#running.size > 0 && freeMemory() < this.#context.memory;
    return wait ? 0 : Math.max(0, room);
  }

  async adopt(attempts: readonly { attempt: Attempt; open: OpenAttempt }[]): Promise<void> {
    for (const { attempt, open } of attempts) {
      const folder = attemptFolder(this.#context.folder, attempt.id, attempt.attempt);
      const found = await left(folder);
      if ('result' in found) this.#ended.push({ attempt, result: found.result });
      else this.#watch(attempt, folder, open, found.claim);
    }
  }

  /** Look after a process that an earlier driver began. */
  #watch(attempt: Attempt, folder: string, open: OpenAttempt, claim: Claim): void {
    const where = { file: this.#context.folder };
    if (open.batch !== undefined) {
      throw new BadInput({
        problem: `trial ${attempt.id} was begun as a task of Slurm's job ${this.#context.jobs.get(open.batch) ?? '?'}, which may still run`,
        where,
        fix: 'go on with engine slurm, or cancel the sweep there first (tunebook sweep FILE --engine slurm --cancel)',
      });
    }
    if (aliveOf(claim) === undefined)
      throw new BadInput({
        problem: `trial ${attempt.id} was begun on another machine, ${claim.host}, and gave a sign of life from there in the last minutes`,
        where,
        fix: 'go on with the sweep there; when nothing runs there any more, that is known here after three minutes',
      });
    const began = Date.parse(claim.at) || Date.now();
    const alive = () => aliveOf(claim) === true;
    this.#running.add({ attempt, folder, pid: claim.pid!, alive, began, killAt: Number.POSITIVE_INFINITY });
  }

  async begin(attempts: readonly Attempt[]): Promise<number> {
    const at = new Date().toISOString();
    await this.#context.journal.append(attempts.map(({ id, attempt }) => ({ type: 'begin', at, id, attempt })));
    for (const attempt of attempts) this.#spawn(attempt);
    return attempts.length;
  }

  #spawn(attempt: Attempt): void {
    const { header, folder: sweep, threads, env } = this.#context;
    const folder = attemptFolder(sweep, attempt.id, attempt.attempt);
    mkdirSync(folder, { recursive: true });
    const batch = join(folder, FILES.batch);
    writeFileSync(batch, `${JSON.stringify(header)}\n${JSON.stringify(attempt)}\n`);
    // Files, not pipes: an orphan can go on writing, and nobody has to read.
    const logs = [FILES.stdout, FILES.stderr].map(name => openSync(join(folder, name), 'a'));
    try {
      const child = spawn(process.execPath, ['--enable-source-maps', WORKER, batch, '0'], {
        stdio: ['ignore', ...logs],
        detached: process.platform !== 'win32',
        env: { ...process.env, ...threadVariables(threads), ...env, [MARK]: folder },
      });
      const alive = () => child.pid !== undefined && child.exitCode === null && child.signalCode === null;
      child.on('error', () => undefined);
      // Somebody who stops waiting must be able to end.
      child.unref();
      const pid = child.pid ?? 0;
      this.#running.add({ attempt, folder, pid, child, alive, began: Date.now(), killAt: Number.POSITIVE_INFINITY });
    } finally {
      for (const log of logs) closeSync(log);
    }
  }

  async wait(): Promise<EndedAttempt[]> {
    if (this.#ended.length === 0 && this.#running.size > 0) {
      const children = [...this.#running].flatMap(({ child, alive }) => (child && alive() ? [child] : []));
      const watch = new AbortController();
      // Sleep keeps the process alive; the children alone would not.
      const first = children.map(child => once(child, 'exit', { signal: watch.signal }).catch(() => undefined));
      await Promise.race([sleep(PACE), ...first]);
      watch.abort();
      for (const running of this.#running) {
        if (running.alive()) this.#enforce(running);
        else await this.#collect(running);
      }
      await this.#look();
    }
    return this.#ended.splice(0);
  }

  async #look(): Promise<void> {
    if (Date.now() - this.#looked < 1000) return;
    this.#looked = Date.now();
    for (const { folder } of this.#running) await keepLogsShort(folder);
  }

  #enforce(running: Running): void {
    const { timeout } = this.#context;
    const now = Date.now();
    if (!running.ending && timeout !== undefined && now - running.began > timeout * 1000) this.#end(running, 'timeout');
    if (now < running.killAt) return;
    running.killAt = Number.POSITIVE_INFINITY;
    signalAttempt(running.pid, running.folder, 'SIGKILL');
  }

  #end(running: Running, why: 'timeout' | 'interrupted'): void {
    running.ending = why;
    running.killAt = Date.now() + this.#context.grace * 1000;
    signalAttempt(running.pid, running.folder, 'SIGTERM');
  }

  async #collect(running: Running): Promise<void> {
    const { attempt, folder, pid, child, ending, began } = running;
    this.#running.delete(running);
    // What the trial started and left behind.
    if (pid > 0) signalAttempt(pid, folder, 'SIGKILL');
    const result = await readResult(folder);
    const seconds = (Date.now() - began) / 1000;
    this.#ended.push({
      attempt,
      result: await explain(result, { folder, ending, seconds, timeout: this.#context.timeout, child }),
    });
  }

  async stop(): Promise<void> {
    for (const running of this.#running) if (!running.ending) this.#end(running, 'interrupted');
  }

  close(): void {
    this.#running.clear();
  }
}

interface Circumstances {
  folder: string;
  ending: 'timeout' | 'interrupted' | undefined;
  seconds: number;
  timeout: number | undefined;
  child: ChildProcess | undefined;
}

/** The result of a process that has ended, whether it left one or not. */
async function explain(result: Result | undefined, { folder, ending, seconds, timeout, child }: Circumstances): Promise<Result> {
  if (result?.status === 'done') return result;
  if (ending === 'interrupted') return { status: 'interrupted', seconds };
  const stderr = await tailOf(join(folder, FILES.stderr), TAIL);
  const said = stderr ? { stderr } : {};
  if (ending === 'timeout')
    return { status: 'timeout', seconds, error: { message: `it took longer than ${timeout} s`, ...said } };
  if (result) return result.error ? { ...result, error: { ...result.error, ...said } } : result;
  // An adopted one, of which the exit code cannot be known, or one that never started.
  if (!child) return { status: 'failed', seconds, error: { message: 'its process ended without a result', ...said } };
  return { status: 'failed', seconds, error: { ...exitError(child.exitCode, child.signalCode), ...said } };
}

/** What a process's end says of itself, when there is no result. */
export function exitError(exitCode: number | null, signal: string | null): TrialError {
  if (signal === 'SIGKILL')
    return { message: 'its process was killed (SIGKILL): the machine was out of memory, or somebody ended it', signal };
  if (signal) return { message: `its process ended by ${signal}`, signal };
  if (exitCode === null) return { message: 'its process could not be started' };
  if (exitCode === UNWRITTEN) return { message: 'its result could not be written (exit code 74): a full disk?', exitCode };
  return { message: `its process ended with exit code ${exitCode} and without a result`, exitCode };
}

import { execFile } from 'node:child_process';
import { Unavailable } from '../../base/core/index.js';

/** Runs one of Slurm's programs; resolves with what it printed. Rejects with its complaint. */
export type RunProgram = (program: string, args: readonly string[]) => Promise<string>;

/** One of Slurm's programs said no. */
export class Refused extends Error {
  override name = 'Refused';
}

/** Seconds one of them may take. */
const LONGEST = 120;

export const runProgram: RunProgram = (program, args) =>
  new Promise((resolve, reject) => {
    // Lists of array tasks are cut short after 64 characters unless told otherwise.
    const env = { ...process.env, LC_ALL: 'C', SLURM_BITSTR_LEN: '0', SLURM_TIME_FORMAT: 'standard' };
    execFile(program, args, { env, maxBuffer: 1 << 28, timeout: LONGEST * 1000 }, (error, stdout, stderr) => {
      if (!error) resolve(stdout);
      else if (error.code === 'ENOENT')
        reject(
          new Unavailable({
            problem: `Slurm's program ${program} is not found`,
            expected: 'sbatch, squeue, scontrol and scancel on the PATH',
            fix: 'run this on a login node of the cluster, or leave engine slurm out',
          }),
        );
      else reject(new Refused(`${program}: ${error.killed ? `timed out after ${LONGEST} s` : stderr.trim() || error.message}`));
    });
  });

/** What Slurm says of one task of an array. */
export interface TaskState {
  /** PENDING, RUNNING, COMPLETED, FAILED, TIMEOUT, CANCELLED … */
  state: string;
  reason: string;
}

/** States in which a task will still do something. */
const LIVE = new Set([
  ...['PENDING', 'CONFIGURING', 'RUNNING', 'COMPLETING', 'SUSPENDED', 'STOPPED', 'SIGNALING', 'STAGE_OUT', 'RESIZING'],
  ...['REQUEUED', 'REQUEUE_FED', 'REQUEUE_HOLD', 'RESV_DEL_HOLD', 'SPECIAL_EXIT', 'REVOKED'],
]);

export const isLive = (task: TaskState): boolean => LIVE.has(task.state);

/**
 * The tasks that the controller knows, by name of the job: those in the queue, and for some minutes those that have ended. Tasks that
 * wait are one line with a range, so that ten thousand of them cost little.
 */
export async function queued(run: RunProgram, names: readonly string[]): Promise<Map<string, Map<number, TaskState>>> {
  const found = new Map<string, Map<number, TaskState>>();
  for (let from = 0; from < names.length; from += 100) {
    const some = names.slice(from, from + 100).join(',');
    const text = await run('squeue', ['--noheader', '--states=all', `--name=${some}`, '--format=%j|%F|%K|%T|%r']);
    for (const line of text.split('\n')) {
      const [name, , indices, state, reason] = line.trim().split('|');
      if (!name || state === undefined) continue;
      const tasks = found.get(name) ?? new Map<number, TaskState>();
      found.set(name, tasks);
      for (const index of indexList(indices!)) {
        const before = tasks.get(index);
        // A task that was put back into the queue is there twice for a moment: what lives counts.
        if (!before || !isLive(before)) tasks.set(index, { state, reason: reason ?? '' });
      }
    }
  }
  return found;
}

/** `3`, `0-5%3`, `0,2,4-7`, `0-10:2` as numbers. */
export function indexList(text: string): number[] {
  return text
    .replace(/[[\]]|%\d+/g, '')
    .split(',')
    .flatMap(part => {
      const [, first, last = first, step = '1'] = /^(\d+)(?:-(\d+))?(?::(\d+))?$/.exec(part) ?? [];
      if (first === undefined) return [];
      const count = Math.floor((Number(last) - Number(first)) / Number(step)) + 1;
      return Array.from({ length: Math.max(0, Math.min(count, 1e7)) }, (_, i) => Number(first) + i * Number(step));
    });
}

/** The states of a job's tasks in the accounting database; undefined where the cluster has none. */
export async function accounted(run: RunProgram, job: string): Promise<Map<number, TaskState> | undefined> {
  let text: string;
  try {
    text = await run('sacct', ['--noheader', '--parsable2', '--allocations', `--jobs=${job}`, '--format=JobID,State']);
  } catch {
    return undefined;
  }
  const found = new Map<number, TaskState>();
  for (const line of text.split('\n')) {
    const [, indices, state] = /^\d+_(\d+|\[[^\]]+\])\|(\w+)/.exec(line.trim()) ?? [];
    if (state !== undefined) for (const index of indexList(indices!)) found.set(index, { state, reason: '' });
  }
  return found;
}

/** Tasks an array may have (the cluster's MaxArraySize; 1001 where it does not say). */
export async function largestArray(run: RunProgram): Promise<number> {
  const text = await run('scontrol', ['show', 'config']);
  const size = Number(/^MaxArraySize\s*=\s*(\d+)/m.exec(text)?.[1] ?? 1001);
  // 0 switches arrays off; one task alone is still a job.
  return Math.max(1, size);
}

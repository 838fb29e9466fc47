import { mkdir, open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from './canonical.js';
import { isAlive, type ProcessIdentity } from './identity.js';
import { beats, createWhole } from './lock.js';
import type { Outcome } from './records.js';

/** One attempt at a trial. */
export interface Attempt {
  id: string;
  /** From 1. */
  attempt: number;
  config: Config;
  seed: number;
}

/** First line of the file that tells processes what to run; each further line is an {@link Attempt}. */
export interface BatchHeader {
  /** The sweep's folder, absolute. */
  folder: string;
  /** The trial's module, absolute. */
  trial: string;
  code: string;
  /** Files of the trial's code and what each is compiled to, in the folder `code`. */
  files: Record<string, string>;
}

/** Who runs an attempt, or that nobody shall. Made in one step by whoever comes first, so that an attempt never runs twice. */
export interface Claim extends Partial<ProcessIdentity> {
  at: string;
  /** The attempt was given up before its process began. */
  abandoned?: boolean;
  /** Slurm's job and how often it was put back into the queue. */
  job?: string;
  restarts?: number;
}

/** The folder of one attempt. */
export const attemptFolder = (sweep: string, id: string, attempt: number): string => join(sweep, 'trials', id, String(attempt));

/** What lies in the folder of an attempt. */
export const FILES = {
  batch: 'batch.jsonl',
  claim: 'claim.json',
  result: 'result.json',
  progress: 'progress.jsonl',
  reports: 'reports.jsonl',
  stdout: 'stdout.txt',
  stderr: 'stderr.txt',
} as const;

/** Bytes of a result at most. */
const LARGEST = 1 << 24;

/** What the trial's process wrote as it ended. `phase` says whether the trial itself failed or could not even be loaded, `code` what was run. */
export type Result = Outcome & { phase?: 'load' | 'run'; code?: string };

/** The result that an attempt left; undefined where there is none (yet). */
export async function readResult(folder: string): Promise<Result | undefined> {
  const path = join(folder, FILES.result);
  try {
    if ((await stat(path)).size > LARGEST) throw new Error('larger than a result can be');
    return JSON.parse(await readFile(path, 'utf8')) as Result;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    return { status: 'failed', error: { message: `its result cannot be read: ${(error as Error).message}` } };
  }
}

export async function readClaim(folder: string): Promise<Claim | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, FILES.claim), 'utf8')) as Claim;
  } catch (error) {
    // It is whole from its first moment: what is not was lost with the machine, and so was its process.
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * What became of an attempt that a driver, which is no more, began: its result (`lost`, where there is none and will be
 * none), or the claim of a process that still runs, here or on another machine.
 */
export async function left(folder: string): Promise<{ result: Result } | { claim: Claim }> {
  const result = await readResult(folder);
  // One that could not be loaded is no result; whether it can be now is seen when it begins again.
  if (result) return { result: result.phase === 'load' ? { status: 'interrupted' } : result };
  if (await abandon(folder)) return { result: { status: 'lost' } };
  const claim = await readClaim(folder);
  if (!claim || claim.abandoned) return { result: { status: 'lost' } };
  // A machine that cannot be asked (a container that was started anew has another name, too) gives signs of life.
  const alive = aliveOf(claim) ?? (await beats(folder, join(folder, FILES.claim)));
  if (claim.job !== undefined || alive) return { claim };
  // Its result was written between the two looks, or never.
  return { result: (await readResult(folder)) ?? { status: 'lost' } };
}

/** Whether the process that made a claim runs; undefined where this machine cannot know. */
export const aliveOf = ({ host = '', pid = 0, start = '' }: Claim): boolean | undefined => isAlive({ host, pid, start });

/** Give an attempt up before it begins; false where its process was quicker. */
export async function abandon(folder: string): Promise<boolean> {
  const claim: Claim = { at: new Date().toISOString(), abandoned: true };
  await mkdir(folder, { recursive: true });
  return createWhole(join(folder, FILES.claim), JSON.stringify(claim));
}

/** The last `bytes` of a file as text, from a whole line where it was cut; empty where there is no such file. */
export async function tailOf(path: string, bytes: number): Promise<string> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, 'r');
  } catch {
    return '';
  }
  try {
    const { size } = await file.stat();
    const from = Math.max(0, size - bytes);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
    const text = buffer.toString('utf8', 0, bytesRead);
    return from > 0 ? text.slice(text.indexOf('\n') + 1) : text;
  } finally {
    await file.close();
  }
}

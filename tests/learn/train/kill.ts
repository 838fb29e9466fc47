import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Random } from '../../../src/base/core/index.js';
import { root } from '../../helpers/built.js';

export const KINDS = ['full', 'lora', 'prompt', 'stream'] as const;

/** What kill-child.mjs is told. */
export interface KillJob {
  /** full: all weights and an average of them; lora: with dropout, packed rows; prompt: bucketed, accumulated; stream: streamed rows. */
  kind: (typeof KINDS)[number];
  dir: string;
  steps: number;
  /** Where the history goes when the run is done. */
  out: string;
  every?: number;
  /** Largest file the process may write, in kilobytes (ulimit -f). */
  limit?: number;
  /** Milliseconds the process rests after every step, so that a run of few steps is still going when it is told something. */
  pause?: number;
  /** The process kills itself inside the first save at this step or after it. */
  die?: number;
}

export interface Child {
  process: ChildProcess;
  /** Resolves at the first step. */
  begun: Promise<void>;
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null; output: string; errors: string }>;
}

export function start(job: KillJob): Child {
  const file = fileURLToPath(new URL('./kill-child.mjs', import.meta.url));
  const command = [process.execPath, file, join(root, 'dist'), JSON.stringify(job)];
  const limited = ['bash', '-c', `ulimit -f ${job.limit}; exec "$@"`, 'bash', ...command];
  const [program, ...args] = job.limit === undefined ? command : limited;
  const child = spawn(program!, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' },
  });
  let [output, errors] = ['', ''];
  child.stderr.on('data', part => {
    errors += part;
  });
  const begun = new Promise<void>(resolve => {
    child.stdout.on('data', part => {
      output += part;
      if (output.includes('step ')) resolve();
    });
    child.on('exit', () => resolve());
  });
  const ended = new Promise<Awaited<Child['ended']>>(resolve => {
    child.on('close', (code, signal) => resolve({ code, signal, output, errors }));
  });
  return { process: child, begun, ended };
}

/** What a run to its end without a break comes to. */
export async function unbroken(job: KillJob): Promise<unknown> {
  const { code, errors } = await start({ ...job, every: job.steps }).ended;
  if (code !== 0) throw new Error(`the unbroken run failed: ${errors}`);
  return JSON.parse(readFileSync(job.out, 'utf8'));
}

/**
 * Start the run, kill it `kills` times at random moments of its first `within` milliseconds of training, and let it end.
 * @returns its history, and how many kills fell into a save
 */
export async function killed(
  job: KillJob,
  kills: number,
  within: number,
  seed: string,
): Promise<{ history: unknown; kills: number; inSave: number }> {
  const random = new Random(seed);
  let inSave = 0;
  for (let kill = 0; kill < kills; kill++) {
    const child = start(job);
    await child.begun;
    await sleep(random.next() * within);
    child.process.kill('SIGKILL');
    const { code, signal, errors } = await child.ended;
    if (signal !== 'SIGKILL') {
      if (code !== 0) throw new Error(`the child failed: ${errors}`);
      return { history: JSON.parse(readFileSync(job.out, 'utf8')), kills: kill, inSave };
    }
    if (readdirSync(job.dir).some(name => name.startsWith('.writing'))) inSave++;
  }
  const { code, errors } = await start(job).ended;
  if (code !== 0) throw new Error(`the child failed: ${errors}`);
  return { history: JSON.parse(readFileSync(job.out, 'utf8')), kills, inSave };
}

import { appendFileSync, createReadStream, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { inspect } from 'node:util';
import { BadInput, type Progress, progress, refuseUnknown, writeFileAtomic } from '../../base/core/index.js';
import { type Attempt, attemptFolder, type BatchHeader, type Claim, FILES, type Result, readClaim } from './attempt.js';
import type { Config } from './canonical.js';
import { identity } from './identity.js';
import { importCompiled } from './load-module.js';
import { beat, createWhole } from './lock.js';
import { checkMetrics } from './metrics.js';
import type { Metrics } from './records.js';
import type { Trial, TrialContext } from './trial-types.js';

// The process of one trial: node worker.js BATCH_FILE [INDEX]. What it prints is only a log; its result is a file, so that neither
// garbage on stdout nor the death of whoever waits for it does any harm.

const began = performance.now();
const aborter = new AbortController();

async function main(): Promise<void> {
  const [batch, place] = process.argv.slice(2);
  const { header, attempt } = await assignment(batch!, Number(place ?? process.env.SLURM_ARRAY_TASK_ID ?? 0));
  const folder = attemptFolder(header.folder, attempt.id, attempt.attempt);
  mkdirSync(folder, { recursive: true });
  // One that engine local began inside a job of Slurm's (an interactive one) is an ordinary process.
  if (!(await claim(folder, place === undefined ? process.env : {}))) {
    process.stderr.write(`Attempt ${attempt.attempt} at trial ${attempt.id} was given up or runs already; nothing is done.\n`);
    process.exit(0);
  }
  beat(join(folder, FILES.claim));
  process.on('SIGTERM', () => aborter.abort());
  // Ends that a trial did not mean: written down as its failure.
  const fail = (error: unknown) => void end(folder, header.code, failure('run', error));
  process.on('uncaughtException', fail).on('unhandledRejection', fail);
  process.on('beforeExit', () =>
    fail(new Error('nothing is left to do, and the trial has not returned: it waits for what never comes')),
  );
  process.env.TUNEBOOK_PROGRESS = join(folder, FILES.progress);
  // The last one alone: a trial that is made again does not append to the progress of the one that was cut off.
  writeFileSync(process.env.TUNEBOOK_PROGRESS, '');
  await end(folder, header.code, await run(header, attempt, folder));
}

async function assignment(file: string, index: number): Promise<{ header: BatchHeader; attempt: Attempt }> {
  let [header, at]: [BatchHeader | undefined, number] = [undefined, 0];
  for await (const line of createInterface({ input: createReadStream(file) })) {
    if (!header) header = JSON.parse(line) as BatchHeader;
    else if (at++ === index) return { header, attempt: JSON.parse(line) as Attempt };
  }
  throw new Error(`${file} has no task ${index}`);
}

/** Take the attempt, unless somebody has. A task that Slurm has put back into its queue takes its own again. */
async function claim(folder: string, { SLURM_JOB_ID: job, SLURM_RESTART_COUNT: restarts }: NodeJS.ProcessEnv): Promise<boolean> {
  const mine: Claim = {
    ...identity(),
    at: new Date().toISOString(),
    ...(job ? { job, restarts: Number(restarts ?? 0) } : {}),
  };
  if (await createWhole(join(folder, FILES.claim), JSON.stringify(mine))) return true;
  const other = await readClaim(folder);
  if (!job || !other || other.job !== job || mine.restarts! <= (other.restarts ?? 0)) return false;
  rmSync(join(folder, FILES.result), { force: true });
  await writeFileAtomic(join(folder, FILES.claim), JSON.stringify(mine));
  return true;
}

async function run(header: BatchHeader, attempt: Attempt, folder: string): Promise<Result> {
  let trial: Trial;
  let config: Config;
  const used = new Set<string>();
  try {
    const module = await importCompiled(header.trial, header.files);
    trial = module.default as Trial;
    if (typeof trial !== 'function')
      throw new BadInput({
        problem: 'the trial exports no function',
        where: { file: header.trial },
        expected: 'export default async (config, { seed }) => ({ metric: 1 })',
      });
    if (module.defaults) refuseUnknown('the trial', attempt.config, Object.keys(module.defaults));
    config = watched({ ...(module.defaults as Config | undefined), ...attempt.config }, used);
  } catch (error) {
    return failure('load', error);
  }
  const own = join(header.folder, 'trials', attempt.id, 'files');
  mkdirSync(own, { recursive: true });
  try {
    const found = checkMetrics(await trial(config, context(attempt, folder, own)));
    if (aborter.signal.aborted) return { status: 'interrupted' };
    return { status: 'done', ...found, unread: Object.keys(attempt.config).filter(key => !used.has(key)) };
  } catch (error) {
    return aborter.signal.aborted ? { status: 'interrupted' } : failure('run', error);
  }
}

/** Settings that remember which of them were looked at. A trial may change its own. */
function watched(config: Config, used: Set<string>): Config {
  const seen: Config = {};
  for (const [key, given] of Object.entries(config)) {
    let value = given;
    Object.defineProperty(seen, key, {
      enumerable: true,
      configurable: true,
      get: () => {
        used.add(key);
        return value;
      },
      set: other => {
        value = other;
      },
    });
  }
  return seen;
}

function context({ seed }: Attempt, folder: string, own: string): TrialContext {
  let task: Progress | undefined;
  return {
    seed,
    signal: aborter.signal,
    folder: own,
    report(metrics: Metrics) {
      const { metrics: values, nonFinite } = checkMetrics(metrics);
      const line = { at: new Date().toISOString(), metrics: values, ...(nonFinite ? { nonFinite } : {}) };
      appendFileSync(join(folder, FILES.reports), `${JSON.stringify(line)}\n`);
    },
    progress(done, total, note) {
      task ??= progress('trial', { ...(total === undefined ? {} : { total }) });
      task.update(done, note);
    },
  };
}

function failure(phase: 'load' | 'run', thrown: unknown): Result {
  const error = thrown instanceof Error ? thrown : new Error(typeof thrown === 'string' ? thrown : inspect(thrown));
  // What lies behind it (a refused connection behind "fetch failed") is often all that helps.
  const behind = error.cause === undefined ? '' : `\n[cause]: ${inspect(error.cause)}`;
  return { status: 'failed', phase, error: { name: error.name, message: error.message, stack: `${error.stack}${behind}` } };
}

let over = false;

async function end(folder: string, code: string, result: Result): Promise<void> {
  if (over) return;
  over = true;
  const { maxRSS } = process.resourceUsage();
  const facts = { code, seconds: (performance.now() - began) / 1000, host: hostname(), peakBytes: maxRSS * 1024 };
  try {
    await writeFileAtomic(join(folder, FILES.result), JSON.stringify({ ...result, ...facts }));
  } catch (error) {
    // A full disk: the exit code and, if it can be written, this line are all that is left to say it with.
    process.stderr.write(`The result cannot be written: ${(error as Error).message}\n`);
    process.exit(74);
  }
  // Whatever the trial left open (timers, sockets) must not keep the process.
  process.exit(0);
}

main().catch(error => {
  console.error(error);
  process.exit(70);
});

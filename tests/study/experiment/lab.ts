import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { type Attempt, attemptFolder, type BatchHeader, FILES } from '../../../src/study/experiment/attempt.js';
import type * as Experiment from '../../../src/study/experiment/index.js';
import { ensureBuilt, root } from '../../helpers/built.js';

/** The room as it is shipped: trials run in processes of their own, which need the build. */
export async function built(): Promise<typeof Experiment> {
  await ensureBuilt();
  return (await import(pathToFileURL(join(root, 'dist/study/experiment/index.js')).href)) as typeof Experiment;
}

/** A folder with a trial, for one test. */
export class Lab {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'tunebook-sweep-'));

  /** Write a file; returns its path. */
  write(name: string, text: string): string {
    writeFileSync(this.path(name), text);
    return this.path(name);
  }

  path(...names: string[]): string {
    return join(this.folder, ...names);
  }

  read(...names: string[]): string {
    return readFileSync(this.path(...names), 'utf8');
  }

  remove(): void {
    // What a trial that was ended still writes.
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

/** Wait until something is so; the test's own time limit ends it. */
export async function until<T>(look: () => T | Promise<T>): Promise<NonNullable<T>> {
  for (;;) {
    const found = await look();
    if (found) return found;
    await sleep(20);
  }
}

/** Whether a process runs (one that has ended and waits to be collected does not). */
export function runs(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Process ids that trials wrote into files `<name>.pid` of a folder. */
export function pids(folder: string): number[] {
  return readdirSync(folder)
    .filter(name => name.endsWith('.pid'))
    .map(name => Number(readFileSync(join(folder, name), 'utf8')))
    .filter(pid => pid > 0);
}

/** A driver in a process of its own; `options` is the source of the sweep's options. */
export function driver(lab: Lab, options: string, then = 'await made.finish();'): ChildProcess {
  const room = pathToFileURL(join(root, 'dist/study/experiment/index.js')).href;
  const file = lab.path('driver.mjs');
  if (!existsSync(file) || !readFileSync(file, 'utf8').includes(options) || !readFileSync(file, 'utf8').includes(then))
    lab.write(
      'driver.mjs',
      `import { budget, local, slurm, sweep, when } from ${JSON.stringify(room)};\nconst made = sweep(${options});\n${then}\nconsole.log(JSON.stringify(await made.status()));\n`,
    );
  return spawn(process.execPath, [file], { cwd: lab.folder, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** What a process printed, and how it ended. */
export async function ended(
  child: ChildProcess,
): Promise<{ out: string; err: string; code: number | null; signal: string | null }> {
  const [out, err]: [string[], string[]] = [[], []];
  child.stdout!.setEncoding('utf8').on('data', text => out.push(text));
  child.stderr!.setEncoding('utf8').on('data', text => err.push(text));
  return new Promise(done => child.on('close', (code, signal) => done({ out: out.join(''), err: err.join(''), code, signal })));
}

/** Leave the results of all trials of a batch, as a cluster that was quick would: `y` is the setting `x`. */
export function finishBatch(file: string): void {
  const [header, ...attempts] = readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line)) as [BatchHeader, ...Attempt[]];
  for (const { id, attempt, config } of attempts) {
    const folder = attemptFolder(header.folder, id, attempt);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, FILES.result), JSON.stringify({ status: 'done', metrics: { y: config.x } }));
  }
}

import { existsSync } from 'node:fs';
import { basename, extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BadInput, quote, refuseUnknown } from '../../base/core/index.js';
import { type Config, trialId } from './canonical.js';
import type { Engine } from './engine.js';
import { type Grid, product } from './grid.js';
import { local } from './local.js';

/** Options of {@link sweep}. */
export interface SweepOptions {
  /** Module of the trial: TypeScript or JavaScript, its default export a {@link Trial}. A path (from the working directory) or a file URL. */
  trial: string | URL;
  /** What is tried; defaults to one configuration without settings. */
  grid?: Grid;
  /** Ways to spend a fixed budget, from {@link budget}; each is tried with every configuration of the grid. */
  budget?: readonly Config[];
  /** Seeds, or how many (1, 2, …); every configuration gets the same ones. Defaults to 1. */
  seeds?: number | readonly number[];
  /** Defaults to the name of the trial's file. */
  name?: string;
  /** Where journal, logs and files of the trials lie; defaults to `sweeps/<name>`. The same folder goes on with the same sweep. */
  folder?: string;
  /** Where trials run; defaults to {@link local}. */
  engine?: Engine;
  /** Trials at once; defaults to what processors and memory allow (on Slurm: no limit of ours). */
  concurrency?: number;
  /** Threads of one trial, told to it by OMP_NUM_THREADS and its like; defaults to 1. */
  threads?: number;
  /** Memory one trial is expected to need, in MB; defaults to 1024. */
  memory?: number;
  /** Seconds a trial may take; defaults to no limit. */
  timeout?: number;
  /** Seconds a trial has to end after SIGTERM before it is killed; defaults to 10. */
  grace?: number;
  /** How often a trial that failed is made again at once; defaults to 0. */
  retry?: number;
  /** Make those again that failed before; defaults to false. */
  retryFailed?: boolean;
  /**
   * What to do when the trial's code (its file, and the files it imports by relative paths) is not what made the results that are
   * there: `error` (default), `new` – make all results again, `keep` – keep them and make what is missing with the new code.
   */
  changed?: 'error' | 'new' | 'keep';
  /** Variables for the trials' environment. */
  env?: Record<string, string>;
  /** Ends the sweep in good order, as `stop()` does. */
  signal?: AbortSignal;
}

/** One trial that a sweep plans. */
export interface PlannedTrial {
  id: string;
  config: Config;
  seed: number;
}

/** Options that were checked, with the defaults. */
export interface CheckedOptions {
  name: string;
  folder: string;
  trial: string;
  plan: PlannedTrial[];
  /** Whether the configurations come from a budget: its number of tasks is then the axis of figures. */
  budgeted: boolean;
  engine: Engine;
  concurrency: number | undefined;
  threads: number;
  memory: number;
  timeout: number | undefined;
  grace: number;
  retry: number;
  retryFailed: boolean;
  changed: 'error' | 'new' | 'keep';
  env: Record<string, string>;
  signal: AbortSignal | undefined;
}

/** Names of the options. */
export const OPTIONS: readonly string[] = [
  ...['trial', 'grid', 'budget', 'seeds', 'name', 'folder', 'engine', 'concurrency', 'threads', 'memory', 'timeout', 'grace'],
  ...['retry', 'retryFailed', 'changed', 'env', 'signal'],
];

/** Trials at most: a misplaced list must not fill the memory. */
const MOST = 100_000;

export function checkOptions(options: SweepOptions): CheckedOptions {
  refuseUnknown('experiment.sweep', options, OPTIONS);
  const { trial, grid = {}, budget, changed = 'error', engine = local(), env = {} } = options;
  if (!(trial instanceof URL) && typeof trial !== 'string')
    throw new BadInput({
      problem: 'no trial is named',
      where: { key: 'trial' },
      expected: 'the path of a module',
      found: quote(trial),
    });
  const file = trialFile(trial);
  if (!existsSync(file))
    throw new BadInput({
      problem: 'there is no such trial',
      where: { file },
      expected: 'the path of a module',
      fix: 'check the path; it is taken from the working directory',
    });
  if (!['error', 'new', 'keep'].includes(changed))
    throw new BadInput({
      problem: 'not a choice',
      where: { key: 'changed' },
      expected: 'error, new or keep',
      found: quote(changed),
    });
  if (typeof engine?.open !== 'function')
    throw new BadInput({
      problem: 'this is no engine',
      where: { key: 'engine' },
      expected: 'experiment.local() or experiment.slurm({ … })',
      found: quote(engine),
    });
  const name = options.name ?? nameOf(file);
  if (!/^[\w.-]{1,100}$/.test(name) || /^\.+$/.test(name))
    throw new BadInput({
      problem: 'the name cannot be used',
      where: { key: 'name' },
      expected: 'letters, digits, dots, dashes and underscores',
      found: quote(name),
    });
  const seeds = checkSeeds(options.seeds ?? 1);
  const configs = budget ? product(budget, grid) : product(grid);
  if (configs.length * seeds.length > MOST)
    throw new BadInput({
      problem: 'the sweep is too large',
      expected: `at most ${MOST} trials`,
      found: `${configs.length} configurations × ${seeds.length} seeds`,
    });
  return {
    name,
    folder: resolve(options.folder ?? join('sweeps', name)),
    trial: file,
    // Seed by seed: a sweep that was cut off has whole sets of pairs.
    plan: seeds.flatMap(seed => configs.map(config => ({ id: trialId(config, seed), config, seed }))),
    budgeted: budget !== undefined,
    engine,
    concurrency: options.concurrency === undefined ? undefined : number('concurrency', options.concurrency, 1, true),
    threads: number('threads', options.threads ?? 1, 1, true),
    memory: number('memory', options.memory ?? 1024, 1) * 2 ** 20,
    timeout: options.timeout === undefined ? undefined : number('timeout', options.timeout, 0.001),
    grace: number('grace', options.grace ?? 10, 0),
    retry: number('retry', options.retry ?? 0, 0, true),
    retryFailed: options.retryFailed ?? false,
    changed,
    env,
    signal: options.signal,
  };
}

/** The file that is meant, absolute; a path is taken from the directory `from`. */
export function trialFile(trial: string | URL, from = '.'): string {
  return trial instanceof URL || trial.startsWith('file:') ? fileURLToPath(trial) : resolve(from, trial);
}

/** What a sweep is called that was given no name. */
export const nameOf = (file: string): string => basename(file, extname(file));

function checkSeeds(seeds: number | readonly number[]): number[] {
  const list =
    typeof seeds === 'number'
      ? Array.from({ length: Math.min(number('seeds', seeds, 1, true), MOST + 1) }, (_, i) => i + 1)
      : [...seeds];
  const seen = new Set<number>();
  const wrong = list.find(seed => !Number.isSafeInteger(seed) || seen.size === seen.add(seed).size);
  if (list.length === 0 || wrong !== undefined)
    throw new BadInput({
      problem: 'these seeds cannot be used',
      where: { key: 'seeds' },
      expected: 'different whole numbers, or how many',
      found: list.length ? quote(wrong) : 'none',
    });
  return list;
}

function number(key: string, value: unknown, least: number, whole = false): number {
  if (typeof value === 'number' && value >= least && value <= 1e9 && (!whole || Number.isInteger(value))) return value;
  throw new BadInput({
    problem: 'not a number that can be used',
    where: { key },
    expected: `a ${whole ? 'whole ' : ''}number of at least ${least}`,
    found: quote(value),
  });
}

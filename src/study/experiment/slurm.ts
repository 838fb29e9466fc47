import { BadInput, quote, refuseUnknown } from '../../base/core/index.js';
import type { Engine } from './engine.js';
import { runProgram } from './slurm-commands.js';
import { SlurmSession } from './slurm-session.js';

/** What one trial needs of a cluster, and how the sweep talks to it. */
export interface SlurmOptions {
  partition?: string;
  account?: string;
  qos?: string;
  constraint?: string;
  /** Time one trial may take: seconds, or as sbatch reads it (`1-12:00:00`); defaults to the sweep's timeout and a minute. */
  time?: number | string;
  /** Memory as sbatch reads it, e.g. `8G`; defaults to the partition's. */
  memory?: string;
  /** Processors; defaults to the sweep's `threads`. */
  cpus?: number;
  /** GPUs: how many, or kind and number (`a100:1`). */
  gpus?: number | string;
  /** Lines of shell before the trial, e.g. `module load cuda`. */
  setup?: string;
  /** Node on the compute nodes; defaults to this one's path. */
  node?: string;
  /** Let Slurm put a task back into its queue when its machine fails; defaults to true. */
  requeue?: boolean;
  /** Tasks in the queue at most; defaults to 5000. */
  queued?: number;
  /** Seconds between two looks at the queue; defaults to 10. */
  poll?: number;
  /** More arguments for sbatch, e.g. `['--exclude=node7']`. */
  extra?: readonly string[];
}

const KNOWN = [
  ...['partition', 'account', 'qos', 'constraint', 'time', 'memory', 'cpus', 'gpus', 'setup', 'node', 'requeue', 'queued'],
  ...['poll', 'extra'],
];

/**
 * Trials as job arrays of a Slurm cluster. The folder of the sweep must lie on a disk that login and compute nodes share. The driver
 * may be closed: the jobs go on, and the next driver takes them over from the journal.
 */
export function slurm(options: SlurmOptions = {}): Engine {
  refuseUnknown('experiment.slurm', options, KNOWN);
  for (const key of ['partition', 'account', 'qos', 'constraint', 'memory', 'gpus', 'time'] as const) {
    const value = options[key];
    // What would end this argument of sbatch's and begin another.
    if (value !== undefined && !/^[\w.,:+&|()[\]*@-]+$/.test(String(value)))
      throw new BadInput({
        problem: 'sbatch cannot be given this',
        where: { key: `slurm.${key}` },
        expected: 'a word',
        found: quote(value),
      });
  }
  for (const key of ['queued', 'poll', 'cpus'] as const) {
    const value = options[key];
    if (value !== undefined && !(value > 0 && Number.isFinite(value)))
      throw new BadInput({
        problem: 'not a number that can be used',
        where: { key: `slurm.${key}` },
        expected: 'a number above 0',
        found: quote(value),
      });
  }
  return { name: 'slurm', open: context => SlurmSession.open(options, context, runProgram) };
}

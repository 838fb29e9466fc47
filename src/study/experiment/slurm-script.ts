import { Unavailable } from '../../base/core/index.js';
import type { EngineContext } from './engine.js';
import { WORKER } from './local.js';
import { threadVariables } from './machine.js';
import type { SlurmOptions } from './slurm.js';

/** A text as one word of the shell. */
export const shellWord = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** The script of every task of a batch. Its exit code is kept in a file: not every cluster remembers it. */
export function batchScript(options: SlurmOptions, context: EngineContext, folder: string, batchFile: string): string {
  const variables = { ...threadVariables(options.cpus ?? context.threads), ...context.env };
  const program = [options.node ?? process.execPath, '--enable-source-maps', WORKER, batchFile].map(shellWord).join(' ');
  const limit =
    context.timeout === undefined ? '' : `timeout --signal=TERM --kill-after=${Math.max(1, context.grace)} ${context.timeout} `;
  return [
    '#!/bin/bash',
    ...Object.entries(variables).map(([name, value]) => `export ${checkedName(name)}=${shellWord(value)}`),
    ...(options.setup ? [options.setup] : []),
    `cd ${shellWord(process.cwd())}`,
    'SECONDS=0',
    `${limit}${program}`,
    'code=$?',
    `[ $code -eq 0 ] || echo "$code $SECONDS" > ${shellWord(folder)}/"$SLURM_ARRAY_TASK_ID".exit`,
    'exit $code',
    '',
  ].join('\n');
}

function checkedName(name: string): string {
  if (/^\w+$/.test(name)) return name;
  throw new Unavailable({ problem: `the shell has no variable named ${JSON.stringify(name)}`, where: { key: 'env' } });
}

/** The arguments of sbatch: what the task needs, and where its output goes. */
export function sbatchArguments(
  options: SlurmOptions,
  context: EngineContext,
  batch: { name: string; folder: string; tasks: number },
): string[] {
  const { partition, account, qos, constraint, memory, cpus = context.threads, gpus, requeue = true, extra = [] } = options;
  const time = options.time ?? (context.timeout === undefined ? undefined : context.timeout + context.grace + 60);
  const throttle = context.concurrency === undefined ? '' : `%${context.concurrency}`;
  const given = { partition, account, qos, constraint, mem: memory, 'cpus-per-task': cpus };
  return [
    '--parsable',
    `--job-name=${batch.name}`,
    `--array=0-${batch.tasks - 1}${throttle}`,
    `--output=${escaped(batch.folder)}/%a.out`,
    `--error=${escaped(batch.folder)}/%a.err`,
    '--open-mode=append',
    '--export=ALL',
    requeue ? '--requeue' : '--no-requeue',
    ...Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`])),
    // gres is what every version understands.
    ...(gpus === undefined ? [] : [`--gres=gpu:${gpus}`]),
    ...(time === undefined ? [] : [`--time=${typeof time === 'number' ? Math.max(1, Math.ceil(time / 60)) : time}`]),
    ...extra,
  ];
}

/** Slurm replaces %x in names of files. */
const escaped = (path: string): string => path.replaceAll('%', '%%');

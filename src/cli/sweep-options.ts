import { BadInput, nearest, quote } from '../base/core/index.js';
import { local, type SlurmOptions, type SweepOptions, slurm } from '../study/experiment/index.js';
import { type Arguments, readArguments } from './arguments.js';

export const SWEEP_HELP: string = `tunebook sweep FILE [options]   run the sweep that a module describes, or go on with it

FILE is TypeScript or JavaScript: export default { trial: './trial.ts', grid: { learningRate: [1e-3, 3e-4] }, seeds: 5 }.
What was done is not done again, also after a crash; its folder (default: sweeps/<name> beside FILE) holds journal, logs and files.

  --status          how far it is, and what failed; nothing runs
  --table           means over the seeds by configuration, with 95 % intervals; nothing runs
  --metric NAME     of which metric (default: the first)
  --csv FILE        write all results; nothing runs
  --parquet FILE    the same as Parquet
  --json            status (and with --table all results) as JSON
  --retry-failed    make failed trials again
  --retry N         make a trial that fails again at once, up to N times
  --changed HOW     the trial's code has changed: "new" makes all results again, "keep" keeps them (default: an error)
  --cancel          end everything that runs, on Slurm too
  --folder DIR      another folder
  --concurrency N   trials at once (default: what processors and memory allow)
  --timeout S       seconds a trial may take
  --engine NAME     local, or slurm: job arrays on a cluster (the folder must be on a shared disk)
  --partition, --account, --qos, --time, --memory, --cpus, --gpus   what a trial is given on Slurm, as sbatch reads it
  --help

Exit codes: 0 every trial is done, 1 some failed, 130 stopped before the end; run it again to go on.
`;

const STRINGS = [
  ...(['metric', 'csv', 'parquet', 'retry', 'changed', 'folder', 'concurrency', 'timeout', 'engine'] as const),
  ...(['partition', 'account', 'qos', 'time', 'memory', 'cpus', 'gpus'] as const),
];
const FLAGS = ['status', 'table', 'json', 'retry-failed', 'cancel'] as const;
const CLUSTER = ['partition', 'account', 'qos', 'time', 'memory', 'cpus', 'gpus'] as const;

/** What `tunebook sweep` was asked to do. */
export interface SweepCommand {
  file: string;
  /** Options in place of the module's. */
  overrides: Partial<SweepOptions>;
  /** Only look at the results. */
  look: boolean;
  status: boolean;
  table: boolean;
  metric?: string;
  csv?: string;
  parquet?: string;
  json: boolean;
  cancel: boolean;
}

/** Read the arguments; undefined when help was asked for. Throws BadInput. */
export function readSweepOptions(args: string[]): SweepCommand | undefined {
  const { values, positionals } = readArguments('sweep', args, { values: STRINGS, flags: FLAGS });
  if (values.help) return undefined;
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0)
    throw new BadInput({
      problem: file === undefined ? 'no sweep is named' : 'one sweep at a time',
      expected: 'the path of a module that exports its options',
      fix: 'tunebook sweep sweep.ts',
    });
  if (values.metric !== undefined && !values.table)
    throw new BadInput({ problem: '--metric says what --table shows', fix: 'add --table' });
  const asked = values.status || values.table || values.csv !== undefined || values.parquet !== undefined;
  return {
    file,
    overrides: overridesOf(values),
    look: !values.cancel && (asked ?? false),
    status: values.status ?? false,
    table: values.table ?? false,
    metric: values.metric,
    csv: values.csv,
    parquet: values.parquet,
    json: values.json ?? false,
    cancel: values.cancel ?? false,
  };
}

type Values = Arguments<(typeof STRINGS)[number], (typeof FLAGS)[number]>['values'];

function overridesOf(values: Values): Partial<SweepOptions> {
  const { folder, changed, retry, concurrency, timeout } = values;
  return {
    ...(folder === undefined ? {} : { folder }),
    ...(changed === undefined ? {} : { changed: changed as 'new' }),
    ...(retry === undefined ? {} : { retry: number('--retry', retry) }),
    ...(concurrency === undefined ? {} : { concurrency: number('--concurrency', concurrency) }),
    ...(timeout === undefined ? {} : { timeout: number('--timeout', timeout) }),
    ...(values['retry-failed'] ? { retryFailed: true } : {}),
    ...engineOf(values),
  };
}

function engineOf(values: Values): Partial<SweepOptions> {
  const asked = CLUSTER.filter(name => values[name] !== undefined);
  const { engine, cpus, ...words } = values;
  if (engine !== undefined && engine !== 'local' && engine !== 'slurm') {
    const near = nearest(engine, ['local', 'slurm']);
    throw new BadInput({
      problem: 'there is no such engine',
      where: { key: '--engine' },
      expected: 'local or slurm',
      found: quote(engine),
      ...(near ? { fix: `did you mean ${near}?` } : {}),
    });
  }
  if (engine !== 'slurm' && asked.length > 0)
    throw new BadInput({ problem: `--${asked[0]} says what Slurm gives a trial`, fix: 'add --engine slurm' });
  if (engine === undefined) return {};
  if (engine === 'local') return { engine: local() };
  const options: SlurmOptions = Object.fromEntries(CLUSTER.flatMap(name => (name in words ? [[name, values[name]]] : [])));
  return { engine: slurm({ ...options, ...(cpus === undefined ? {} : { cpus: number('--cpus', cpus) }) }) };
}

function number(key: string, text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value)) return value;
  throw new BadInput({ problem: 'not a number', where: { key }, expected: 'a number', found: quote(text) });
}

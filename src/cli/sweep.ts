import { quote } from '../base/core/index.js';
import { readSweepFile, type Sweep, type SweepResults, type SweepStatus, sweep } from '../study/experiment/index.js';
import { alignedColumns, plainLine, shortNumber } from './columns.js';
import { readSweepOptions, SWEEP_HELP, type SweepCommand } from './sweep-options.js';

/** `tunebook sweep`: exit code 0, 1 when trials failed, 2 for an argument or a module that cannot be used, 130 when stopped. */
export async function sweepCommand(args: string[]): Promise<number> {
  const command = readSweepOptions(args);
  if (!command) {
    process.stdout.write(SWEEP_HELP);
    return 0;
  }
  const planned = sweep({ ...(await readSweepFile(command.file)), ...command.overrides });
  if (command.cancel) {
    await planned.cancel();
    return report(planned, command, { always: true });
  }
  if (command.look) return report(planned, command, { always: command.status });
  await planned.finish();
  return report(planned, command, { always: true });
}

/** Say and write what was asked for. */
async function report(planned: Sweep, command: SweepCommand, { always }: { always: boolean }): Promise<number> {
  const results = await planned.results();
  const { status } = results;
  const print = (text: string) => void process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
  if (command.csv) await results.csv(command.csv);
  if (command.parquet) await results.parquet(command.parquet);
  if (command.json) {
    print(
      JSON.stringify(
        { name: planned.name, folder: planned.folder, status, ...(command.table ? { rows: results.rows() } : {}) },
        null,
        1,
      ),
    );
  } else {
    if (command.table) print(rowsTable(results, command.metric));
    if (always) print(statusText(planned, results));
    for (const file of [command.csv, command.parquet]) if (file) print(`${file}: ${results.records.length} rows`);
  }
  if (command.look || command.cancel) return 0;
  return status.waiting + status.running > 0 ? 130 : status.failed > 0 ? 1 : 0;
}

function statusText(planned: Sweep, results: SweepResults): string {
  const { status } = results;
  const counts = (['done', 'failed', 'running', 'waiting'] as const).map(key => `${status[key]} ${key}`).join(', ');
  return [
    `${planned.name}: ${status.total} trials, ${counts} (${planned.folder})`,
    ...remarks(status),
    ...failures(results),
    '',
  ].join('\n');
}

function remarks({ nonFinite, outside, torn, damaged, unread }: SweepStatus): string[] {
  return [
    ...(nonFinite > 0 ? [`${nonFinite} of the trials that are done returned NaN or an infinity; these are in no mean`] : []),
    ...(outside > 0 ? [`${outside} results are of settings or seeds that the sweep has no longer`] : []),
    ...(torn > 0 ? [`the journal ended in a half-written line ${torn === 1 ? 'once' : `${torn} times`}, which was cut off`] : []),
    ...(damaged > 0 ? [`${damaged} lines of the journal are damaged; what they said is made again`] : []),
    ...(unread.length > 0 ? [`no trial looked at ${unread.map(key => quote(key)).join(', ')}: a misspelt name?`] : []),
  ];
}

/** The first failures, each on a line. */
function failures({ records }: SweepResults, most = 8): string[] {
  const failed = records.filter(({ status }) => status !== 'done');
  const lines = failed.slice(0, most).map(({ id, config, seed, status, error }) => {
    const settings = Object.entries(config).map(
      ([key, value]) => `${key} ${typeof value === 'string' ? value : JSON.stringify(value)}`,
    );
    const why = (error?.message ?? '').split('\n')[0]!.slice(0, 200);
    return plainLine(`  ${id} ${status}: ${why} (${[...settings, `seed ${seed}`].join(', ')})`);
  });
  if (failed.length > most) lines.push(`  and ${failed.length - most} more; --retry-failed makes them again`);
  return lines;
}

/** Means by configuration. */
function rowsTable(results: SweepResults, metric: string | undefined): string {
  const rows = results.summary(metric === undefined ? {} : { metric });
  if (rows.length === 0) return 'No results yet.';
  const settings = [...new Set(rows.flatMap(({ config }) => Object.keys(config)))];
  const head = [...settings, rows[0]!.metric, '95 % interval', 'seeds', 'missing'];
  const cells = rows.map(({ config, mean, low, high, n, missing }) => [
    ...settings.map(key => {
      const value = config[key];
      return value === undefined ? '–' : typeof value === 'string' ? value : JSON.stringify(value);
    }),
    shortNumber(mean),
    Number.isFinite(low) ? `${shortNumber(low)} to ${shortNumber(high)}` : '–',
    String(n),
    String(missing),
  ]);
  return alignedColumns(head, cells);
}

import type { RecordedRun } from '../learn/train/index.js';
import { alignedColumns, plainLine, shortNumber } from './columns.js';
import { flatten } from './runs-table.js';

/** Longest value in a column. */
const WIDTH = 48;

/** What two runs do not have in common, and what both reached. */
export function runsDiff(a: RecordedRun, b: RecordedRun): string {
  const parts: [title: string, of: (run: RecordedRun) => object][] = [
    ['settings', ({ record }) => ({ ...record.config, notes: record.notes, options: functionsOf(record.options) })],
    ['model', ({ record }) => record.model],
    ['data and weights (SHA-256)', ({ record }) => record.hashes],
    ['versions and machine', machine],
  ];
  const differences = parts.flatMap(([title, of]) => {
    const rows = differing(flatten(of(a)), flatten(of(b)));
    return rows.length > 0 ? [alignedColumns([title, 'first', 'second'], rows)] : [];
  });
  const reached = alignedColumns(['reached', 'first', 'second'], results(a, b));
  const same = differences.length > 0 ? '' : 'The two have the same settings, data, weights, versions and machine.\n\n';
  return `first   ${plainLine(a.id)}\nsecond  ${plainLine(b.id)}\n\n${same}${[...differences, reached].join('\n')}`;
}

/** Of the options, those that are functions: settings do not hold them. */
function functionsOf(options: Record<string, unknown>): object {
  const { model: _m, rows: _r, tokenizer: _t, template: _p, evaluate: _e, replay: _y, ...rest } = options;
  return Object.fromEntries(
    Object.entries(rest).filter(([, value]) => typeof (value as { $given?: unknown })?.$given === 'string'),
  );
}

function machine({ record }: RecordedRun): object {
  const { versions, hardware, git, host, directory, script } = record.sessions.at(-1) ?? {};
  const changes = git && { commit: git.commit, branch: git.branch, dirty: git.dirty, changes: git.changes };
  return { versions: { ...versions, details: undefined }, hardware, git: changes, host, directory, script };
}

function differing(a: Record<string, string>, b: Record<string, string>): string[][] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])]
    .filter(key => a[key] !== b[key])
    .map(key => [key, short(a[key]), short(b[key])]);
}

function short(value: string | undefined): string {
  if (value === undefined) return '–';
  // Hashes that differ, differ soon.
  const text = /^[0-9a-f]{64}$/.test(value) ? value.slice(0, 12) : value;
  return text.length > WIDTH ? `${text.slice(0, WIDTH - 1)}…` : text;
}

function results(a: RecordedRun, b: RecordedRun): string[][] {
  const both = [a, b];
  const rows = [
    ['state', ...both.map(({ state }) => state as string)],
    ['steps', ...both.map(({ step }) => String(step))],
  ];
  const all = both.map(run => {
    const { step: _s, ...last } = run.last ?? {};
    const { step: _e, ...found } = run.evaluation ?? {};
    const seconds = run.history.seconds.reduce((sum, one) => sum + (one ?? 0), 0);
    const evaluated = Object.entries(found).map(([name, value]) => [`evaluation ${name}`, value] as const);
    return { ...last, ...Object.fromEntries(evaluated), 'seconds in all': seconds } as Record<string, number>;
  });
  const dull = new Set(['skipped', 'padding', 'secondsLeft', 'tokens', 'labelTokens', 'seconds']);
  const names = [...new Set(all.flatMap(found => Object.keys(found)))].filter(name => !dull.has(name));
  return [...rows, ...names.map(name => [name, ...all.map(found => shortNumber(found[name]))])];
}

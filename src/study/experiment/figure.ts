import { refuseUnknown, setView } from '../../base/core/index.js';
import { canonical } from './canonical.js';
import type { TrialRecord } from './records.js';
import { checkNames, firstMetric, interval, summarise } from './summary.js';

/** Options of `figure()`. */
export interface FigureOptions {
  /** The metric drawn; defaults to the first number that the trials returned. */
  metric?: string;
  /** Setting along the axis; defaults to the budget's `tasks`, or the first setting that takes several numbers. */
  x?: string;
  /** Setting that makes the lines; defaults to all others that vary. */
  lines?: string;
  /** Whether the axis is logarithmic; defaults to yes where all values are above 0 and the largest is ten times the smallest. */
  log?: boolean;
  title?: string;
}

/** One line of the figure: a value at each setting, with its interval over seeds. */
export interface SweepCurve {
  name: string;
  points: { n: number; value: number; low?: number; high?: number }[];
}

/** A metric against a setting, as plain data that `show` draws. */
export class SweepFigure {
  readonly title: string | undefined;
  /** The setting along the axis; undefined where no setting takes several numbers, and the figure is a table. */
  readonly x: string | undefined;
  readonly metric: string;
  readonly log: boolean;
  readonly curves: readonly SweepCurve[];
  /** Means by configuration, for the table. */
  readonly rows: readonly Record<string, unknown>[];

  constructor(parts: Pick<SweepFigure, 'title' | 'x' | 'metric' | 'log' | 'curves' | 'rows'>) {
    this.title = parts.title;
    this.x = parts.x;
    this.metric = parts.metric;
    this.log = parts.log;
    this.curves = parts.curves;
    this.rows = parts.rows;
  }
}

setView(SweepFigure, ({ title, x, metric, log, curves, rows }) =>
  x === undefined
    ? { kind: 'table', data: rows }
    : { kind: 'curves', data: { curves, count: x, measure: metric, log, title: title ?? `${metric} by ${x}` } },
);

/** The figure of some results: see {@link FigureOptions}. */
export function sweepFigure(records: readonly TrialRecord[], options: FigureOptions): SweepFigure {
  refuseUnknown('figure', options, ['metric', 'x', 'lines', 'log', 'title']);
  const metric = options.metric ?? firstMetric(records) ?? 'result';
  const x = options.x ?? firstNumeric(records);
  checkNames(
    records,
    metric,
    [options.x, options.lines].filter(name => name !== undefined),
  );
  const rows = summarise(records, { metric }).map(({ config, metric: _, ...rest }) => ({ ...config, ...rest }));
  const curves = x === undefined ? [] : curvesOf(records, metric, x, options.lines);
  const at = curves.flatMap(({ points }) => points.map(({ n }) => n));
  const log = options.log ?? (at.length > 0 && Math.min(...at) > 0 && Math.max(...at) >= 10 * Math.min(...at));
  // Words along the axis, or a metric of words, are no curve: a table says what there is.
  return new SweepFigure({ title: options.title, x: curves.length > 0 ? x : undefined, metric, log, curves, rows });
}

function curvesOf(records: readonly TrialRecord[], metric: string, x: string, lines: string | undefined): SweepCurve[] {
  // What belongs to the axis makes no lines: with a budget, examples follow from tasks.
  const varying = lines ? [lines] : settingsThatVary(records).filter(key => key !== x && !follows(records, x, key));
  const curves = new Map<string, Map<number, number[]>>();
  for (const { config, metrics } of records) {
    const [at, value] = [config[x], metrics?.[metric]];
    if (typeof at !== 'number' || (typeof value !== 'number' && typeof value !== 'boolean')) continue;
    const name = varying.map(key => label(key, config[key])).join(', ') || metric;
    const curve = curves.get(name) ?? new Map<number, number[]>();
    curves.set(name, curve);
    const values = curve.get(at);
    if (values) values.push(Number(value));
    else curve.set(at, [Number(value)]);
  }
  return Array.from(curves, ([name, points]) => ({
    name,
    points: Array.from(points, ([n, values]) => {
      const { mean, low, high } = interval(values);
      return { n, value: mean, ...(Number.isFinite(low) ? { low, high } : {}) };
    }).sort((a, b) => a.n - b.n),
  }));
}

const label = (key: string, value: unknown): string =>
  typeof value === 'string' ? value : value === undefined ? `no ${key}` : `${key} ${JSON.stringify(value)}`;

const valuesOf = (records: readonly TrialRecord[], key: string): Set<string> =>
  new Set(records.map(({ config }) => (key in config ? canonical(config[key], key) : '')));

function settingsThatVary(records: readonly TrialRecord[]): string[] {
  const all = [...new Set(records.flatMap(({ config }) => Object.keys(config)))];
  return all.filter(key => valuesOf(records, key).size > 1);
}

/** Whether a setting is a function of another one. */
function follows(records: readonly TrialRecord[], x: string, key: string): boolean {
  const pairs = new Set(records.map(({ config }) => JSON.stringify([config[x], config[key]])));
  return pairs.size === valuesOf(records, x).size;
}

function firstNumeric(records: readonly TrialRecord[]): string | undefined {
  return settingsThatVary(records).find(key => {
    const numbers = new Set(records.map(({ config }) => config[key]).filter(value => typeof value === 'number'));
    return numbers.size > 1;
  });
}

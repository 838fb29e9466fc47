import { BadInput, nearest, quote, refuseUnknown, studentQuantile } from '../../base/core/index.js';
import { type Config, canonical } from './canonical.js';
import type { TrialRecord } from './records.js';

/** Options of a summary. */
export interface SummaryOptions {
  /** The metric; defaults to the first number that the trials returned. */
  metric?: string;
  /** Settings that make a group; defaults to all, so that a group is one configuration over its seeds. */
  by?: readonly string[];
}

/** A group of trials: a configuration over its seeds. */
export interface SummaryRow {
  /** The settings of the group. */
  config: Config;
  metric: string;
  /** Finite values there are. */
  n: number;
  mean: number;
  /** Standard deviation of the sample (n − 1); NaN of a single value. */
  sd: number;
  /** Ends of the 95 % interval of the mean, Student's t with n − 1 degrees of freedom; NaN of a single value. */
  low: number;
  high: number;
  /** Trials without a finite value: failed, or NaN. They are in no mean. */
  missing: number;
}

/**
 * A metric by configuration over seeds. The interval says how far the mean would move with other seeds; for differences between
 * configurations use the pairs (equal seeds), which `tunebook/evaluate` has tests for.
 */
export function summarise(records: readonly TrialRecord[], options: SummaryOptions = {}): SummaryRow[] {
  refuseUnknown('the summary', options, ['metric', 'by']);
  const metric = options.metric ?? firstMetric(records);
  if (metric === undefined) return [];
  checkNames(records, metric, options.by ?? []);
  const groups = new Map<string, { config: Config; values: number[]; missing: number }>();
  for (const { config, metrics } of records) {
    const own = options.by ? Object.fromEntries(options.by.filter(key => key in config).map(key => [key, config[key]!])) : config;
    const key = canonical(own, 'config');
    const group = groups.get(key) ?? { config: own, values: [], missing: 0 };
    groups.set(key, group);
    const value = metrics?.[metric];
    if (typeof value === 'number') group.values.push(value);
    else if (typeof value === 'boolean') group.values.push(value ? 1 : 0);
    else group.missing++;
  }
  return [...groups.values()].map(({ config, values, missing }) => ({ config, metric, ...interval(values), missing }));
}

/** Mean, standard deviation and 95 % interval of a few values. */
export function interval(values: readonly number[]): { n: number; mean: number; sd: number; low: number; high: number } {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const sd = n < 2 ? Number.NaN : Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1));
  const reach = n < 2 ? Number.NaN : (studentQuantile(0.975, n - 1) * sd) / Math.sqrt(n);
  return { n, mean, sd, low: mean - reach, high: mean + reach };
}

/** The first number or boolean that a trial returned. */
export function firstMetric(records: readonly TrialRecord[]): string | undefined {
  for (const { metrics = {}, nonFinite = {} } of records) {
    const name = Object.keys(metrics).find(key => typeof metrics[key] === 'number' || typeof metrics[key] === 'boolean');
    const found = name ?? Object.keys(nonFinite)[0];
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Refuse a metric that no trial returned, and settings that there are none of. */
export function checkNames(records: readonly TrialRecord[], metric: string, settings: readonly string[]): void {
  const metrics = [
    ...new Set(records.flatMap(({ metrics = {}, nonFinite = {} }) => [...Object.keys(metrics), ...Object.keys(nonFinite)])),
  ];
  const known = [...new Set(records.flatMap(({ config }) => Object.keys(config)))];
  const refuse = (what: string, name: string, names: string[]) => {
    const near = nearest(name, names);
    throw new BadInput({
      problem: `there is no ${what} ${quote(name)}`,
      expected: names.length > 0 ? `one of ${some(names)}` : `a ${what} of the trials`,
      fix: near ? `did you mean "${near}"?` : undefined,
    });
  };
  if (records.length > 0 && metrics.length > 0 && !metrics.includes(metric)) refuse('metric', metric, metrics);
  for (const name of settings) if (records.length > 0 && !known.includes(name)) refuse('setting', name, known);
}

/** Names for a message: the first of them. */
const some = (names: readonly string[], most = 30): string =>
  names.length > most ? `${names.slice(0, most).join(', ')} … (${names.length})` : names.join(', ');

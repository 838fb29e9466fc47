// What the pages of this folder share: reading the results of a full sweep, means over seeds, and paired differences.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromCSV } from 'arquero';
import { evaluate, type show } from 'tunebook';

/** One trial: its settings and what it measured. */
export type Result = Record<string, number | string>;

/** The trials of a full sweep, from its committed table; failed ones must not go unseen. It says what it read, so that a page shows its source. */
export function results(sweep: string): Result[] {
  const text = readFileSync(join(import.meta.dirname, `${sweep}.csv`), 'utf8');
  const rows = fromCSV(text, { autoMax: 5000 }).objects() as Result[];
  const failed = rows.filter(row => row.status !== 'done');
  if (failed.length > 0) throw new Error(`${failed.length} of ${rows.length} trials of ${sweep} failed: ${failed[0]!.error}`);
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 12);
  const seeds = new Set(rows.map(({ seed }) => seed)).size;
  console.log(`${sweep}.csv: ${rows.length} trials, ${rows.length / seeds} settings × ${seeds} seeds (sha256 ${hash}…)`);
  return rows;
}

/** Trials of equal settings, in the order of their seeds. */
export interface Arm {
  settings: Result;
  trials: Result[];
}

/** Trials by the named settings. */
export function arms(rows: readonly Result[], settings: readonly string[]): Arm[] {
  const found = new Map<string, Arm>();
  for (const row of rows) {
    const own = Object.fromEntries(settings.filter(name => row[name] != null).map(name => [name, row[name]!]));
    const key = JSON.stringify(own);
    if (!found.has(key)) found.set(key, { settings: own, trials: [] });
    found.get(key)!.trials.push(row);
  }
  for (const { trials } of found.values()) trials.sort((a, b) => Number(a.seed) - Number(b.seed));
  return [...found.values()];
}

/** The trials of these settings, in the order of their seeds. */
export function arm(rows: readonly Result[], settings: Result): Arm {
  const names = Object.keys(settings);
  const found = arms(rows, names).find(each => names.every(name => each.settings[name] === settings[name]));
  if (!found) throw new Error(`there are no trials with ${JSON.stringify(settings)}`);
  return found;
}

/** A metric of an arm's trials, one value a seed. */
export function values({ trials, settings }: Arm, metric: string): number[] {
  return trials.map(trial => {
    const value = trial[metric];
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    throw new Error(`${metric} of ${JSON.stringify(settings)}, seed ${trial.seed}, is no number but ${value}`);
  });
}

/** Mean over seeds with Student's 95 % interval. */
export const mean = (arm: Arm, metric: string): evaluate.Interval => evaluate.tInterval(values(arm, metric));

/** A table of means over seeds, each with half the width of its 95 % interval: a row for every arm, a column for every `title: metric`. */
export function means(of: readonly Arm[], metrics: Record<string, string>): Record<string, string | number>[] {
  const said = (arm: Arm, metric: string) => {
    const { mean: value, high } = mean(arm, metric);
    return `${value.toFixed(2)} ± ${(high - value).toFixed(2)}`.replace('-', '−');
  };
  return of.map(arm => {
    const columns = Object.entries(metrics).map(([title, metric]) => [title, said(arm, metric)]);
    return { ...arm.settings, ...Object.fromEntries(columns) };
  });
}

/** Lines for `show.diversity`: a metric along a setting. An interval of a share does not leave 0 to 1. */
export function curve(name: string, of: readonly Arm[], x: string, metric: string, { share = false } = {}): show.DiversityCurve {
  const inside = (value: number) => (share ? Math.min(1, Math.max(0, value)) : value);
  const points = of.map(arm => {
    const { mean: value, low, high } = mean(arm, metric);
    return { n: Number(arm.settings[x]), value, low: inside(low), high: inside(high) };
  });
  return { name, points: points.sort((a, b) => a.n - b.n) };
}

/** Points for `show.tradeOff` with their intervals: one metric against another. */
export function plane(
  of: readonly Arm[],
  axes: { learned: string; forgotten: string },
  name: (settings: Result) => { label: string; group?: string },
): show.TradeOffPoint[] {
  return of.map(arm => {
    const [learned, forgotten] = [mean(arm, axes.learned), mean(arm, axes.forgotten)];
    return {
      ...name(arm.settings),
      learned: learned.mean,
      learnedInterval: [learned.low, learned.high],
      forgotten: forgotten.mean,
      forgottenInterval: [forgotten.low, forgotten.high],
    };
  });
}

/** Two arms to compare. */
export interface Pairing {
  what: string;
  from: Arm;
  to: Arm;
  metric: string;
}

/**
 * Differences between arms over equal seeds: mean, 95 % interval, p value after Holm's correction over all that are compared here, and the
 * smallest true difference that so many seeds would have found four times out of five.
 */
export function differences(pairings: readonly Pairing[]): Record<string, string | number>[] {
  const tests = pairings.map(({ from, to, metric }) => {
    const seeds = (arm: Arm) => arm.trials.map(({ seed }) => seed).join();
    if (seeds(from) !== seeds(to)) throw new Error(`the arms have not the same seeds: ${seeds(from)} and ${seeds(to)}`);
    return evaluate.pairedT(values(from, metric), values(to, metric));
  });
  const corrected = evaluate.holm(tests.map(({ p }) => p));
  return tests.map(({ mean: difference, low, high, mde, n }, i) => ({
    compared: pairings[i]!.what,
    metric: pairings[i]!.metric,
    difference: signed(difference),
    '95 % interval': `${signed(low)} to ${signed(high)}`,
    'p (Holm)': corrected[i]! < 0.001 ? '< 0.001' : corrected[i]!.toFixed(3),
    detectable: mde.toFixed(3),
    seeds: n,
  }));
}

/** The same differences as rows for `show.intervals`, each with its own 95 % interval (not corrected for their number). */
export function changes(pairings: readonly Pairing[]): show.IntervalRow[] {
  return pairings.map(({ what, from, to, metric }) => {
    const { mean: value, low, high } = evaluate.pairedT(values(from, metric), values(to, metric));
    return { label: what, value, low, high };
  });
}

const signed = (value: number) => `${value > 0 ? '+' : ''}${value.toFixed(3)}`.replace('-', '−');

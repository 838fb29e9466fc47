import { BadInput, quote, Random } from '../../../base/core/index.js';
import { checkLevel } from './seeds.js';

/** Scores of one arm: `scores[seed][item]`. */
export type SeedByItem = readonly (readonly number[])[];

/** Options of {@link bootstrap}. */
export interface BootstrapOptions {
  /** A second arm over the same seeds and items: the interval is then of its difference from the first. */
  against?: SeedByItem;
  /** Default .95. */
  level?: number;
  /** Number of resamples; default 2,000. */
  resamples?: number;
  /** Of the resampling; default 1. */
  seed?: number | string;
  /**
   * Items are the same for all seeds (the default where seeds have equally many), so that they are drawn once a resample; false: every
   * seed has its own.
   */
  crossed?: boolean;
}

/** What a bootstrap found. */
export interface BootstrapInterval {
  /** Mean over seeds of the mean over items. */
  mean: number;
  low: number;
  high: number;
  /** Standard deviation of the resampled means: the standard error. */
  se: number;
  /** Two-sided: twice the share of resamples on the other side of 0, each end counted once. */
  p: number;
  seeds: number;
  /** Items of a seed; the mean where they differ. */
  items: number;
}

/**
 * Percentile interval of a mean over seeds × items by a hierarchical bootstrap: seeds are drawn with replacement, and items with
 * replacement within them, so that both sources of chance count (Efron & Tibshirani 1993, ch. 8). With a handful of seeds it is
 * narrower than the t-interval over seeds, which is the one to quote then; with one seed it says what chance in the items does.
 */
export function bootstrap(scores: SeedByItem, options: BootstrapOptions = {}): BootstrapInterval {
  const { against, resamples = 2000, seed = 1 } = options;
  const level = checkLevel(options.level);
  if (!(Number.isInteger(resamples) && resamples >= 100 && resamples <= 1_000_000))
    throw new BadInput({
      problem: 'this is no number of resamples',
      where: { key: 'resamples' },
      expected: 'a whole number from 100 to 1,000,000',
      found: quote(resamples),
    });
  const values = against ? difference(scores, against) : table(scores);
  const widths = new Set(values.map(row => row.length));
  const crossed = options.crossed ?? widths.size === 1;
  if (crossed && widths.size > 1)
    throw new BadInput({
      problem: 'the seeds do not have the same items',
      where: { key: 'crossed' },
      expected: 'equally many scores for every seed',
      found: `${[...widths].join(', ')}`,
      fix: 'crossed: false draws the items of every seed apart',
    });
  const random = new Random(`bootstrap/${seed}`);
  const means = Float64Array.from({ length: resamples }, () =>
    crossed ? drawCrossed(values, random) : drawNested(values, random),
  );
  const mean = meanOf(values.map(meanOf));
  means.sort();
  const centre = meanOf(means);
  const se = Math.sqrt(means.reduce((sum, m) => sum + (m - centre) ** 2, 0) / (resamples - 1));
  const [below, above] = [means.filter(m => m <= 0).length, means.filter(m => m >= 0).length];
  return {
    mean,
    low: percentile(means, (1 - level) / 2),
    high: percentile(means, (1 + level) / 2),
    se,
    p: Math.min(1, (2 * (Math.min(below, above) + 1)) / (resamples + 1)),
    seeds: values.length,
    items: values.reduce((sum, row) => sum + row.length, 0) / values.length,
  };
}

function drawCrossed(values: readonly Float64Array[], random: Random): number {
  const items = values[0]!.length;
  const times = new Uint32Array(items);
  for (let i = 0; i < items; i++) times[random.int(items)]!++;
  let total = 0;
  for (let s = 0; s < values.length; s++) {
    const row = values[random.int(values.length)]!;
    let sum = 0;
    for (let i = 0; i < items; i++) sum += times[i]! * row[i]!;
    total += sum / items;
  }
  return total / values.length;
}

function drawNested(values: readonly Float64Array[], random: Random): number {
  let total = 0;
  for (let s = 0; s < values.length; s++) {
    const row = values[random.int(values.length)]!;
    let sum = 0;
    for (let i = 0; i < row.length; i++) sum += row[random.int(row.length)]!;
    total += sum / row.length;
  }
  return total / values.length;
}

/** Linear between the order statistics, as numpy's default. */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const [low, high] = [sorted[below]!, sorted[Math.min(below + 1, sorted.length - 1)]!];
  return low + (at - below) * (high - low);
}

function meanOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

function table(scores: SeedByItem): Float64Array[] {
  const wrong = scores.findIndex(row => row.length === 0 || !row.every(Number.isFinite));
  if (scores.length > 0 && wrong < 0) return scores.map(row => Float64Array.from(row));
  throw new BadInput({
    problem: scores.length === 0 ? 'there are no seeds' : `seed ${wrong} has no scores, or one that is no number`,
    expected: 'finite scores as scores[seed][item]',
    fix: 'leave failed seeds out, and say so',
  });
}

function difference(a: SeedByItem, b: SeedByItem): Float64Array[] {
  const [x, y] = [table(a), table(b)];
  if (x.length !== y.length || x.some((row, s) => row.length !== y[s]!.length))
    throw new BadInput({
      problem: 'the two arms do not have the same seeds and items',
      expected: `${x.length} seeds of ${x.map(row => row.length).join(', ')} items`,
      found: `${y.length} of ${y.map(row => row.length).join(', ')}`,
      fix: 'score the same rows in both arms, with the same seeds',
    });
  return x.map((row, s) => row.map((value, i) => y[s]![i]! - value));
}

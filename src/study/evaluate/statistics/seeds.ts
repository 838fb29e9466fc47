import { BadInput, quote, studentP, studentQuantile } from '../../../base/core/index.js';
import { minimumDetectableEffect } from './power.js';

/** Paired seeds below which nothing is concluded: the sign test of five cannot go below .06, that of three not below .25. */
export const FEWEST_SEEDS = 5;

/** A mean and where it may lie. */
export interface Interval {
  mean: number;
  low: number;
  high: number;
  /** Standard deviation of the values (n − 1). */
  sd: number;
  n: number;
}

/** Student's interval of a mean: mean ± t · sd / √n. With one value it has no width that is known: NaN. */
export function tInterval(values: readonly number[], options: { level?: number } = {}): Interval {
  const level = checkLevel(options.level);
  checkNumbers('values', values);
  const n = values.length;
  const mean = values.reduce((a, b) => a + b, 0) / n;
  const sd = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (n - 1));
  const reach = n > 1 ? (studentQuantile((1 + level) / 2, n - 1) * sd) / Math.sqrt(n) : Number.NaN;
  return { mean, low: mean - reach, high: mean + reach, sd, n };
}

/** Options of {@link pairedT}. */
export interface PairedOptions {
  /** Of the interval, and 1 − the error allowed in the detectable effect. Default .95. */
  level?: number;
  /** With which the minimum detectable effect would be found. Default .8. */
  power?: number;
  /** Throw for fewer than five pairs instead of saying so in `warning`. Default false. */
  strict?: boolean;
}

/** Two arms over the same seeds. */
export interface PairedTest extends Interval {
  t: number;
  df: number;
  /** Two-sided. */
  p: number;
  /** The smallest true difference that so many seeds would find with the power asked for. */
  mde: number;
  /** Why nothing may be concluded. */
  warning?: string;
}

/** Paired t test of b − a: `a[i]` and `b[i]` come from the same seed. The mean and the interval are of the difference. */
export function pairedT(a: readonly number[], b: readonly number[], options: PairedOptions = {}): PairedTest {
  const { level = 0.95, power = 0.8, strict = false } = options;
  const differences = pairs(a, b);
  const n = differences.length;
  if (n < 2 || (strict && n < FEWEST_SEEDS)) throw tooFew(n, strict ? FEWEST_SEEDS : 2);
  const interval = tInterval(differences, { level });
  const { mean, sd } = interval;
  // Equal differences: without any spread the t statistic is 0/0 or infinite.
  const t = sd === 0 ? (mean === 0 ? 0 : mean * Number.POSITIVE_INFINITY) : mean / (sd / Math.sqrt(n));
  const warning = seedWarning(n);
  return {
    ...interval,
    t,
    df: n - 1,
    p: studentP(t, n - 1),
    mde: minimumDetectableEffect({ sd, n, level, power }),
    ...(warning ? { warning } : {}),
  };
}

/** What is to be said of so few seeds; undefined from five on. */
export function seedWarning(n: number): string | undefined {
  if (n >= FEWEST_SEEDS) return undefined;
  const least = 2 ** (1 - n);
  return `${n} seed${n === 1 ? '' : 's'} support${n === 1 ? 's' : ''} no conclusion: a sign test cannot go below ${least.toPrecision(2)}. Take at least ${FEWEST_SEEDS} paired seeds, 8 for a headline.`;
}

/** Signs of the differences b − a. */
export interface SignTest {
  positive: number;
  negative: number;
  ties: number;
  /** Two-sided binomial; 1 when all are ties. */
  p: number;
}

/** Sign test of paired seeds: asks nothing of the distribution. */
export function signTest(a: readonly number[], b: readonly number[]): SignTest {
  const differences = pairs(a, b);
  const positive = differences.filter(d => d > 0).length;
  const negative = differences.filter(d => d < 0).length;
  const n = positive + negative;
  let [tail, ways] = [0, 1];
  for (let k = 0; k <= Math.min(positive, negative); k++) {
    tail += ways;
    ways = (ways * (n - k)) / (k + 1);
  }
  return { positive, negative, ties: differences.length - n, p: Math.min(1, (2 * tail) / 2 ** n) };
}

/** Holm's step-down correction (Holm 1979): p-values that may each be held against the error wanted for all of them together. */
export function holm(pValues: readonly number[]): number[] {
  const isP = (p: unknown) => typeof p === 'number' && (Number.isNaN(p) || (p >= 0 && p <= 1));
  const wrong: unknown = Array.isArray(pValues) ? pValues.find(p => !isP(p)) : pValues;
  if (wrong !== undefined)
    throw new BadInput({ problem: 'this is no p-value', expected: 'numbers from 0 to 1, or NaN', found: quote(wrong) });
  // A test that could not be made counts for nothing.
  const order = pValues.map((_, i) => i).filter(i => !Number.isNaN(pValues[i]!));
  order.sort((i, j) => pValues[i]! - pValues[j]!);
  const adjusted = pValues.map(() => Number.NaN);
  let most = 0;
  order.forEach((at, rank) => {
    most = Math.max(most, Math.min(1, (order.length - rank) * pValues[at]!));
    adjusted[at] = most;
  });
  return adjusted;
}

function pairs(a: readonly number[], b: readonly number[]): number[] {
  checkNumbers('a', a);
  checkNumbers('b', b);
  if (a.length !== b.length)
    throw new BadInput({
      problem: 'the two arms do not have the same seeds',
      expected: `${a.length} values, one a seed`,
      found: `${b.length}`,
      fix: 'run both arms with the same seeds and leave none out of one of them',
    });
  return a.map((value, i) => b[i]! - value);
}

export function checkLevel(level: number = 0.95): number {
  if (level > 0 && level < 1) return level;
  throw new BadInput({
    problem: 'this is no level',
    where: { key: 'level' },
    expected: 'a share such as 0.95',
    found: quote(level),
  });
}

function checkNumbers(key: string, values: readonly number[]): void {
  const wrong = values.findIndex(value => !Number.isFinite(value));
  if (values.length > 0 && wrong < 0) return;
  throw new BadInput({
    problem: values.length === 0 ? 'there are no values' : `value ${wrong} is no number`,
    where: { key },
    expected: 'one finite number a seed',
    found: values.length === 0 ? 'none' : quote(String(values[wrong])),
    fix: 'leave a failed seed out of both arms, and say so',
  });
}

function tooFew(n: number, least: number): BadInput {
  return new BadInput({
    problem: 'there are too few paired seeds for a test',
    expected: `at least ${least}`,
    found: `${n}`,
    fix: `run more seeds; at least ${FEWEST_SEEDS}, 8 for a headline`,
  });
}

import { BadInput, quote, setView } from '../../base/core/index.js';
import { Scored } from './scored.js';
import { bootstrap } from './statistics/bootstrap.js';
import { FEWEST_SEEDS, holm, type PairedOptions, pairedT, seedWarning, signTest } from './statistics/seeds.js';

/**
 * What one way of training gave: a number a seed; several measures, each a number a seed; or what was scored, one `Scored` a seed
 * (or one alone), over the same rows.
 */
export type Arm = readonly number[] | Readonly<Record<string, readonly number[]>> | Scored | readonly Scored[];

/** One measure of two arms. */
export interface ComparedMeasure {
  measure: string;
  seeds: number;
  /** Means of the two arms. */
  a: number;
  b: number;
  /** b − a and its interval. */
  difference: number;
  low: number;
  high: number;
  /** How interval and p were found: Student's over the seeds, or a bootstrap of rows where there is one seed. */
  method: 't' | 'bootstrap';
  p: number;
  /** p corrected for the number of measures (Holm). */
  holm: number;
  /** Sign test; NaN with one seed. */
  sign: number;
  /** The smallest true difference that so many seeds would find, with power .8 unless told; NaN with one seed. */
  mde: number;
  /** Of scored arms: the interval of a bootstrap over seeds and rows, which knows both kinds of chance. */
  hierarchical?: { low: number; high: number };
}

/** Options of {@link compareArms}. */
export interface CompareOptions extends PairedOptions {
  /** Measure of scored arms: `correct` (the default) or a metric; they are told apart by task too. */
  metric?: string;
  /** Of the bootstrap; default 1. */
  seed?: number | string;
  /** Default 2,000. */
  resamples?: number;
}

/** Result of {@link compareArms}. */
export class Comparison {
  readonly rows: readonly ComparedMeasure[];
  /** Why nothing may be concluded: too few seeds. */
  readonly warning: string | undefined;

  constructor(rows: readonly ComparedMeasure[]) {
    this.rows = rows;
    this.warning = seedWarning(Math.min(...rows.map(row => row.seeds)));
  }

  /** The measure of this name; the first unless told. */
  get(measure: string = this.rows[0]!.measure): ComparedMeasure {
    const found = this.rows.find(row => row.measure === measure);
    if (found) return found;
    throw new BadInput({
      problem: `"${measure}" was not compared`,
      expected: this.rows.map(row => row.measure).join(', '),
    });
  }
}

setView(Comparison, it => ({
  kind: 'comparison',
  data: { rows: it.rows, ...(it.warning ? { warning: it.warning } : {}), fewest: FEWEST_SEEDS },
}));

/**
 * Two arms over the same seeds: the difference b − a with its interval, p-values with Holm's correction, and the smallest difference
 * that could have been found. `evaluate.compare({ score: [.61, .64, …] }, { score: [.7, .69, …] })`.
 */
export function compareArms(a: Arm, b: Arm, options: CompareOptions = {}): Comparison {
  const { metric = 'correct', seed = 1, resamples, level, power, strict } = options;
  refuseOtherRows(a, b);
  const [left, right] = [measuresOf(a, metric), measuresOf(b, metric)];
  const names = [...left.keys()].filter(name => right.has(name));
  const other = [...left.keys(), ...right.keys()].find(name => !names.includes(name));
  if (names.length === 0 || other !== undefined)
    throw new BadInput({
      problem: 'the two arms do not have the same measures',
      expected: [...left.keys()].join(', '),
      found: [...right.keys()].join(', '),
    });
  const rows = names.map((measure): ComparedMeasure => {
    const [x, y] = bothScored(left.get(measure)!, right.get(measure)!);
    const means = { measure, seeds: x.seeds.length, a: meanOf(x.seeds), b: meanOf(y.seeds) };
    const hierarchical = x.items && y.items && bootstrap(x.items, { against: y.items, level, seed, resamples });
    if (x.seeds.length === 1 && y.seeds.length === 1 && hierarchical && !strict) {
      const { mean: difference, low, high, p } = hierarchical;
      return { ...means, difference, low, high, method: 'bootstrap', p, holm: p, sign: Number.NaN, mde: Number.NaN };
    }
    const { mean: difference, low, high, p, mde } = pairedT(x.seeds, y.seeds, { level, power, strict });
    const found = { ...means, difference, low, high, method: 't' as const, p, holm: p, sign: signTest(x.seeds, y.seeds).p, mde };
    return hierarchical ? { ...found, hierarchical: { low: hierarchical.low, high: hierarchical.high } } : found;
  });
  const corrected = holm(rows.map(row => row.p));
  return new Comparison(rows.map((row, i) => ({ ...row, holm: corrected[i]! })));
}

/** One measure of an arm: a number a seed, and the numbers it is the mean of. */
interface Measured {
  seeds: readonly number[];
  /** By seed; NaN for what could not be scored. */
  items?: readonly (readonly number[])[];
}

const meanOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Of rows the ones that could be scored in both arms: a difference is of the same rows. */
function bothScored(x: Measured, y: Measured): [Measured, Measured] {
  if (!x.items || !y.items) return [x, y];
  const kept = (own: Measured, other: Measured): Measured => {
    const items = own.items!.map((values, s) =>
      values.filter((value, i) => !Number.isNaN(value) && !Number.isNaN(other.items![s]?.[i] ?? 0)),
    );
    return { items, seeds: items.map(meanOf) };
  };
  return [kept(x, y), kept(y, x)];
}

/** Scored arms are held against each other row by row: asked in other words perhaps, but with the same answers expected. */
function refuseOtherRows(a: Arm, b: Arm): void {
  const [x, y] = [a, b].map(arm => [arm].flat().filter(one => one instanceof Scored));
  for (const [s, one] of x!.entries()) {
    const other = y![s];
    if (!other || other.n !== one.n) continue;
    const at = one.samples.findIndex(({ expected }, i) => expected !== other.samples[i]!.expected);
    if (at >= 0)
      throw new BadInput({
        problem: 'the two arms were not scored on the same rows',
        expected: `row ${at} with the answer ${quote(one.samples[at]!.expected)}`,
        found: quote(other.samples[at]!.expected),
        fix: 'score the same rows in the same order in both arms',
      });
  }
}

function measuresOf(arm: Arm, metric: string): Map<string, Measured> {
  if (arm instanceof Scored) return scoredMeasures([arm], metric);
  if (Array.isArray(arm)) {
    if (arm.length > 0 && arm.every(one => one instanceof Scored)) return scoredMeasures(arm, metric);
    return new Map([['score', { seeds: arm as readonly number[] }]]);
  }
  if (typeof arm === 'object' && arm !== null && Object.values(arm).every(Array.isArray))
    return new Map(Object.entries(arm as Record<string, readonly number[]>).map(([name, seeds]) => [name, { seeds }]));
  throw new BadInput({
    problem: 'these are no results of an arm',
    expected: 'a number a seed, { measure: [a number a seed] }, or what evaluate.score gave, one a seed',
    found: quote(arm),
  });
}

/** All rows, and every task where there are several. */
function scoredMeasures(arms: readonly Scored[], metric: string): Map<string, Measured> {
  const tasks = [...new Set(arms[0]!.samples.map(sample => sample.task).filter(task => task !== undefined))];
  const parts: (string | undefined)[] = [undefined, ...(tasks.length > 1 ? tasks : [])];
  return new Map(
    parts.map(part => {
      const items = arms.map(scored =>
        scored.values(metric).filter((_, i) => part === undefined || scored.samples[i]!.task === part),
      );
      return [part ?? 'all rows', { items, seeds: items.map(meanOf) }];
    }),
  );
}

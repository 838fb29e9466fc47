import { BadInput, quote } from '../../base/core/index.js';

/** How the shares of a mixture follow from the sizes of its sources. */
export type MixStrategy = 'proportional' | 'temperature' | 'capped' | 'weights';

export interface ShareOptions {
  strategy: MixStrategy;
  temperature?: number;
  cap?: number;
  weights?: Readonly<Record<string, number>>;
}

/**
 * The share of each source, summing to 1, from its number of examples eₘ:
 *
 * - `proportional`: rₘ = eₘ ÷ Σ eₙ.
 * - `capped`: examples-proportional mixing with an artificial limit K on the size of a source,
 *   rₘ = min(eₘ, K) ÷ Σ min(eₙ, K) (Raffel et al. 2020, T5, §3.5.2; FLAN's "mixing rate maximum" of 3,000, Wei et al. 2021, §2.4).
 * - `temperature`: rₘ raised to 1⁄T and renormalised, with the limit K where `cap` is given (Raffel et al. 2020, §3.5.2). T = 1 is
 *   `proportional` or `capped`; T → ∞ is equal mixing.
 * - `weights`: the weights, renormalised.
 */
export function mixingShares(sizes: Readonly<Record<string, number>>, options: ShareOptions): Record<string, number> {
  const names = Object.keys(sizes);
  const raw = rates(names, sizes, options);
  const sum = raw.reduce((a, b) => a + b, 0);
  if (!(sum > 0)) {
    throw bad(
      'sources',
      'at least one source with rows and a share above 0',
      `${names.length} sources, none of them with both`,
      'add rows or weights',
    );
  }
  return Object.fromEntries(names.map((name, i) => [name, raw[i]! / sum]));
}

function rates(names: readonly string[], sizes: Readonly<Record<string, number>>, options: ShareOptions): number[] {
  const { strategy, temperature, cap, weights } = options;
  const unused = (key: string, value: unknown, where: string) => {
    if (value !== undefined)
      throw bad(key, `no ${key} with strategy '${strategy}'`, quote(value), `use strategy '${where}', or leave ${key} out`);
  };
  if (strategy !== 'temperature') unused('temperature', temperature, 'temperature');
  if (strategy !== 'temperature' && strategy !== 'capped') unused('cap', cap, 'capped');
  if (strategy !== 'weights') unused('weights', weights, 'weights');
  switch (strategy) {
    case 'proportional':
      return names.map(name => sizes[name]!);
    case 'capped':
      return names.map(name => Math.min(sizes[name]!, checkCap(cap)));
    case 'temperature': {
      if (!(Number.isFinite(temperature) && temperature! > 0))
        throw bad(
          'temperature',
          'a number above 0 (1 is proportional; T5 tried 2, 4, 8)',
          quote(temperature),
          'pass temperature',
        );
      const limit = cap === undefined ? Number.POSITIVE_INFINITY : checkCap(cap);
      const limited = names.map(name => Math.min(sizes[name]!, limit));
      // Relative to the largest, so that a small temperature cannot overflow.
      const most = limited.reduce((a, b) => Math.max(a, b), 0);
      return limited.map(n => (n === 0 ? 0 : (n / most) ** (1 / temperature!)));
    }
    case 'weights':
      return checkWeights(names, sizes, weights);
    default:
      throw bad('strategy', "'proportional', 'temperature', 'capped' or 'weights'", quote(strategy), 'choose one of these');
  }
}

function checkCap(cap: number | undefined): number {
  if (Number.isFinite(cap) && cap! > 0) return cap!;
  throw bad('cap', 'a number of examples above 0 (FLAN took 3,000)', quote(cap), 'pass cap');
}

function checkWeights(
  names: readonly string[],
  sizes: Readonly<Record<string, number>>,
  weights: Readonly<Record<string, number>> | undefined,
): number[] {
  const given = Object.keys(weights ?? {});
  const missing = names.filter(name => !given.includes(name));
  const unknown = given.filter(name => !names.includes(name));
  if (!weights || missing.length > 0 || unknown.length > 0) {
    const found = !weights
      ? 'none'
      : [missing.length && `none for ${quote(missing)}`, unknown.length && `some for ${quote(unknown)}, which is no source`]
          .filter(Boolean)
          .join(' and ');
    throw bad('weights', 'a weight for every source and no other', found, 'give every source a weight; 0 leaves it out');
  }
  return names.map(name => {
    const weight = weights[name]!;
    if (!(Number.isFinite(weight) && weight >= 0))
      throw bad(`weights.${name}`, 'a number from 0 up', quote(weight), 'correct the weight');
    if (weight > 0 && sizes[name] === 0)
      throw bad(`sources.${name}`, 'rows, since its weight is above 0', 'none', 'add rows, or give it weight 0');
    return weight;
  });
}

/**
 * Whole counts that sum to `total` exactly and differ from `share · total` by less than 1 (largest-remainder rounding, after
 * Hamilton): every source gets the whole part, and those with the largest fractions one more. Of equal fractions the earlier comes first.
 */
export function apportion(shares: readonly number[], total: number): number[] {
  const exact = shares.map(share => share * total);
  const counts = exact.map(Math.floor);
  // Rounded, since 0.1 · 30 is a hair above 3 and 0.7 · 10 a hair below 7.
  const rest = exact.map((x, i) => Number((x - counts[i]!).toFixed(9)));
  const left = total - counts.reduce((a, b) => a + b, 0);
  const order = [...shares.keys()].filter(i => shares[i]! > 0).sort((a, b) => rest[b]! - rest[a]! || a - b);
  for (const i of order.slice(0, left)) counts[i]!++;
  return counts;
}

export function bad(key: string, expected: string, found: string, fix: string): BadInput {
  return new BadInput({ problem: 'the rows cannot be mixed like this', where: { key }, expected, found, fix });
}

import { BadInput } from '../../../base/core/index.js';
import type { Rating } from './ratings.js';

/** How strong a model is by Bradley and Terry's model. */
export interface Strength {
  model: string;
  /** ln strength, centred on 0: a difference of d means winning with 1 / (1 + e^−d). */
  strength: number;
}

/**
 * Strengths by which each pair's odds are the ratio of its two (Bradley & Terry 1952), by the minorise–maximise steps of Hunter (2004).
 * A tie is half a win for each. `prior` is wins and losses that every model is given against an average one, so that a model that
 * always won has a finite strength: half of each unless told; with 0 it is the plain maximum likelihood, which needs that nobody
 * always wins.
 */
export function bradleyTerry(ratings: readonly Rating[], { prior = 0.5 }: { prior?: number } = {}): Strength[] {
  const games = new Games(ratings);
  const all = games.ratings.map((_, i) => i);
  const { wins } = games.count(all);
  if (prior === 0 && games.models.some((_, i) => wins[i] === 0 || wins[i] === games.played(i)))
    throw new BadInput({
      problem: 'a model has won always or never: without a prior its strength is infinite',
      where: { key: 'prior' },
      fix: 'leave prior at 0.5',
    });
  const strengths = games.strengths(all, { prior, precision: 1e-10 });
  return games.models.map((model, i) => ({ model, strength: strengths[i]! })).sort((x, y) => y.strength - x.strength);
}

/** Ratings with their models by number, of which strengths can be told again and again. */
export class Games {
  readonly models: readonly string[];
  /** Two models, and the points of the first: 1, ½ or 0. */
  readonly ratings: readonly { first: number; second: number; points: number }[];

  constructor(ratings: readonly Rating[]) {
    this.models = [...new Set(ratings.flatMap(rating => rating.models))];
    const at = new Map(this.models.map((model, i) => [model, i]));
    this.ratings = ratings.map(({ models: [a, b], winner }) => ({
      first: at.get(a)!,
      second: at.get(b)!,
      points: winner === undefined ? 0.5 : Number(winner === a),
    }));
  }

  /** How often a model was rated. */
  played(model: number): number {
    return this.ratings.filter(({ first, second }) => first === model || second === model).length;
  }

  /** Points of every model in some of the ratings, and how often each two met. */
  count(chosen: readonly number[]): { wins: Float64Array; met: Float64Array[] } {
    const wins = new Float64Array(this.models.length);
    const met = this.models.map(() => new Float64Array(this.models.length));
    for (const at of chosen) {
      const { first, second, points } = this.ratings[at]!;
      wins[first]! += points;
      wins[second]! += 1 - points;
      met[first]![second]! += 1;
      met[second]![first]! += 1;
    }
    return { wins, met };
  }

  /** ln strengths by some of the ratings, centred on 0. */
  strengths(chosen: readonly number[], { prior, precision }: { prior: number; precision: number }): number[] {
    const { wins, met } = this.count(chosen);
    let strengths = new Float64Array(this.models.length).fill(1);
    for (let step = 0; step < 10_000; step++) {
      const next = strengths.map((own, i) => {
        let games = (2 * prior) / (own + 1);
        for (let j = 0; j < strengths.length; j++) if (met[i]![j]! > 0) games += met[i]![j]! / (own + strengths[j]!);
        return (wins[i]! + prior) / games;
      });
      // Only ratios mean something where no average model holds them.
      const scale = prior > 0 ? 1 : Math.exp(next.reduce((sum, s) => sum + Math.log(s), 0) / next.length);
      let moved = 0;
      for (let i = 0; i < next.length; i++) {
        next[i]! /= scale;
        moved = Math.max(moved, Math.abs(Math.log(next[i]! / strengths[i]!)));
      }
      strengths = next;
      if (moved < precision) break;
    }
    const logs = Array.from(strengths, Math.log);
    const mean = logs.reduce((a, b) => a + b, 0) / logs.length;
    return logs.map(log => log - mean);
  }
}

/**
 * Krippendorff's α of what several raters said of the same pairs (nominal; Krippendorff 2011): 1 when all agree, 0 when they agree as
 * by chance. Raters may have missed pairs. NaN where no pair was rated twice, or nothing but one answer was ever given.
 */
export function agreement(ratings: readonly Rating[]): { alpha: number; items: number; raters: number; same: number } {
  const byItem = new Map<string, { first: string; values: string[] }>();
  for (const { item, models, winner } of ratings) {
    // By place, not by name; the places are those of the item's first rating, as raters may see the two the other way round.
    const own = byItem.get(item) ?? { first: models[0], values: [] };
    byItem.set(item, own);
    own.values.push(winner === undefined ? 'tie' : winner === own.first ? 'first' : 'second');
  }
  const units = Array.from(byItem.values(), ({ values }) => values).filter(values => values.length > 1);
  const totals = new Map<string, number>();
  let [n, differing, agreeing, compared] = [0, 0, 0, 0];
  for (const values of units) {
    const counts = new Map<string, number>();
    for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
    const m = values.length;
    const equal = [...counts.values()].reduce((sum, c) => sum + c * (c - 1), 0);
    differing += (m * (m - 1) - equal) / (m - 1);
    agreeing += equal;
    compared += m * (m - 1);
    n += m;
    for (const [value, c] of counts) totals.set(value, (totals.get(value) ?? 0) + c);
  }
  const expected = (n * n - [...totals.values()].reduce((sum, c) => sum + c * c, 0)) / (n - 1);
  return {
    alpha: units.length > 0 && expected > 0 ? 1 - differing / expected : Number.NaN,
    items: units.length,
    raters: new Set(ratings.map(rating => rating.rater)).size,
    same: compared > 0 ? agreeing / compared : Number.NaN,
  };
}

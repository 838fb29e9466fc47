import { BadInput, quote, Random, setView } from '../../../base/core/index.js';
import { wilson } from '../interval.js';
import { percentile } from '../statistics/bootstrap.js';
import { type Rating, readRatings } from './ratings.js';
import { agreement, bradleyTerry, Games } from './strengths.js';

/** How one model fared against another. */
export interface WinRate {
  model: string;
  against: string;
  wins: number;
  losses: number;
  ties: number;
  n: number;
  /** Wins and half the ties, by all ratings, with Wilson's 95 % interval. */
  rate: number;
  low: number;
  high: number;
}

/** A model's strength with the 95 % interval of a bootstrap over the pairs. */
export interface RankedModel {
  model: string;
  /** ln of Bradley and Terry's strength, centred on 0. */
  strength: number;
  low: number;
  high: number;
  /** Probability of winning against an average model. */
  chance: number;
}

/** What people preferred. */
export class Preferences {
  readonly ratings: readonly Rating[];
  /** Krippendorff's α, and the share of pairs of raters that agree. */
  readonly agreement: ReturnType<typeof agreement>;
  readonly ranking: readonly RankedModel[];

  constructor(ratings: readonly Rating[], { seed = 1, resamples = 500 }: { seed?: number | string; resamples?: number } = {}) {
    if (ratings.length === 0)
      throw new BadInput({
        problem: 'there are no ratings',
        fix: 'rate some pairs with show.rate(evaluate.pairs([a, b]), { file })',
      });
    const stranger = ratings.find(({ models, winner }) => winner !== undefined && !models.includes(winner));
    if (stranger)
      throw new BadInput({
        problem: `the winner of ${quote(stranger.item)} is none of the two`,
        where: { key: 'winner' },
        expected: stranger.models.join(' or '),
        found: quote(stranger.winner),
      });
    this.ratings = ratings;
    this.agreement = agreement(ratings);
    this.ranking = ranked(ratings, seed, resamples);
  }

  /** Every two models that were held against each other, the better one first. */
  get winRates(): WinRate[] {
    const met = new Map<string, { pair: [string, string]; wins: number; losses: number; ties: number }>();
    for (const { models, winner } of this.ratings) {
      const pair = [...models].sort() as [string, string];
      const key = JSON.stringify(pair);
      const sums = met.get(key) ?? { pair, wins: 0, losses: 0, ties: 0 };
      met.set(key, sums);
      if (winner === undefined) sums.ties++;
      else if (winner === pair[0]) sums.wins++;
      else sums.losses++;
    }
    return Array.from(met.values(), ({ pair, wins, losses, ties }) => {
      const turned = losses > wins;
      const [model, against] = turned ? [pair[1], pair[0]] : pair;
      const [won, lost] = turned ? [losses, wins] : [wins, losses];
      const n = wins + losses + ties;
      const points = won + ties / 2;
      return { model, against, wins: won, losses: lost, ties, n, rate: points / n, ...wilson(points, n) };
    });
  }
}

setView(Preferences, it => {
  const { alpha, items, raters, same } = it.agreement;
  const several = it.ranking.length > 2;
  const share = (value: number) => `${(100 * value).toFixed(0)} %`;
  const won = it.winRates.map(
    ({ model, against, wins, losses, ties, rate }) =>
      `${model} against ${against}: ${wins} won, ${losses} lost, ${ties} tied (${share(rate)}).`,
  );
  const agreed =
    items > 0
      ? `${raters} raters agree on ${share(same)} of the pairs they share (Krippendorff's α ${Number.isNaN(alpha) ? 'not defined' : alpha.toFixed(2)}, ${items} pairs).`
      : `${raters === 1 ? 'One rater' : `${raters} raters`}; no pair was rated twice, so that nothing is known of their agreement.`;
  return {
    kind: 'intervals',
    data: {
      title: several ? 'Strength by pairwise preference (Bradley–Terry)' : 'Preferred answers',
      ...(several ? { reference: 0, axis: 'ln strength' } : { unit: 'share', reference: 0.5 }),
      rows: several
        ? it.ranking.map(({ model, strength, low, high }) => ({ label: model, value: strength, low, high }))
        : it.winRates.map(({ model, against, rate, low, high }) => ({
            label: `${model} against ${against}`,
            value: rate,
            low,
            high,
          })),
      notes: several ? [agreed, ...won] : [...won, agreed],
    },
  };
});

/** Win rates, Bradley–Terry strengths and agreement of ratings, or of the file `show.rate` wrote them to. */
export async function preferences(source: string | readonly Rating[]): Promise<Preferences> {
  return new Preferences(typeof source === 'string' ? (await readRatings(source)).ratings : source);
}

function ranked(ratings: readonly Rating[], seed: number | string, resamples: number): RankedModel[] {
  // Raters of one pair say much the same of it, so pairs are drawn and not ratings.
  const byItem = new Map<string, number[]>();
  ratings.forEach(({ item }, i) => {
    const own = byItem.get(item);
    if (own) own.push(i);
    else byItem.set(item, [i]);
  });
  const items = [...byItem.values()];
  const games = new Games(ratings);
  const random = new Random(`preferences/${seed}`);
  const drawn = Array.from({ length: resamples }, () => {
    const chosen = Array.from(items, () => random.pick(items)).flat();
    return games.strengths(chosen, { prior: 0.5, precision: 1e-5 });
  });
  return bradleyTerry(ratings).map(({ model, strength }) => {
    const at = games.models.indexOf(model);
    const values = drawn.map(strengths => strengths[at]!).sort((a, b) => a - b);
    const [low, high] = [percentile(values, 0.025), percentile(values, 0.975)];
    return { model, strength, low, high, chance: 1 / (1 + Math.exp(-strength)) };
  });
}

import { setView } from '../../base/core/index.js';
import type { Row } from '../../prepare/data/index.js';
import { type ExactMatchOptions, exactMatch, type Scores } from './exact-match.js';
import { wilson } from './interval.js';

/** Exact match on one held-out set, with its 95 % interval. */
export interface RungScore {
  rung: string;
  n: number;
  score: number;
  /** Lower and upper end of the Wilson interval over the rows of this rung. */
  low: number;
  high: number;
}

/** Result of {@link ladder}. */
export class Ladder {
  /** Scores of each rung, in the order given. */
  readonly scores: ReadonlyMap<string, Scores>;

  constructor(scores: ReadonlyMap<string, Scores>) {
    this.scores = scores;
  }

  /** One entry for each rung. */
  get rungs(): RungScore[] {
    return [...this.scores].map(([rung, { n, score }]) => ({ rung, n, score, ...wilson(score * n, n) }));
  }

  /** Exact match on one rung. */
  score(rung: string): number {
    const found = this.scores.get(rung);
    if (!found) throw new RangeError(`no rung is called "${rung}"; there are ${[...this.scores.keys()].join(', ')}`);
    return found.score;
  }

  /** Mean over the named rungs (default: all), each counting the same. */
  mean(rungs: readonly string[] = [...this.scores.keys()]): number {
    return rungs.reduce((sum, rung) => sum + this.score(rung), 0) / rungs.length;
  }
}

setView(Ladder, ({ rungs }) => {
  const percent = (share: number) => `${(100 * share).toFixed(0)}\u00a0%`;
  return {
    kind: 'table',
    data: rungs.map(({ rung, n, score, low, high }) => ({
      rung,
      rows: n,
      'exact match': percent(score),
      '95 % interval': `${percent(low)} to ${percent(high)}`,
    })),
  };
});

/** {@link exactMatch} on several held-out sets: `{ 'new inputs': rows, paraphrase: rows, … }`. */
export async function ladder(
  options: Omit<ExactMatchOptions, 'rows'> & { rungs: Readonly<Record<string, readonly Row[]>> },
): Promise<Ladder> {
  const { rungs, ...rest } = options;
  const scores = new Map<string, Scores>();
  for (const [rung, rows] of Object.entries(rungs))
    scores.set(rung, await exactMatch({ ...rest, rows, label: `${options.label ?? 'answering'}: ${rung}` }));
  return new Ladder(scores);
}

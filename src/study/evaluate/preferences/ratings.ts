import { BadInput, quote } from '../../../base/core/index.js';
import type { Message } from '../../../prepare/data/index.js';
import { fairOrder } from '../in-loop.js';
import { readLines } from '../read-lines.js';
import type { Scored } from '../scored.js';

/** Two answers to one prompt, to be held against each other by a person: what `show.rate` shows. */
export interface RatedPair {
  /** Names the pair: the same for all raters. */
  item: string;
  prompt: Message[];
  task?: string;
  /** Who answered, and what. */
  answers: readonly [{ model: string; text: string }, { model: string; text: string }];
}

/** What one person said of one pair. */
export interface Rating {
  item: string;
  rater: string;
  /** The two models. */
  models: readonly [string, string];
  /** Whose answer was better; undefined for a tie. */
  winner?: string;
}

/** Options of {@link pairs}. */
export interface PairsOptions {
  /** Prompts at most, of every task in its share; default 50. */
  rows?: number;
  /** Chooses them; default 1. */
  seed?: number | string;
}

/**
 * Pairs of answers for `show.rate`: of every prompt chosen each two models against each other. Answers that are the same are left out:
 * there is nothing to prefer.
 */
export function pairs(scored: readonly Scored[], options: PairsOptions = {}): RatedPair[] {
  const { rows = 50, seed = 1 } = options;
  const names = scored.map(one => one.name);
  const first = scored[0];
  const fits = (other: Scored) => other.n === first!.n && other.samples.every((s, i) => s.prompt === first!.samples[i]!.prompt);
  if (scored.length < 2 || new Set(names).size < names.length || !scored.every(fits))
    throw new BadInput({
      problem: 'of these no pairs can be made',
      expected: 'what evaluate.score gave for two models or more, with different names, over the same rows',
      found: scored.map(one => `${one.name} (${one.n} rows)`).join(', ') || 'nothing',
      fix: "score each with a name of its own: evaluate.score({ …, name: 'tuned' })",
    });
  const placeOf = new Map(first!.samples.map((sample, i) => [sample.row, i]));
  const order = fairOrder([...placeOf.keys()], seed).slice(0, rows);
  return order.flatMap(row => {
    const i = placeOf.get(row)!;
    return scored.flatMap((a, x) =>
      scored.slice(x + 1).flatMap(b => {
        const [one, other] = [a, b].map(({ name, samples }) => ({ model: name, text: samples[i]!.got }));
        if (one!.text === other!.text) return [];
        return [
          {
            item: `${i}/${a.name}/${b.name}`,
            prompt: row.messages.slice(0, -1),
            ...(row.task === undefined ? {} : { task: row.task }),
            answers: [one!, other!] as const,
          },
        ];
      }),
    );
  });
}

/** What {@link readRatings} found. */
export interface ReadRatings {
  ratings: Rating[];
  /** Lines that are no ratings. */
  skipped: { line: number; reason: string }[];
}

/** Read the file `show.rate` wrote. Of several ratings of one pair by one rater the last counts. */
export async function readRatings(path: string): Promise<ReadRatings> {
  const found = new Map<string, Rating>();
  const skipped: ReadRatings['skipped'] = [];
  (await readLines(path, 'the file of ratings')).forEach((line, i) => {
    if (line.trim() === '') return;
    const rating = ratingOf(line);
    if (typeof rating === 'string') skipped.push({ line: i + 1, reason: rating });
    else found.set(`${rating.rater}\n${rating.item}`, rating);
  });
  return { ratings: [...found.values()], skipped };
}

function ratingOf(line: string): Rating | string {
  let meta: Record<string, unknown> | undefined;
  try {
    meta = (JSON.parse(line) as { meta?: Record<string, unknown> }).meta;
  } catch {
    return 'not JSON: a line that was not written to its end';
  }
  const { item, rater, models, winner } = meta ?? {};
  const named = typeof item === 'string' && typeof rater === 'string' && Array.isArray(models) && models.length === 2;
  if (!named || !models.every(name => typeof name === 'string')) return `no rating: ${quote(line, 60)}`;
  if (winner !== undefined && !(models as unknown[]).includes(winner)) return `the winner ${quote(winner)} is none of the two`;
  return { item, rater, models: models as [string, string], ...(winner === undefined ? {} : { winner: winner as string }) };
}

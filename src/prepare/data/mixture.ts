import { BadInput, quote, Random, setView } from '../../base/core/index.js';
import { apportion, bad, type MixStrategy, mixingShares, type ShareOptions } from './mixture-shares.js';

export interface MixOptions<T> {
  /** Rows by the name of their source. */
  sources: Readonly<Record<string, readonly T[]>>;
  /** Defaults to 'proportional'; see {@link mixingShares} for the formulas. */
  strategy?: MixStrategy;
  /** For 'temperature': T > 0. */
  temperature?: number;
  /** For 'capped', and 'temperature' if wanted: examples of one source that count at most. */
  cap?: number;
  /** For 'weights': one for every source, in any unit. */
  weights?: Readonly<Record<string, number>>;
  /**
   * Rows to draw, replay rows included. Defaults to as many as there are: the sum of the sources ('capped': of their capped
   * sizes), and the replay rows that belong to them.
   */
  total?: number;
  /**
   * `false` (the default) draws without replacement: a source gives every row once before it gives any twice, so that of k rows
   * drawn from n each occurs ⌊k⁄n⌋ or ⌈k⁄n⌉ times. `true` draws each row independently.
   */
  replacement?: boolean;
  /** Throw when a source would be repeated more often than this (drawn ÷ available). Defaults to no limit. */
  maxRepeats?: number;
  /** Chooses rows and order. A source's choice depends on its own name and count only, not on the other sources. */
  seed?: number | string;
  /** Base text (or other rows) against forgetting: `share` in [0, 1) of all rows drawn, listed as source 'replay'. */
  replay?: { rows: readonly T[]; share: number };
  /** Trained tokens of a row, for the report. Encoded rows have them as `trained` and need no function. */
  trainedTokens?: (row: T) => number;
}

/** One source in a {@link MixReport}. */
export interface MixLine {
  source: string;
  /** Rows it has. */
  available: number;
  /** Rows drawn from it, repeated ones counted each time. */
  drawn: number;
  /** Different rows among them. */
  distinct: number;
  /** drawn ÷ available: above 1 the source is up-sampled. */
  repeated: number;
  /** Share of the rows that the strategy asks for. */
  asked: number;
  /** Share of the rows that it got: within one row of `asked`. */
  got: number;
  /** Trained tokens drawn, where known. */
  trainedTokens?: number;
  /** Share of all trained tokens drawn: what the loss sees. */
  tokenShare?: number;
}

/** What a mixture is made of. Shown in a notebook as a bar chart (asked against got); `lines` make a table. */
export class MixReport {
  readonly strategy: string;
  readonly total: number;
  readonly seed: number | string;
  readonly lines: readonly MixLine[];

  constructor(strategy: string, seed: number | string, lines: readonly MixLine[]) {
    this.strategy = strategy;
    this.total = lines.reduce((sum, line) => sum + line.drawn, 0);
    this.seed = seed;
    this.lines = lines;
  }
}

setView(MixReport, ({ strategy, total, lines }) => ({ kind: 'mixture', data: { strategy, total, lines } }));

/** Rows of a mixture in training order. An ordinary array otherwise. */
export type Mixed<T> = T[] & {
  report: MixReport;
  /** The source of each row, aligned with the rows. */
  from: string[];
};

const REPLAY = 'replay';

/**
 * Mix rows of several sources into one shuffled list, with exact counts: they sum to `total`, and each is within one row of its
 * share (largest-remainder rounding). Equal input and seed give equal rows in equal order. The rows themselves are not copied.
 *
 * @example
 * const rows = data.mix({
 *   sources: { summarise, translate, qa }, strategy: 'temperature', temperature: 2, total: 10_000, seed: 1,
 *   replay: { rows: baseText, share: 0.05 },
 * });
 * rows.report; // as the last expression of a cell: asked and got, source by source
 */
export function mix<T>(options: MixOptions<T>): Mixed<T> {
  const {
    sources,
    replay,
    seed = 0,
    strategy = 'proportional',
    replacement = false,
    maxRepeats = Number.POSITIVE_INFINITY,
  } = options;
  const names = checkSources(sources, replay !== undefined);
  const shareOptions: ShareOptions = { strategy, temperature: options.temperature, cap: options.cap, weights: options.weights };
  const sizes = Object.fromEntries(names.map(name => [name, sources[name]!.length]));
  const shares = mixingShares(sizes, shareOptions);
  const replayShare = checkReplay(replay);

  const asked = names.map(name => shares[name]! * (1 - replayShare));
  const pools = names.map(name => sources[name]!);
  if (replay) {
    names.push(REPLAY);
    asked.push(replayShare);
    pools.push(replay.rows);
  }
  const total = checkTotal(options.total) ?? naturalTotal(Object.values(sizes), shareOptions, replayShare);
  const counts = apportion(asked, total);
  for (const [i, count] of counts.entries()) {
    const available = pools[i]!.length;
    if (count > maxRepeats * available) {
      throw new BadInput({
        problem: `source ${quote(names[i])} would be repeated ${(count / available).toFixed(2)} times`,
        where: { key: 'maxRepeats' },
        expected: `at most ${maxRepeats} times its ${available} rows`,
        found: `${count} rows asked of it`,
        fix: 'lower total or its share, add rows, or raise maxRepeats',
      });
    }
  }
  const draws = counts.map((count, i) => draw(pools[i]!.length, count, replacement, new Random(`mix/${seed}/${names[i]}`)));
  const all = draws.flatMap((drawn, i) => drawn.map(at => ({ row: pools[i]![at]!, from: names[i]! })));
  const ordered = new Random(`mix/${seed}`).shuffle(all);
  const lines = report(names, pools, draws, asked, options.trainedTokens);
  return Object.assign(
    ordered.map(({ row }) => row),
    { report: new MixReport(strategy, seed, lines), from: ordered.map(({ from }) => from) },
  );
}

/** Positions of the rows drawn from a source of `size`. */
function draw(size: number, count: number, replacement: boolean, random: Random): number[] {
  if (replacement) return Array.from({ length: count }, () => random.int(size));
  const all = Array.from({ length: size }, (_, i) => i);
  const rounds = Array.from({ length: Math.floor(count / Math.max(1, size)) }, () => random.shuffle(all));
  return [...rounds.flat(), ...random.sample(all, count - rounds.length * size)];
}

function report<T>(
  names: readonly string[],
  pools: readonly (readonly T[])[],
  draws: readonly number[][],
  asked: readonly number[],
  count: ((row: T) => number) | undefined,
): MixLine[] {
  const total = draws.reduce((sum, drawn) => sum + drawn.length, 0);
  const measure = count ?? trainedOf;
  const tokens = draws.map((drawn, i) => drawn.reduce<number | undefined>((sum, at) => add(sum, measure(pools[i]![at]!)), 0));
  const known = tokens.every(n => n !== undefined) ? (tokens as number[]) : undefined;
  const all = known?.reduce((a, b) => a + b, 0) ?? 0;
  return names.map((source, i) => {
    const drawn = draws[i]!.length;
    const available = pools[i]!.length;
    return {
      source,
      available,
      drawn,
      distinct: new Set(draws[i]).size,
      repeated: available === 0 ? 0 : drawn / available,
      asked: asked[i]!,
      got: total === 0 ? 0 : drawn / total,
      ...(known ? { trainedTokens: known[i]!, tokenShare: all === 0 ? 0 : known[i]! / all } : {}),
    };
  });
}

function trainedOf(row: unknown): number | undefined {
  const trained = (row as { trained?: unknown } | null)?.trained;
  return typeof trained === 'number' ? trained : undefined;
}

function add(sum: number | undefined, n: number | undefined): number | undefined {
  return sum === undefined || n === undefined ? undefined : sum + n;
}

function checkSources(sources: unknown, withReplay: boolean): string[] {
  const names = Object.keys((sources ?? {}) as object);
  if (names.length === 0)
    throw bad('sources', 'rows by name: {sources: {qa: [...], summaries: [...]}}', quote(sources), 'pass at least one source');
  for (const name of names) {
    const rows = (sources as Record<string, unknown>)[name];
    if (!Array.isArray(rows)) throw bad(`sources.${name}`, 'an array of rows', quote(rows), 'read the rows with data.readRows');
  }
  if (withReplay && names.includes(REPLAY))
    throw bad('sources.replay', "another name: 'replay' is the source of replay.rows", 'replay', 'rename the source');
  return names;
}

function checkReplay(replay: { rows: readonly unknown[]; share: number } | undefined): number {
  if (!replay) return 0;
  const { rows, share } = replay;
  if (!(share >= 0 && share < 1))
    throw bad('replay.share', 'a share of all rows from 0, below 1', quote(share), 'correct the share');
  if (!Array.isArray(rows) || (rows.length === 0 && share > 0))
    throw bad('replay.rows', 'rows to replay', quote(rows), 'read base text: data.readRows(path, {format: "text"})');
  return share;
}

function checkTotal(total: number | undefined): number | undefined {
  if (total === undefined || (Number.isInteger(total) && total >= 1)) return total;
  throw bad('total', 'a whole number of rows from 1 up', quote(total), 'correct total, or leave it out');
}

function naturalTotal(
  sizes: readonly number[],
  { strategy, cap = Number.POSITIVE_INFINITY }: ShareOptions,
  replayShare: number,
): number {
  const own = sizes.reduce((sum, n) => sum + (strategy === 'capped' ? Math.min(n, Math.floor(cap)) : n), 0);
  return Math.max(1, Math.round(own / (1 - replayShare)));
}

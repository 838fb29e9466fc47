import { BadInput, quote, Random } from '../../base/core/index.js';
import type { TrainableRow } from './batches.js';
import { BestFit } from './best-fit.js';
import { IGNORED } from './encoded.js';

/**
 * What becomes of a row longer than a pack. `raise` (the default) throws; `drop` leaves it out; `truncate` cuts its end;
 * `split` cuts it into pieces, each a segment of its own that does not see the ones before.
 */
export type TooLong = 'raise' | 'drop' | 'truncate' | 'split';

export interface PackOptions {
  /** Most tokens of a packed row. */
  length: number;
  /**
   * `best-fit-decreasing` (the default): the longest row first, each into the fullest pack it fits in. `next-fit` keeps the
   * order of the rows (for a curriculum) and fills less.
   */
  algorithm?: 'best-fit-decreasing' | 'next-fit';
  tooLong?: TooLong;
  /** Shuffles which rows of equal length come together, and the packs. Without it rows of equal length go in their order. */
  seed?: number | string;
  /** Number of the first row, for errors: in a stream it is not 0. */
  firstRow?: number;
}

/** Several rows one after the other, told apart by `segmentIds`. */
export interface PackedRow {
  ids: number[];
  /** The first label of every segment is −100: the token before it belongs to another row. */
  labels: number[];
  weights?: number[];
  /** 1 for the tokens of the first row, 2 for those of the second … */
  segmentIds: number[];
  /** Positions, from 0 in every segment. The model layer counts them itself. */
  positions: number[];
  /** Index of each segment's row among the rows given. */
  rows: number[];
}

/** What {@link pack} did: nothing is left out without being listed here. */
export interface PackReport {
  /** Rows given. */
  rows: number;
  packs: number;
  /** Stretches in the packs: rows, or pieces of rows that were split. */
  segments: number;
  tokens: number;
  /** Share of packs · length that holds tokens; 1 − fill is what padding the packs to `length` would add. */
  fill: number;
  /** Share of padding in one rectangle of the rows as they were given. */
  padding: number;
  tooLong: {
    policy: TooLong;
    /** Indices of the rows longer than a pack. */
    rows: number[];
    /** Pieces that were cut off or cut out without a token to train on, and were left out. */
    untrained: number;
  };
}

export interface PackedRows {
  rows: PackedRow[];
  report: PackReport;
}

/** A stretch of one row. */
interface Piece {
  row: number;
  from: number;
  to: number;
}

/**
 * Put rows together into packs of at most `length` tokens, so that batches of packs hold hardly any padding. A row stays
 * whole unless `tooLong` says otherwise. Train on them with their `segmentIds`: logits, losses and gradients are then those
 * of the rows one by one.
 * @throws BadInput when `length` is no length, or a row is longer and `tooLong` is 'raise'
 */
export function pack(rows: readonly TrainableRow[], options: PackOptions): PackedRows {
  const { length, algorithm = 'best-fit-decreasing', seed } = options;
  check(rows, options);
  const random = seed === undefined ? undefined : new Random(`pack/${seed}`);
  const { pieces, tooLong } = cut(rows, options, random?.shuffle([...rows.keys()]) ?? [...rows.keys()]);
  const bins = algorithm === 'next-fit' ? nextFit(pieces, length) : bestFitDecreasing(pieces, length);
  const packs = (random?.shuffle(bins) ?? bins).map(bin => join(rows, bin));
  const tokens = packs.reduce((sum, { ids }) => sum + ids.length, 0);
  let [longest, given] = [0, 0];
  for (const { ids } of rows) [longest, given] = [Math.max(longest, ids.length), given + ids.length];
  return {
    rows: packs,
    report: {
      rows: rows.length,
      packs: packs.length,
      segments: pieces.length,
      tokens,
      fill: packs.length === 0 ? 0 : tokens / (packs.length * length),
      padding: longest === 0 ? 0 : 1 - given / (longest * rows.length),
      tooLong,
    },
  };
}

function check(rows: readonly TrainableRow[], { length, algorithm, tooLong }: PackOptions): void {
  const wrong = (key: string, expected: string, found: unknown) =>
    new BadInput({ problem: 'The rows cannot be packed so', where: { key }, expected, found: quote(found) });
  if (!Number.isInteger(length) || length < 2) throw wrong('length', 'a whole number of tokens from 2', length);
  if (algorithm !== undefined && algorithm !== 'best-fit-decreasing' && algorithm !== 'next-fit')
    throw wrong('algorithm', "'best-fit-decreasing' or 'next-fit'", algorithm);
  if (tooLong !== undefined && !['raise', 'drop', 'truncate', 'split'].includes(tooLong))
    throw wrong('tooLong', "'raise', 'drop', 'truncate' or 'split'", tooLong);
  const packed = rows.findIndex(row => row.segmentIds !== undefined);
  if (packed >= 0)
    throw new BadInput({
      problem: `Row ${packed} is packed already`,
      fix: 'pack the rows it was made of, or train on it as it is',
    });
}

function cut(
  rows: readonly TrainableRow[],
  { length, tooLong: policy = 'raise', firstRow = 0 }: PackOptions,
  order: readonly number[],
): { pieces: Piece[]; tooLong: PackReport['tooLong'] } {
  const pieces: Piece[] = [];
  const tooLong: PackReport['tooLong'] = { policy, rows: [], untrained: 0 };
  for (const row of order) {
    const { ids, labels } = rows[row]!;
    if (ids.length <= length) {
      if (ids.length > 0) pieces.push({ row, from: 0, to: ids.length });
      continue;
    }
    tooLong.rows.push(row);
    if (policy === 'drop') continue;
    if (policy === 'raise')
      throw new BadInput({
        problem: `Row ${firstRow + row} is longer than a pack`,
        where: { key: 'length' },
        expected: `at most ${length} tokens`,
        found: `${ids.length}`,
        fix: "give a larger length, encode with a maxLength, or say what to do: tooLong: 'drop', 'truncate' or 'split'",
      });
    for (let from = 0; from < (policy === 'split' ? ids.length : 1); from += length) {
      const to = Math.min(from + length, ids.length);
      if (labels.slice(from + 1, to).some(label => label !== IGNORED)) pieces.push({ row, from, to });
      else tooLong.untrained++;
    }
  }
  tooLong.rows.sort((a, b) => a - b);
  return { pieces, tooLong };
}

function nextFit(pieces: readonly Piece[], length: number): Piece[][] {
  const bins: Piece[][] = [];
  let room = 0;
  for (const piece of pieces) {
    const size = piece.to - piece.from;
    if (size > room) {
      bins.push([]);
      room = length;
    }
    bins.at(-1)!.push(piece);
    room -= size;
  }
  return bins;
}

function bestFitDecreasing(pieces: readonly Piece[], length: number): Piece[][] {
  const bins: Piece[][] = [];
  const fit = new BestFit(length);
  // Sorting is stable: pieces of one length keep their order.
  for (const piece of pieces.toSorted((a, b) => b.to - b.from - (a.to - a.from))) {
    const bin = fit.place(piece.to - piece.from);
    bins[bin] ??= [];
    bins[bin].push(piece);
  }
  return bins;
}

function join(rows: readonly TrainableRow[], bin: readonly Piece[]): PackedRow {
  // Whole stretches are copied at once: token by token, large data sets would take seconds.
  const stretch = <T>(of: (piece: Piece, segment: number) => readonly T[]) => ([] as T[]).concat(...bin.map(of));
  const packed: PackedRow = {
    ids: stretch(({ row, from, to }) => part(rows[row]!.ids, from, to)),
    labels: stretch(({ row, from, to }) => [IGNORED, ...part(rows[row]!.labels, from + 1, to)]),
    segmentIds: stretch(({ from, to }, segment) => new Array<number>(to - from).fill(segment + 1)),
    positions: stretch(({ from, to }) => counted(to - from)),
    rows: bin.map(({ row }) => row),
  };
  if (bin.some(({ row }) => rows[row]!.weights))
    packed.weights = stretch(({ row, from, to }) => {
      const { labels, weights } = rows[row]!;
      const rest = weights ? part(weights, from + 1, to) : part(labels, from + 1, to).map(label => (label === IGNORED ? 0 : 1));
      return [0, ...rest];
    });
  return packed;
}

function part(values: readonly number[], from: number, to: number): readonly number[] {
  return from === 0 && to === values.length ? values : values.slice(from, to);
}

let counting: number[] = [];

/** 0, 1, 2 … */
function counted(length: number): number[] {
  if (counting.length < length) counting = Array.from({ length: 2 * length }, (_, t) => t);
  return counting.slice(0, length);
}

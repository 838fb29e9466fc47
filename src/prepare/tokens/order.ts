import { BadInput, quote, type Random } from '../../base/core/index.js';

/** Batches of rows of like length; `true` sorts within windows of 50 batches. */
export type Bucket = boolean | { window?: number };

/** Rows that are sorted together: a whole number of batches, or undefined without bucketing. Throws BadInput for a window that is no number of rows. */
export function bucketWindow(bucket: Bucket | undefined, batchSize: number): number | undefined {
  if (bucket === undefined || bucket === false) return undefined;
  const window = bucket === true ? undefined : bucket?.window;
  if (bucket !== true && (typeof bucket !== 'object' || (window !== undefined && !(Number.isInteger(window) && window >= 1))))
    throw new BadInput({
      problem: 'The bucketing cannot be done',
      where: { key: 'bucket' },
      expected: 'true, false or { window: rows sorted together }',
      found: quote(bucket),
      fix: 'write bucket: true',
    });
  return Math.max(1, Math.ceil((window ?? 50 * batchSize) / batchSize)) * batchSize;
}

/**
 * An order of rows in which every `batchSize` consecutive ones are of like length: rows (in the order given, which the caller
 * has shuffled) are sorted by length within each window, cut into batches, and the batches shuffled. The rows that fill no
 * whole batch stay last, unsorted, so that none is favoured.
 */
export function bucketed(
  rows: readonly number[],
  lengthOf: (row: number) => number,
  options: { batchSize: number; window: number; random: Random },
): number[] {
  const { batchSize, window, random } = options;
  const whole = rows.length - (rows.length % batchSize);
  const batches: number[][] = [];
  for (let start = 0; start < whole; start += window) {
    const sorted = rows.slice(start, Math.min(whole, start + window)).sort((a, b) => lengthOf(a) - lengthOf(b));
    for (let first = 0; first < sorted.length; first += batchSize) batches.push(sorted.slice(first, first + batchSize));
  }
  return [...random.shuffle(batches).flat(), ...rows.slice(whole)];
}

/** The share of a padded rectangle of these rows that would hold padding, from 0 to below 1. */
export function paddingShare(lengths: readonly number[]): number {
  const longest = Math.max(0, ...lengths);
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  return longest === 0 ? 0 : 1 - tokens / (longest * lengths.length);
}

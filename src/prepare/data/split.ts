import { BadInput, Random } from '../../base/core/index.js';

/**
 * Split rows into a training and a held-out part. Deterministic in `seed`; both parts keep the order of the file.
 * @param options.heldOut a share in (0, 1), or a number of rows ≥ 1.
 */
export function split<T>(rows: readonly T[], options: { heldOut: number; seed?: number | string }): { train: T[]; heldOut: T[] } {
  const { heldOut, seed = 0 } = options;
  const n = heldOut < 1 ? Math.round(rows.length * heldOut) : heldOut;
  if (!(heldOut >= 0) || !Number.isInteger(n) || n >= Math.max(1, rows.length)) {
    throw new BadInput({
      problem: `cannot hold out ${heldOut} of ${rows.length} rows`,
      expected: 'a share in (0, 1) or a whole number smaller than the number of rows',
      found: String(heldOut),
      fix: 'give fewer held-out rows, or more rows',
    });
  }
  const chosen = new Set(new Random(`split/${seed}`).sample([...rows.keys()], n));
  return { train: rows.filter((_, i) => !chosen.has(i)), heldOut: rows.filter((_, i) => chosen.has(i)) };
}

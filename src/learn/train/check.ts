import { BadInput, quote } from '../../base/core/index.js';

/** A finite number within bounds, or `BadInput` naming the option. */
export function checkNumber(key: string, value: unknown, bounds: { from: number; below?: number; integer?: boolean }): number {
  const { from, below = Number.POSITIVE_INFINITY, integer = false } = bounds;
  if (typeof value === 'number' && value >= from && value < below && (!integer || Number.isInteger(value))) return value;
  const kind = integer ? 'a whole number' : 'a number';
  const range = Number.isFinite(below) ? `from ${from} to below ${below}` : `of at least ${from}`;
  throw new BadInput({
    problem: `"${key}" is not usable`,
    where: { key },
    expected: `${kind} ${range}`,
    found: typeof value === 'number' ? String(value) : quote(value),
    fix: `give ${key} ${kind} ${range}, or leave it out for the default`,
  });
}

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

/** An option that does not exist is an error, and a name that is near is offered: a misspelt option must not be silently left out. */
export function refuseUnknown(where: string, options: object, known: readonly string[]): void {
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    const near =
      known.find(name => name.toLowerCase() === key.toLowerCase().replaceAll(/[_-]/g, '')) ??
      known.find(name => name.startsWith(key.slice(0, 4)));
    throw new BadInput({
      problem: `${where} has no option "${key}"`,
      where: { key },
      expected: `one of ${known.join(', ')}`,
      fix: near ? `did you mean "${near}"?` : 'leave it out',
    });
  }
}

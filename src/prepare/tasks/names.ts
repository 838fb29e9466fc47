import { BadInput, nearest, quote } from '../../base/core/index.js';

/** `given` when all of it are names of something; otherwise an error that says which is none, what it may have meant, and what there is. */
export function named(what: string, given: readonly string[], names: readonly string[]): readonly string[] {
  if (!Array.isArray(given))
    throw new BadInput({
      problem: 'these names cannot be used',
      where: { key: what },
      expected: 'an array of names',
      found: quote(given),
    });
  for (const name of given) {
    if (names.includes(name)) continue;
    const meant = nearest(String(name), names);
    throw new BadInput({
      problem: `no ${what} is called ${quote(name)}`,
      where: { key: what },
      expected: `one of ${names.join(', ')}`,
      found: quote(name),
      ...(meant === undefined ? {} : { fix: `did you mean ${quote(meant)}?` }),
    });
  }
  return given;
}

/** A whole number within bounds, or an error that says which. */
export function counted(key: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new BadInput({
    problem: 'this count cannot be used',
    where: { key },
    expected: `an integer from ${least} to ${most}`,
    found: quote(value),
  });
}

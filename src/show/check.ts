import { BadInput, quote } from '../base/core/index.js';

/**
 * The objects that a figure is drawn of.
 * @param expected what should have been given, as it is written in a cell
 * @param fits what each of them must be besides an object
 * @throws BadInput where it is no list of such objects
 */
export function objects<T extends object>(
  given: readonly T[] | undefined,
  expected: string,
  fits: (item: T) => boolean = () => true,
): readonly T[] {
  const where = Array.isArray(given) ? given.findIndex(item => item === null || typeof item !== 'object' || !fits(item)) : 0;
  if (Array.isArray(given) && where < 0) return given;
  throw new BadInput({
    problem: Array.isArray(given) ? `item ${where} is not what this figure is drawn of` : 'there is no list to draw',
    expected,
    found: quote(Array.isArray(given) ? given[where] : given),
  });
}

/** Numbers that a figure is drawn of: an array or a typed array. Values that are no numbers are the figure's to leave out. */
export function numbers(given: ArrayLike<number>, expected: string): ArrayLike<number> {
  if (typeof given === 'object' && given !== null && typeof given.length === 'number') return given;
  throw new BadInput({ problem: 'there are no numbers to draw', expected, found: quote(given) });
}

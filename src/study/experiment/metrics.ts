import { BadInput, quote } from '../../base/core/index.js';
import { isPlain } from './canonical.js';
import type { Metrics, Outcome } from './records.js';

/** Results of one trial at most: longer series belong into its folder or into reports. */
const MOST = 10_000;
/** Characters of a word among them. */
const LONGEST = 10_000;
/** Levels of nested results. */
const DEEPEST = 32;

/**
 * What a trial returned as flat metrics: nested names are joined by dots; NaN and infinities, which JSON has not, stand apart.
 * @throws BadInput for what cannot be written down
 */
export function checkMetrics(returned: unknown): Pick<Outcome, 'metrics' | 'nonFinite'> {
  if (!isPlain(returned))
    throw new BadInput({
      problem: 'the trial returned no metrics',
      expected: 'an object of numbers, e.g. { accuracy: 0.9 }',
      found: returned === undefined ? 'undefined' : Array.isArray(returned) ? 'a list' : quote(returned),
      fix: 'return an object from the trial',
    });
  const metrics: Metrics = {};
  const nonFinite: NonNullable<Outcome['nonFinite']> = {};
  let count = 0;
  const add = (name: string, value: unknown, depth = 0) => {
    if (++count > MOST) throw new BadInput({ problem: `the trial returned more than ${MOST} metrics` });
    if (depth > DEEPEST)
      throw new BadInput({ problem: 'the trial returned an object that contains itself, or is nested too deeply' });
    if (Object.hasOwn(metrics, name) || Object.hasOwn(nonFinite, name))
      throw new BadInput({
        problem: `the trial returned two metrics that are called ${quote(name)}`,
        found: 'a name with a dot, and an object of which a part is called the same',
        fix: 'give one of them another name',
      });
    if (typeof value === 'number' && !Number.isFinite(value)) nonFinite[name] = String(value) as 'NaN';
    else if (value === undefined)
      metrics[name] = null; // What could not be measured is no reason to lose the rest.
    else if (value === null || ['number', 'boolean'].includes(typeof value)) metrics[name] = value as number;
    else if (typeof value === 'string' && value.length <= LONGEST) metrics[name] = value;
    else if (isPlain(value)) for (const [key, item] of Object.entries(value)) add(`${name}.${key}`, item, depth + 1);
    else
      throw new BadInput({
        problem: 'the trial returned something that is no metric',
        where: { key: name },
        expected: 'a number, a boolean, a short text, null, or a plain object of these',
        found: kindOf(value),
        fix: 'write long things into the folder of the trial, and series through report()',
      });
  };
  for (const [key, value] of Object.entries(returned)) add(key, value);
  return { metrics, ...(Object.keys(nonFinite).length > 0 ? { nonFinite } : {}) };
}

function kindOf(value: unknown): string {
  if (typeof value === 'string') return `a text of ${value.length} characters`;
  if (typeof value === 'object') return Array.isArray(value) ? 'a list' : 'an object of a class';
  return `a ${typeof value}`;
}

import { createHash } from 'node:crypto';
import { BadInput, quote } from '../../base/core/index.js';

/** What a setting may be: JSON. */
export type Value = string | number | boolean | null | readonly Value[] | { readonly [key: string]: Value };

/** The settings of one trial by name. */
export type Config = Record<string, Value>;

/** Levels of nested settings at most. */
const DEEPEST = 32;

/**
 * A value as JSON with its keys sorted, so that equal settings are equal texts whatever the order they were written in.
 * @param where named in the error, e.g. `grid.learningRate`
 * @throws BadInput for what JSON would lose or change: functions, undefined, NaN, dates, class instances, cycles
 */
export function canonical(value: unknown, where: string, depth = 0): string {
  const refuse = (found: string) =>
    new BadInput({
      problem: 'a setting cannot be written down',
      where: { key: where },
      expected: 'JSON: a text, a finite number, a boolean, null, or lists and plain objects of these',
      found,
      fix: 'give its name or its parts, and let the trial make the object',
    });
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw refuse(String(value));
    return JSON.stringify(value);
  }
  if (typeof value !== 'object') throw refuse(value === undefined ? 'undefined' : `a ${typeof value}`);
  if (depth >= DEEPEST) throw refuse('an object that contains itself, or is nested too deeply');
  if (Array.isArray(value)) return `[${Array.from(value, (item, i) => canonical(item, `${where}[${i}]`, depth + 1)).join(',')}]`;
  if (!isPlain(value)) throw refuse(`an instance of ${quote(Object.getPrototypeOf(value).constructor?.name ?? 'a class')}`);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item, `${where}.${key}`, depth + 1)}`).join(',')}}`;
}

/** Whether a value is an object with nothing but its own properties: no list, no map, no instance of a class. */
export function isPlain(value: unknown): value is Record<string, unknown> {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  // Objects of another realm (a notebook's cell) have an Object.prototype of their own.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** The name of a trial: 16 hexadecimal digits of the hash of its settings and its seed. */
export function trialId(config: Config, seed: number): string {
  return createHash('sha256').update(canonical({ config, seed }, 'config')).digest('hex').slice(0, 16);
}

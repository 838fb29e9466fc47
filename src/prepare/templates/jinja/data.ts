import { type Origin, tainted } from './text.js';
import { Dict, Float, type Value } from './values.js';

/** JSON data as a template sees it. Strings become text of `origin`, or the template's own without one. */
export function plainData(data: unknown, origin?: Origin): Value {
  if (data === null || data === undefined) return null;
  if (typeof data === 'string') return origin ? tainted(data, origin) : data;
  if (typeof data === 'boolean' || typeof data === 'bigint') return data;
  if (typeof data === 'number') return number(data);
  if (Array.isArray(data)) return data.map(item => plainData(item, origin));
  if (typeof data !== 'object') return `<${typeof data}>`;
  const entries = data instanceof Map ? data.entries() : isRecord(data) ? Object.entries(data) : undefined;
  // As in transformers: of anything that is no JSON (an image, a buffer) the template sees that it is there, no more.
  if (!entries) return `<${data.constructor?.name ?? 'object'}>`;
  const dict = new Dict();
  for (const [key, value] of entries) {
    // Keys are names the template compares with; a key may still be printed, so it has an origin too.
    if (value !== undefined) dict.set(plainData(key, origin), plainData(value, origin));
  }
  return dict;
}

function isRecord(data: object): boolean {
  const prototype = Object.getPrototypeOf(data) as unknown;
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype as object) === null;
}

/**
 * A JavaScript number does not tell 1 from 1.0, so whole numbers are ints. Beyond 2^53 it is not exact, and a float is what
 * JSON most likely meant; give a bigint for a long int.
 */
function number(value: number): Value {
  return Number.isSafeInteger(value) && !Object.is(value, -0) ? value : new Float(value);
}

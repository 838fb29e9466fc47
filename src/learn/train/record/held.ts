import { createHash } from 'node:crypto';

/** Stands in a record for a value that JSON cannot hold. */
export type Held =
  | { $regexp: string; flags: string }
  | { $number: 'NaN' | 'Infinity' | '-Infinity' }
  /** Must be given again. */
  | { $given: string; [detail: string]: unknown };

/** A value as plain JSON, with {@link Held} in the place of what JSON cannot hold. */
export function toPlain(value: unknown, depth = 0): unknown {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : { $number: String(value) };
  if (value instanceof RegExp) return { $regexp: value.source, flags: value.flags };
  if (typeof value === 'function')
    return { $given: 'function', ...(value.name && { name: value.name }), sha256: sha256(String(value)) };
  if (ArrayBuffer.isView(value)) return toPlain(Array.from(value as unknown as ArrayLike<number>), depth);
  if (Array.isArray(value)) return depth > 20 ? { $given: 'array' } : value.map(part => toPlain(part, depth + 1));
  if (typeof value !== 'object') return { $given: typeof value };
  const prototype: unknown = Object.getPrototypeOf(value);
  if (depth > 20 || (prototype !== null && prototype !== Object.prototype))
    return { $given: (value.constructor?.name as string | undefined) || 'object' };
  const parts = Object.entries(value).filter(([, part]) => part !== undefined);
  return Object.fromEntries(parts.map(([key, part]) => [key, toPlain(part, depth + 1)]));
}

/** Undo {@link toPlain}; `missing` is told of what must be given again, with its path. */
export function fromPlain(value: unknown, missing: (path: string, held: Record<string, unknown>) => void, path = ''): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((part, i) => fromPlain(part, missing, `${path}[${i}]`));
  const held = value as Record<string, unknown>;
  if (typeof held.$regexp === 'string') return new RegExp(held.$regexp, String(held.flags ?? ''));
  if (typeof held.$number === 'string') return Number(held.$number);
  if (typeof held.$given === 'string') {
    missing(path, held);
    return undefined;
  }
  const parts = Object.entries(held).map(([key, part]) => [key, fromPlain(part, missing, path ? `${path}.${key}` : key)]);
  return Object.fromEntries(parts.filter(([, part]) => part !== undefined));
}

export function sha256(content: string | NodeJS.ArrayBufferView): string {
  return createHash('sha256').update(content).digest('hex');
}

import { quote } from '../../../base/core/index.js';
import type { Row } from '../types.js';
import type { AnyRow, Converted, Malformed } from './layout.js';

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Tables say "no value" in three ways. */
export function isMissing(value: unknown): value is null | undefined | number {
  return value === null || value === undefined || (typeof value === 'number' && Number.isNaN(value));
}

/** A value's type and a glimpse of it: `a number (3)`. */
export function describe(value: unknown): string {
  if (value === null) return 'null';
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object') return `an object with the keys ${quote(Object.keys(value).slice(0, 6))}`;
  return `a ${typeof value} (${quote(value, 40)})`;
}

export function malformed(key: string | undefined, problem: string, expected: string, found: string, fix?: string): Malformed {
  return { kind: 'malformed', key, problem, expected, found, fix };
}

export function unusable(reason: string): Converted {
  return { kind: 'unusable', reason };
}

export function isMalformed(value: unknown): value is Malformed {
  return isObject(value) && value.kind === 'malformed';
}

/** A key that must be there and hold text. */
export function demand(value: Record<string, unknown>, key: string): string | Malformed {
  if (!Object.hasOwn(value, key)) {
    const keys = Object.keys(value);
    const shown = keys.slice(0, 8).map(k => quote(k, 40));
    return malformed(
      key,
      `the row has no "${key}"`,
      `a string in "${key}"`,
      keys.length ? `only the keys ${shown.join(', ')}` : 'no keys at all',
      `add "${key}" to the row or delete the row; readRows(…, {onBad: 'skip'}) skips and lists such rows`,
    );
  }
  // An empty cell of a table.
  const text = value[key] === undefined ? '' : value[key];
  return typeof text === 'string' ? text : malformed(key, `"${key}" is not text`, 'a string', describe(text));
}

/** A key that may be missing, null or NaN, and otherwise holds text. */
export function optional(value: Record<string, unknown>, key: string): string | Malformed {
  const text = own(value, key);
  if (isMissing(text)) return '';
  return typeof text === 'string'
    ? text
    : malformed(key, `"${key}" is not text`, `a string, or no "${key}" at all`, describe(text));
}

/** A row's own field: what `__proto__` or a polluted prototype holds is none. */
export function own(value: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(value, key) ? value[key] : undefined;
}

/** The row with its task and, as `meta`, the fields of the raw value that have no place of their own. */
export function finish<R extends AnyRow = Row>(row: R, value: Record<string, unknown>, used: readonly string[]): Converted {
  const task = own(value, 'task');
  if (typeof task === 'string') row.task = task;
  const rest = Object.entries(value).filter(
    ([key, v]) => v !== undefined && !used.includes(key) && !(key === 'task' && typeof v === 'string'),
  );
  // fromEntries defines properties and so keeps a key like __proto__ an ordinary one.
  if (rest.length > 0) row.meta = Object.fromEntries(rest);
  return { kind: 'row', row };
}

/** The fields of {@link finish} as they are written beside a layout's own `keys`; a reason when one of them would be taken for another. */
export function extras(
  row: AnyRow,
  keys: readonly string[],
  taskKey = 'task',
): { value: Record<string, unknown> } | { reason: string } {
  const meta = Object.entries(row.meta ?? {});
  const taken = meta.find(([key, v]) => keys.includes(key) || key === taskKey || (key === 'task' && typeof v === 'string'));
  if (taken) return { reason: `its meta has a field ${quote(taken[0], 40)}, which means something else in this layout` };
  const task = row.task === undefined ? [] : [[taskKey, row.task]];
  return { value: Object.fromEntries([...task, ...meta]) as Record<string, unknown> };
}

/**
 * What values of other libraries look like, so that they can be shown without loading these libraries: a notebook that holds
 * an arquero table holds arquero already.
 */

/** A tfjs tensor, as far as a display needs it. */
export interface TensorLike {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly size: number;
  /** Its memory was freed; reading it throws. */
  readonly isDisposed: boolean;
  /** The values in row-major order; strings for dtype `string`. */
  data(): Promise<ArrayLike<number> | string[]>;
  dataSync(): ArrayLike<number> | string[];
}

/** One message of a conversation: a plain object with `role` and `content`. */
export interface MessageLike {
  role: string;
  content: string;
}

type Shape<K extends string> = { readonly [key in K]?: unknown };

/** Rows that are looked at before a list counts as a table. */
const PROBE = 200;

export function isTensorLike(value: unknown): value is TensorLike {
  const v = value as Shape<'dataId' | 'shape' | 'dtype' | 'isDisposed' | 'data' | 'dataSync'> | null;
  return (
    typeof v === 'object' &&
    v !== null &&
    Array.isArray(v.shape) &&
    typeof v.dtype === 'string' &&
    typeof v.isDisposed === 'boolean' &&
    typeof v.data === 'function' &&
    typeof v.dataSync === 'function'
  );
}

/** An arquero table or a danfo DataFrame. */
export function isTableLike(value: unknown): boolean {
  if (value === null || typeof value !== 'object') return false;
  const v = value as Shape<'columnNames' | 'objects' | 'columns' | 'values' | 'shape'>;
  return (
    (typeof v.columnNames === 'function' && typeof v.objects === 'function') ||
    (Array.isArray(v.columns) && Array.isArray(v.values) && Array.isArray(v.shape) && v.shape.length === 2)
  );
}

/** A list of messages. */
export function isMessages(value: unknown): value is readonly MessageLike[] {
  return Array.isArray(value) && value.length > 0 && value.slice(0, PROBE).every(isMessage);
}

/** A row of a data set: a plain object with `messages`. */
export function isConversationRow(value: unknown): value is { messages: readonly MessageLike[] } {
  return isPlain(value) && isMessages((value as Shape<'messages'>).messages);
}

/** A list of plain objects whose values are single ones (numbers, strings, dates, …): rows of a table. */
export function isRows(value: unknown): value is readonly Record<string, unknown>[] {
  return Array.isArray(value) && value.length > 0 && value.slice(0, PROBE).every(isFlatRow);
}

/** A Map from single values to single values, or to rows. */
export function isRowMap(value: unknown): value is Map<unknown, unknown> {
  if (!(value instanceof Map) || value.size === 0) return false;
  let seen = 0;
  for (const [key, each] of value) {
    if (!isSingle(key) || !(isSingle(each) || isFlatRow(each))) return false;
    if (++seen === PROBE) break;
  }
  return true;
}

/** Whether `show` has a view of this value, which says nothing of itself. Looks at the value only, and never throws. */
export function hasForeignView(value: unknown): boolean {
  try {
    return [isTensorLike, isTableLike, isRowMap, isRows, isMessages, isConversationRow].some(looks => looks(value));
  } catch {
    // A getter that throws: Node's inspection, which calls none, shows such a value.
    return false;
  }
}

function isMessage(value: unknown): value is MessageLike {
  const v = value as Shape<'role' | 'content'>;
  return isPlain(value) && typeof v.role === 'string' && typeof v.content === 'string';
}

function isFlatRow(value: unknown): boolean {
  if (!isPlain(value)) return false;
  const cells = Object.values(value);
  return cells.length > 0 && cells.every(isSingle);
}

function isSingle(value: unknown): boolean {
  return value === null || value instanceof Date || (typeof value !== 'object' && typeof value !== 'function');
}

/** Also of another realm: what `vm` makes has an Object of its own. */
function isPlain(value: unknown): value is object {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

import { BadInput, quote } from '../../../base/core/index.js';
import { meter } from './meter.js';
import { isText, lengthOf, points, raw, Str, type Text } from './text.js';

/** A Python float; integers are JavaScript numbers, or bigints where a number would not be exact. */
export class Float {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

export class Tuple {
  readonly items: readonly Value[];
  constructor(items: readonly Value[]) {
    this.items = items;
  }
}

/** A Python dict: keys by Python's equality, in order of insertion. Nothing of it is a JavaScript property. */
export class Dict {
  private readonly map = new Map<string, [Value, Value]>();
  constructor(entries: Iterable<readonly [Value, Value]> = []) {
    for (const [key, value] of entries) this.set(key, value);
  }
  get size(): number {
    return this.map.size;
  }
  get(key: Value): Value | undefined {
    return this.map.get(hash(key))?.[1];
  }
  has(key: Value): boolean {
    return this.map.has(hash(key));
  }
  set(key: Value, value: Value): void {
    const at = hash(key);
    const old = this.map.get(at);
    if (old) old[1] = value;
    else this.map.set(at, [key, value]);
  }
  entries(): IterableIterator<[Value, Value]> {
    return this.map.values();
  }
  keys(): Value[] {
    return [...this.map.values()].map(([key]) => key);
  }
  values(): Value[] {
    return [...this.map.values()].map(([, value]) => value);
  }
}

/** What dict.keys(), .values() and .items() give. */
export class View {
  readonly kind: 'dict_keys' | 'dict_values' | 'dict_items';
  readonly items: readonly Value[];
  constructor(kind: View['kind'], items: readonly Value[]) {
    this.kind = kind;
    this.items = items;
  }
}

export class Range {
  readonly start: number;
  readonly stop: number;
  readonly step: number;
  constructor(start: number, stop: number, step: number) {
    this.start = start;
    this.stop = stop;
    this.step = step;
  }
  get length(): number {
    return Math.max(0, Math.ceil((this.stop - this.start) / this.step));
  }
  at(index: number): number {
    return this.start + index * this.step;
  }
}

/** An iterator or generator: it can be walked once. */
export class Iter {
  readonly type: string;
  readonly iterator: Iterator<Value>;
  constructor(type: string, iterator: Iterator<Value>) {
    this.type = type;
    this.iterator = iterator;
  }
}

/** A name that is not there. It prints as nothing, and most uses of it are an error. */
export class Undefined {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

/** `namespace(...)`: the one thing a template can change. */
export class Namespace {
  readonly attributes: Dict;
  constructor(attributes: Dict) {
    this.attributes = attributes;
  }
}

export type Arguments = { args: Value[]; kwargs: Map<string, Value> };

/** A function, method or macro. */
export class Callable {
  readonly name: string;
  readonly call: (given: Arguments) => Value;
  /** Attributes a template may read, e.g. `macro.name`. */
  readonly attributes: ReadonlyMap<string, Value>;
  readonly kind: string;
  constructor(
    name: string,
    call: (given: Arguments) => Value,
    attributes: ReadonlyMap<string, Value> = new Map(),
    kind = 'function',
  ) {
    this.name = name;
    this.call = call;
    this.attributes = attributes;
    this.kind = kind;
  }
}

/** An object with attributes computed when asked for, such as `loop`. */
export class Thing {
  readonly type: string;
  readonly attribute: (name: string) => Value | undefined;
  readonly call: ((given: Arguments) => Value) | undefined;
  readonly length: (() => number) | undefined;
  constructor(
    type: string,
    attribute: (name: string) => Value | undefined,
    call?: (given: Arguments) => Value,
    length?: () => number,
  ) {
    this.type = type;
    this.attribute = attribute;
    this.call = call;
    this.length = length;
  }
}

/** A slice used as a subscript. */
export class Slice {
  readonly start: Value;
  readonly stop: Value;
  readonly step: Value;
  constructor(start: Value, stop: Value, step: Value) {
    this.start = start;
    this.stop = stop;
    this.step = step;
  }
}

// A Python list is a JavaScript array: templates cannot change lists, so they are shared freely.
export type Value =
  | null
  | boolean
  | number
  | bigint
  | Float
  | Text
  | readonly Value[]
  | Tuple
  | Dict
  | View
  | Range
  | Iter
  | Undefined
  | Namespace
  | Callable
  | Thing
  | Slice;

/** The template did something that is an error in Python or Jinja. */
export function fail(problem: string, fix?: string): BadInput {
  return new BadInput({
    problem: `the chat template failed: ${problem}`,
    fix: fix ?? 'the template cannot express this conversation: change the conversation, or use another template',
  });
}

/** `value`, or `otherwise` where there is none. (`??` would take Python's None for nothing.) */
export function or(value: Value | undefined, otherwise: Value): Value {
  return value === undefined ? otherwise : value;
}

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

export function isNumber(value: Value): value is boolean | number | bigint | Float {
  return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint' || value instanceof Float;
}

/** A Python int (bool included) as a number; undefined for anything else. */
export function asInt(value: Value): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  return typeof value === 'bigint' ? Number(value) : undefined;
}

export function needInt(value: Value, what: string): number {
  const number = asInt(value);
  if (number === undefined) throw fail(`${what}: ${typeName(value)} cannot be interpreted as an integer`);
  return number;
}

export function needText(value: Value, what: string): Text {
  if (isText(value)) return value;
  throw fail(`${what} needs a string, not ${typeName(value)}`);
}

export function typeName(value: Value): string {
  if (value === null) return 'NoneType';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number' || typeof value === 'bigint') return 'int';
  if (isText(value)) return value instanceof Str && value.markup ? 'Markup' : 'str';
  if (value instanceof Float) return 'float';
  if (isList(value)) return 'list';
  if (value instanceof Tuple) return 'tuple';
  if (value instanceof Dict) return 'dict';
  if (value instanceof View) return value.kind;
  if (value instanceof Range) return 'range';
  if (value instanceof Iter || value instanceof Thing) return value.type;
  if (value instanceof Undefined) return 'Undefined';
  if (value instanceof Namespace) return 'Namespace';
  return value instanceof Callable ? value.kind : 'slice';
}

export function truthy(value: Value): boolean {
  if (value === null || value === false || value === 0 || value === '' || value instanceof Undefined) return false;
  if (value instanceof Float) return value.value !== 0;
  if (value instanceof Str) return value.text !== '';
  if (isList(value)) return value.length > 0;
  if (value instanceof Tuple || value instanceof View) return value.items.length > 0;
  if (value instanceof Dict) return value.size > 0;
  if (value instanceof Range) return value.length > 0;
  if (value instanceof Thing) return value.length ? value.length() > 0 : true;
  return true;
}

/** len(): undefined where Python has none. */
export function sizeOf(value: Value): number | undefined {
  if (isText(value)) return lengthOf(value);
  if (isList(value)) return value.length;
  if (value instanceof Tuple || value instanceof View) return value.items.length;
  if (value instanceof Dict) return value.size;
  if (value instanceof Range) return value.length;
  if (value instanceof Undefined) return 0;
  return value instanceof Thing ? value.length?.() : undefined;
}

/** iter(): undefined where Python raises TypeError. */
export function iterate(value: Value): Iterator<Value> | undefined {
  if (value instanceof Iter) return value.iterator;
  if (isText(value)) return points(value).values();
  if (isList(value)) return value.values() as Iterator<Value>;
  if (value instanceof Tuple || value instanceof View) return value.items.values();
  if (value instanceof Dict) return value.keys().values();
  if (value instanceof Undefined) return ([] as Value[]).values();
  if (value instanceof Range) {
    const range = value;
    return (function* () {
      for (let i = 0; i < range.length; i++) yield range.at(i);
    })();
  }
  return undefined;
}

/** Walk anything that can be iterated; counts steps. */
export function* walk(value: Value): Generator<Value> {
  const iterator = iterate(value);
  if (!iterator) throw fail(`${typeName(value)} is not iterable`);
  while (true) {
    const { done, value: item } = iterator.next();
    if (done) return;
    meter().step();
    yield item;
  }
}

export function listOf(value: Value): Value[] {
  return [...walk(value)];
}

/** A key that is the same for two values exactly when Python has them equal. */
function hash(value: Value): string {
  if (isText(value)) return `s${raw(value)}`;
  if (typeof value === 'boolean') return value ? 'n1' : 'n0';
  if (typeof value === 'number' || typeof value === 'bigint') return `n${value}`;
  if (value instanceof Float) return Number.isInteger(value.value) ? `n${BigInt(value.value)}` : `n${value.value}`;
  if (value === null) return 'N';
  if (value instanceof Undefined) return 'U';
  if (value instanceof Tuple) return `t${value.items.map(item => JSON.stringify(hash(item))).join()}`;
  if (value instanceof Callable) return `c${value.name}`;
  throw fail(`unhashable type: ${typeName(value)}`);
}

/** ==. */
export function equal(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (isText(a)) return isText(b) && raw(a) === raw(b);
  if (isNumber(a)) {
    if (!isNumber(b)) return false;
    const x = a instanceof Float ? a.value : typeof a === 'boolean' ? Number(a) : a;
    const y = b instanceof Float ? b.value : typeof b === 'boolean' ? Number(b) : b;
    // biome-ignore lint/suspicious/noDoubleEquals: number and bigint are compared by value, as in Python
    return x == y;
  }
  meter().step();
  if (isList(a)) return isList(b) && sameItems(a, b);
  if (a instanceof Tuple) return b instanceof Tuple && sameItems(a.items, b.items);
  if (a instanceof Undefined) return b instanceof Undefined;
  if (a instanceof Range) return b instanceof Range && sameItems(listOf(a), listOf(b));
  if (a instanceof View) {
    return b instanceof View && a.kind !== 'dict_values' && a.kind === b.kind && a.items.length === b.items.length
      ? a.items.every(item => b.items.some(other => equal(item, other)))
      : false;
  }
  if (!(a instanceof Dict) || !(b instanceof Dict) || a.size !== b.size) return false;
  for (const [key, value] of a.entries()) {
    const other = b.get(key);
    if (other === undefined || !equal(value, other)) return false;
  }
  return true;
}

function sameItems(a: readonly Value[], b: readonly Value[]): boolean {
  return a.length === b.length && a.every((item, i) => equal(item, b[i]!));
}

/** −1, 0 or 1 as Python orders; throws where it has no order. */
export function compare(a: Value, b: Value): number {
  meter().step();
  if (isText(a) && isText(b)) return comparePoints(raw(a), raw(b));
  if (isNumber(a) && isNumber(b)) {
    const x = a instanceof Float ? a.value : a;
    const y = b instanceof Float ? b.value : b;
    return x < y ? -1 : x > y ? 1 : x === y || Number(x) === Number(y) ? 0 : Number.NaN;
  }
  const [p, q] = isList(a) && isList(b) ? [a, b] : a instanceof Tuple && b instanceof Tuple ? [a.items, b.items] : [];
  if (p && q) {
    for (let i = 0; i < Math.min(p.length, q.length); i++) if (!equal(p[i]!, q[i]!)) return compare(p[i]!, q[i]!);
    return Math.sign(p.length - q.length);
  }
  if (a instanceof Undefined) throw fail(a.message);
  if (b instanceof Undefined) throw fail(b.message);
  throw fail(`${typeName(a)} and ${typeName(b)} have no order`);
}

/** By code point, not by UTF-16 unit: the two differ above U+FFFF. */
function comparePoints(a: string, b: string): number {
  if (a === b) return 0;
  let i = 0;
  while (i < a.length && a[i] === b[i]) i++;
  if (i > 0 && /[\udc00-\udfff]/.test(a[i] ?? b[i] ?? '')) i--;
  return (a.codePointAt(i) ?? -1) - (b.codePointAt(i) ?? -1) < 0 ? -1 : 1;
}

/** `item in container`. */
export function contains(container: Value, item: Value): boolean {
  if (isText(container)) {
    if (!isText(item)) throw fail(`'in <string>' requires string as left operand, not ${typeName(item)}`);
    return raw(container).includes(raw(item));
  }
  if (container instanceof Dict) return container.has(item);
  for (const other of walk(container)) if (equal(item, other)) return true;
  return false;
}

export function noSuch(name: Value, of?: Value): Undefined {
  const key = isText(name) ? raw(name) : typeName(name);
  return new Undefined(of === undefined ? `${quote(key)} is undefined` : `${typeName(of)} object has no ${quote(key)}`);
}

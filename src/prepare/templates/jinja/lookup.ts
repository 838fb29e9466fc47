import { bind } from './arguments.js';
import { CONTAINER_METHODS } from './containers.js';
import { formatBraces } from './format.js';
import { meter } from './meter.js';
import { STRING_METHODS } from './strings.js';
import { concat, cut, isText, offsetsOf, points, raw, type Text } from './text.js';
import {
  type Arguments,
  asInt,
  Callable,
  Dict,
  fail,
  isList,
  Namespace,
  needInt,
  noSuch,
  Range,
  Slice,
  Thing,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './values.js';

// What every Python object has; the sandbox makes them undefined.
const DUNDER = /^__\w+__$/;

/** A Python attribute, which is to say a method; never a JavaScript property. */
/** The methods of str that look up attributes and items themselves. */
const FORMAT_METHODS: ReadonlyMap<string, (self: Text, given: Arguments) => Value> = new Map([
  [
    'format',
    (self: Text, { args, kwargs }: Arguments) => formatBraces(self, args, name => kwargs.get(name), attributeOf, itemOf),
  ],
  [
    'format_map',
    (self: Text, given: Arguments) => {
      const [map] = bind('format_map', given, ['mapping']);
      return formatBraces(self, [], name => (map instanceof Dict ? map.get(name) : undefined), attributeOf, itemOf);
    },
  ],
]);

function methodOf(of: Value, name: string): Value | undefined {
  if (isText(of)) {
    const method = FORMAT_METHODS.get(name) ?? STRING_METHODS.get(name);
    return method && new Callable(name, given => method(of, given));
  }
  if (of instanceof Namespace) return of.attributes.get(name);
  if (of instanceof Thing) return of.attribute(name);
  if (of instanceof Callable) return of.attributes.get(name);
  if (of instanceof Tuple && of.items.length === 2 && GROUPS.has(of)) {
    if (name === 'grouper') return of.items[0];
    if (name === 'list') return of.items[1];
  }
  const method = CONTAINER_METHODS.get(typeName(of))?.get(name);
  return method && new Callable(name, given => method(of, given));
}

/** The pairs that `groupby` makes: tuples with names. */
export const GROUPS: WeakSet<Tuple> = new WeakSet<Tuple>();

/** `of.name`: an attribute first, then an item. */
export function attributeOf(of: Value, name: string): Value {
  if (of instanceof Undefined) throw fail(of.message);
  if (DUNDER.test(name)) return noSuch(name, of);
  const method = methodOf(of, name);
  if (method !== undefined) return method;
  const item = of instanceof Dict ? of.get(name) : undefined;
  return item === undefined ? noSuch(name, of) : item;
}

/** `of[key]`: an item first, then an attribute. */
export function itemOf(of: Value, key: Value): Value {
  if (of instanceof Undefined) throw fail(of.message);
  if (key instanceof Slice) return sliceOf(of, key);
  if (of instanceof Dict) {
    const found = isHashable(key) ? of.get(key) : undefined;
    if (found !== undefined) return found;
  } else {
    const index = asInt(key);
    const found = index === undefined ? undefined : at(of, index);
    if (found !== undefined) return found;
  }
  if (!isText(key)) return noSuch(key, of);
  const method = DUNDER.test(raw(key)) ? undefined : methodOf(of, raw(key));
  return method === undefined ? noSuch(key, of) : method;
}

function isHashable(key: Value): boolean {
  return !(isList(key) || key instanceof Dict);
}

function at(of: Value, index: number): Value | undefined {
  if (isText(of)) {
    const offsets = offsetsOf(raw(of));
    const size = offsets ? offsets.length - 1 : raw(of).length;
    const i = index < 0 ? index + size : index;
    if (i < 0 || i >= size) return undefined;
    return offsets ? cut(of, offsets[i]!, offsets[i + 1]!) : cut(of, i, i + 1);
  }
  if (of instanceof Range) {
    const i = index < 0 ? index + of.length : index;
    return i < 0 || i >= of.length ? undefined : of.at(i);
  }
  const items = isList(of) ? of : of instanceof Tuple ? of.items : undefined;
  return items?.at(index);
}

/** `of[start:stop:step]`. */
function sliceOf(of: Value, slice: Slice): Value {
  const items = isText(of) ? undefined : isList(of) ? of : of instanceof Tuple ? of.items : undefined;
  if (of instanceof Range) return rangeSlice(of, slice);
  if (!isText(of) && !items) throw fail(`${typeName(of)} cannot be sliced`);
  const offsets = isText(of) ? offsetsOf(raw(of)) : undefined;
  const size = items ? items.length : offsets ? offsets.length - 1 : raw(of as string).length;
  const { start, stop, step } = bounds(slice, size);
  if (isText(of)) {
    if (step === 1) return start >= stop ? '' : cut(of, offsets ? offsets[start]! : start, offsets ? offsets[stop]! : stop);
    return concat(picked(points(of), start, stop, step));
  }
  const out = step === 1 ? items!.slice(start, Math.max(start, stop)) : picked(items!, start, stop, step);
  meter().step(out.length / 8);
  return isList(of) ? out : new Tuple(out);
}

function picked<T>(items: readonly T[], start: number, stop: number, step: number): T[] {
  const out: T[] = [];
  for (let i = start; step > 0 ? i < stop : i > stop; i += step) out.push(items[i]!);
  return out;
}

function bounds(slice: Slice, size: number): { start: number; stop: number; step: number } {
  const step = slice.step === null ? 1 : needInt(slice.step, 'slice');
  if (step === 0) throw fail('slice step cannot be zero');
  const clamp = (value: Value, otherwise: number) => {
    if (value === null) return otherwise;
    const index = needInt(value, 'slice');
    const from = index < 0 ? index + size : index;
    return step > 0 ? Math.min(size, Math.max(0, from)) : Math.min(size - 1, Math.max(-1, from));
  };
  return { start: clamp(slice.start, step > 0 ? 0 : size - 1), stop: clamp(slice.stop, step > 0 ? size : -1), step };
}

function rangeSlice(of: Range, slice: Slice): Range {
  const { start, stop, step } = bounds(slice, of.length);
  return new Range(of.at(start), of.at(stop), of.step * step);
}

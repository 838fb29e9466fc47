import { bind } from './arguments.js';
import { binary } from './numbers.js';
import { str } from './repr.js';
import { isLower, isUpper } from './strings.js';
import { isText, raw, Str } from './text.js';
import {
  type Arguments,
  Callable,
  compare,
  contains,
  Dict,
  equal,
  Float,
  isList,
  isNumber,
  iterate,
  Range,
  Thing,
  Tuple,
  Undefined,
  type Value,
} from './values.js';

/** A test: `value is name(arguments)`. */
export type Test = (value: Value, given: Arguments) => boolean;

const one = (name: string, test: (value: Value) => boolean): [string, Test] => [
  name,
  (value, given) => {
    bind(name, given, []);
    return test(value);
  },
];
const two = (names: readonly string[], test: (value: Value, other: Value) => boolean): [string, Test][] =>
  names.map(name => [name, (value, given) => test(value, bind(name, given, ['other'])[0]!)]);

const same = (a: Value, b: Value): boolean => {
  if (isText(a) && isText(b)) return raw(a) === raw(b);
  if (a instanceof Float && b instanceof Float) return a.value === b.value;
  if (a instanceof Undefined || b instanceof Undefined) return false;
  return a === b;
};

/** Jinja's tests. `filter` and `test` are added where the names of all filters are known. */
export const TESTS: ReadonlyMap<string, Test> = new Map<string, Test>([
  one('odd', value => equal(binary('%', value, 2), 1)),
  one('even', value => equal(binary('%', value, 2), 0)),
  ...two(['divisibleby'], (value, by) => equal(binary('%', value, by), 0)),
  one('defined', value => !(value instanceof Undefined)),
  one('undefined', value => value instanceof Undefined),
  one('none', value => value === null),
  one('boolean', value => typeof value === 'boolean'),
  one('true', value => value === true),
  one('false', value => value === false),
  one('integer', value => typeof value === 'number' || typeof value === 'bigint'),
  one('float', value => value instanceof Float),
  one('number', isNumber),
  one('string', isText),
  one('mapping', value => value instanceof Dict),
  one('sequence', value => isText(value) || isList(value) || [Tuple, Dict, Range, Undefined].some(type => value instanceof type)),
  one('iterable', value => iterate(value) !== undefined || (value instanceof Thing && value.type === 'LoopContext')),
  one(
    'callable',
    value => value instanceof Callable || value instanceof Undefined || (value instanceof Thing && value.call !== undefined),
  ),
  one('lower', value => isLower(raw(str(value)))),
  one('upper', value => isUpper(raw(str(value)))),
  one('escaped', value => value instanceof Str && value.markup),
  ...two(['sameas'], same),
  ...two(['in'], (value, container) => contains(container, value)),
  ...two(['==', 'eq', 'equalto'], equal),
  ...two(['!=', 'ne'], (a, b) => !equal(a, b)),
  ...two(['>', 'gt', 'greaterthan'], (a, b) => compare(a, b) > 0),
  ...two(['>=', 'ge'], (a, b) => compare(a, b) >= 0),
  ...two(['<', 'lt', 'lessthan'], (a, b) => compare(a, b) < 0),
  ...two(['<=', 'le'], (a, b) => compare(a, b) <= 0),
]);

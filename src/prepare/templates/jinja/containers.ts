import { bind } from './arguments.js';
import { type Arguments, Dict, equal, type Float, fail, isList, or, Tuple, type Value, View } from './values.js';

type Method = (self: Value, given: Arguments) => Value;

const sequence = (self: Value): readonly Value[] => (isList(self) ? self : (self as Tuple).items);

const count: Method = (self, given) => {
  const [value] = bind('count', given, ['value']);
  return sequence(self).filter(item => equal(item, value!)).length;
};

const index: Method = (self, given) => {
  const [value] = bind('index', given, ['value']);
  const at = sequence(self).findIndex(item => equal(item, value!));
  if (at < 0) throw fail('the value is not in the list');
  return at;
};

const dict = (
  name: string,
  names: readonly string[],
  method: (self: Dict, args: (Value | undefined)[]) => Value,
): [string, Method] => [name, (self, given) => method(self as Dict, bind(name, given, names))];

/** Methods of lists, tuples and dicts that change nothing; those that would are undefined in the sandbox. */
export const CONTAINER_METHODS: ReadonlyMap<string, ReadonlyMap<string, Method>> = new Map([
  [
    'list',
    new Map<string, Method>([
      ['count', count],
      ['index', index],
      ['copy', self => [...sequence(self)]],
    ]),
  ],
  [
    'tuple',
    new Map<string, Method>([
      ['count', count],
      ['index', index],
    ]),
  ],
  [
    'dict',
    new Map<string, Method>([
      dict('keys', [], self => new View('dict_keys', self.keys())),
      dict('values', [], self => new View('dict_values', self.values())),
      dict('items', [], self => new View('dict_items', items(self))),
      dict('get', ['key', 'default?'], (self, [key, otherwise]) => or(self.get(key!), or(otherwise, null))),
      dict('copy', [], self => new Dict(self.entries())),
    ]),
  ],
  ['float', new Map<string, Method>([['is_integer', self => Number.isInteger((self as Float).value)]])],
]);

/** The pairs of a dict as tuples. */
export function items(dict: Dict): Tuple[] {
  return [...dict.entries()].map(([key, value]) => new Tuple([key, value]));
}

import { bind } from './arguments.js';
import type { Filter } from './filters.js';
import { GROUPS, itemOf } from './lookup.js';
import { meter } from './meter.js';
import { binary } from './numbers.js';
import { str } from './repr.js';
import { joinAll } from './strings.js';
import { isText, mapped, raw } from './text.js';
import {
  type Arguments,
  compare,
  Dict,
  equal,
  fail,
  Iter,
  listOf,
  needInt,
  needText,
  or,
  Tuple,
  truthy,
  typeName,
  Undefined,
  type Value,
  walk,
} from './values.js';

/** Set by the evaluator: filters and tests by name, for `map`, `select` and their kin. */
export const named: {
  filter: (name: string, value: Value, given: Arguments) => Value;
  test: (name: string, value: Value, given: Arguments) => boolean;
} = {
  filter: name => {
    throw fail(`no filter named ${name}`);
  },
  test: name => {
    throw fail(`no test named ${name}`);
  },
};

const generator = (items: Iterator<Value>): Iter => new Iter('generator', items);

/** A getter for `attribute`, such as `name`, `function.name` or `0`. */
function getter(attribute: Value | undefined, otherwise?: Value): (item: Value) => Value {
  if (attribute === undefined || attribute === null) return item => item;
  const parts: Value[] = isText(attribute)
    ? raw(attribute)
        .split('.')
        .map(part => (/^\d+$/.test(part) ? Number(part) : part))
    : [attribute];
  return item => {
    let value = item;
    for (const part of parts) {
      value = itemOf(value, part);
      if (otherwise !== undefined && otherwise !== null && value instanceof Undefined) value = otherwise;
    }
    return value;
  };
}

const fold = (value: Value): Value => (isText(value) ? mapped(value, s => s.toLowerCase()) : value);

function keyed(attribute: Value | undefined, sensitive: Value | undefined, otherwise?: Value): (item: Value) => Value {
  const get = getter(attribute, otherwise);
  return truthy(sensitive ?? false) ? get : item => fold(get(item));
}

function sorted(items: readonly Value[], key: (item: Value) => Value, reverse: boolean): Value[] {
  const pairs = items.map(item => [key(item), item] as const);
  // Python keeps the order of equal items also when it reverses.
  pairs.sort(([a], [b]) => (reverse ? compare(b, a) : compare(a, b)) || 0);
  return pairs.map(([, item]) => item);
}

function choose(name: string, keep: boolean, byAttribute: boolean): [string, Filter] {
  return [
    name,
    (value, { args, kwargs }) => {
      const rest = [...args];
      return generator(
        (function* (): Generator<Value> {
          if (!truthy(value)) return;
          let get = (item: Value): Value => item;
          if (byAttribute) {
            if (rest.length === 0) throw fail(`${name}: missing parameter for attribute name`);
            get = getter(rest.shift());
          }
          const test = rest.shift();
          const given = { args: rest, kwargs };
          for (const item of walk(value)) {
            const got = get(item);
            const yes = test === undefined ? truthy(got) : named.test(raw(needText(test, name)), got, given);
            if (yes === keep) yield item;
          }
        })(),
      );
    },
  ];
}

function extreme(name: 'min' | 'max'): [string, Filter] {
  return [
    name,
    (value, given) => {
      const [sensitive, attribute] = bind(name, given, ['case_sensitive?', 'attribute?']);
      const key = keyed(attribute, sensitive);
      let best: { key: Value; item: Value } | undefined;
      for (const item of walk(value)) {
        const k = key(item);
        const order = best ? compare(k, best.key) : 0;
        if (!best || (name === 'min' ? order < 0 : order > 0)) best = { key: k, item };
      }
      return best ? best.item : new Undefined('no aggregated item, sequence was empty');
    },
  ];
}

/** Jinja's filters on sequences. Those that are generators in Python are walked lazily and once here too. */
export const SEQUENCE_FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  choose('select', true, false),
  choose('reject', false, false),
  choose('selectattr', true, true),
  choose('rejectattr', false, true),
  extreme('min'),
  extreme('max'),
  [
    'map',
    (value, { args, kwargs }) =>
      generator(
        (function* (): Generator<Value> {
          if (!truthy(value)) return;
          if (args.length === 0 && kwargs.has('attribute')) {
            const unknown = [...kwargs.keys()].find(key => key !== 'attribute' && key !== 'default');
            if (unknown) throw fail(`map: unexpected keyword argument ${unknown}`);
            const get = getter(kwargs.get('attribute'), kwargs.get('default'));
            for (const item of walk(value)) yield get(item);
            return;
          }
          const [name, ...rest] = args;
          if (name === undefined) throw fail('map requires a filter argument');
          for (const item of walk(value)) yield named.filter(raw(needText(name, 'map')), item, { args: rest, kwargs });
        })(),
      ),
  ],
  [
    'join',
    (value, given) => {
      const [by, attribute] = bind('join', given, ['d?', 'attribute?']);
      const get = getter(attribute);
      return joinAll(str(or(by, '')), listOf(value).map(get));
    },
  ],
  ['list', value => listOf(value)],
  [
    'first',
    value => {
      for (const item of walk(value)) return item;
      return new Undefined('no first item, sequence was empty');
    },
  ],
  [
    'last',
    value => {
      if (value instanceof Iter) throw fail(`${value.type} is not reversible`);
      return or(listOf(value).at(-1), new Undefined('no last item, sequence was empty'));
    },
  ],
  [
    'random',
    value => {
      const items = listOf(value);
      return or(items[Math.floor(Math.random() * items.length)], new Undefined('no random item, sequence was empty'));
    },
  ],
  [
    'sort',
    (value, given) => {
      const [reverse, sensitive, attribute] = bind('sort', given, ['reverse?', 'case_sensitive?', 'attribute?']);
      // Several attributes: `sort(attribute='age,name')`.
      const keys = (attribute !== undefined && isText(attribute) ? raw(attribute).split(',') : [attribute]).map(a =>
        keyed(a, sensitive),
      );
      return sorted(
        listOf(value),
        item => (keys.length === 1 ? keys[0]!(item) : keys.map(key => key(item))),
        truthy(reverse ?? false),
      );
    },
  ],
  [
    'dictsort',
    (value, given) => {
      const [sensitive, by, reverse] = bind('dictsort', given, ['case_sensitive?', 'by?', 'reverse?']);
      const which = by === undefined ? 'key' : raw(needText(by, 'dictsort'));
      if (which !== 'key' && which !== 'value') throw fail('dictsort: by must be key or value');
      if (!(value instanceof Dict)) throw fail(`dictsort: ${typeName(value)} is no mapping`);
      const pairs = [...value.entries()].map(pair => new Tuple(pair));
      return sorted(pairs, keyed(which === 'key' ? 0 : 1, sensitive), truthy(reverse ?? false));
    },
  ],
  [
    'unique',
    (value, given) => {
      const [sensitive, attribute] = bind('unique', given, ['case_sensitive?', 'attribute?']);
      const key = keyed(attribute, sensitive);
      return generator(
        (function* (): Generator<Value> {
          const seen = new Dict();
          for (const item of walk(value)) {
            const k = key(item);
            if (seen.has(k)) continue;
            seen.set(k, true);
            yield item;
          }
        })(),
      );
    },
  ],
  [
    'groupby',
    (value, given) => {
      const [attribute, otherwise, sensitive] = bind('groupby', given, ['attribute', 'default?', 'case_sensitive?']);
      const key = keyed(attribute, sensitive, otherwise);
      const shown = getter(attribute, otherwise);
      const groups: { key: Value; items: Value[] }[] = [];
      for (const item of sorted(listOf(value), key, false)) {
        const k = key(item);
        const last = groups.at(-1);
        if (last && equal(last.key, k)) last.items.push(item);
        else groups.push({ key: k, items: [item] });
      }
      return groups.map(group => {
        const pair = new Tuple([truthy(sensitive ?? false) ? group.key : shown(group.items[0]!), group.items]);
        GROUPS.add(pair);
        return pair;
      });
    },
  ],
  [
    'sum',
    (value, given) => {
      const [attribute, start] = bind('sum', given, ['attribute?', 'start?']);
      const get = getter(attribute);
      let total: Value = or(start, 0);
      if (isText(total)) throw fail('sum: strings cannot be summed');
      for (const item of walk(value)) total = binary('+', total, get(item));
      return total;
    },
  ],
  [
    'batch',
    (value, given) => {
      const [count, fillWith] = bind('batch', given, ['linecount', 'fill_with?']);
      const size = needInt(count!, 'batch');
      return generator(
        (function* (): Generator<Value> {
          let batch: Value[] = [];
          for (const item of walk(value)) {
            if (batch.length === size) {
              yield batch;
              batch = [];
            }
            batch.push(item);
          }
          if (batch.length === 0) return;
          const missing = size - batch.length;
          if (fillWith !== undefined && fillWith !== null && missing > 0) {
            meter().make(missing);
            batch = [...batch, ...Array<Value>(missing).fill(fillWith)];
          }
          yield batch;
        })(),
      );
    },
  ],
  [
    'slice',
    (value, given) => {
      const [count, fillWith] = bind('slice', given, ['slices', 'fill_with?']);
      const slices = needInt(count!, 'slice');
      return generator(
        (function* (): Generator<Value> {
          const items = listOf(value);
          if (slices === 0) throw fail('slice: division by zero');
          const each = Math.floor(items.length / slices);
          const extra = items.length % slices;
          let at = 0;
          for (let i = 0; i < slices; i++) {
            meter().step();
            const size = each + (i < extra ? 1 : 0);
            const part = items.slice(at, at + size);
            at += size;
            yield fillWith !== undefined && fillWith !== null && i >= extra ? [...part, fillWith] : part;
          }
        })(),
      );
    },
  ],
  [
    'attr',
    (value, given) => {
      const [name] = bind('attr', given, ['name']);
      // Only attributes, not items; data has none but its methods.
      const found = value instanceof Dict ? itemOf(new Dict(), name!) : itemOf(value, name!);
      return found;
    },
  ],
]);

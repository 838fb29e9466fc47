import { bind } from './arguments.js';
import { items } from './containers.js';
import { formatPercent } from './format.js';
import { dumps, indentOf, separatorsOf } from './json.js';
import { meter } from './meter.js';
import { escapeHtml, readFloat, readInt, round } from './numbers.js';
import { repr, str } from './repr.js';
import { SEQUENCE_FILTERS } from './sequences.js';
import { capitalize, replace, splitLines } from './strings.js';
import { concat, cut, isText, lengthOf, like, mapped, offsetsOf, points, raw, Str, strip, type Text } from './text.js';
import {
  type Arguments,
  Dict,
  Float,
  fail,
  Iter,
  isNumber,
  needInt,
  needText,
  or,
  sizeOf,
  Tuple,
  truthy,
  typeName,
  Undefined,
  type Value,
} from './values.js';

/** A filter: the value before the `|`, then the arguments. */
export type Filter = (value: Value, given: Arguments) => Value;

const plainFilter = (
  name: string,
  names: readonly string[],
  filter: (value: Value, args: (Value | undefined)[]) => Value,
): [string, Filter] => [name, (value, given) => filter(value, bind(name, given, names))];

const otherwise = plainFilter('default', ['default_value?', 'boolean?'], (value, [by, boolean]) =>
  value instanceof Undefined || (truthy(boolean ?? false) && !truthy(value)) ? or(by, '') : value,
)[1];
const length = plainFilter('length', [], value => {
  const size = sizeOf(value);
  if (size === undefined) throw fail(`object of type ${typeName(value)} has no len()`);
  return size;
})[1];
const escaping = plainFilter('escape', [], value => escapeHtml(str(value)))[1];

/** Jinja's filters on single values, with those of {@link SEQUENCE_FILTERS}. */
export const FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ...SEQUENCE_FILTERS,
  ['default', otherwise],
  ['d', otherwise],
  ['length', length],
  ['count', length],
  ['escape', escaping],
  ['e', escaping],
  plainFilter('forceescape', [], value => escapeHtml(raw(str(value)))),
  plainFilter('safe', [], value => {
    const text = str(value);
    return new Str(raw(text), text instanceof Str ? text.spans : [], true);
  }),
  plainFilter('string', [], str),
  plainFilter('trim', ['chars?'], (value, [chars]) =>
    strip(str(value), chars == null ? undefined : raw(needText(chars, 'trim'))),
  ),
  plainFilter('upper', [], value => mapped(str(value), s => s.toUpperCase())),
  plainFilter('lower', [], value => mapped(str(value), s => s.toLowerCase())),
  plainFilter('capitalize', [], value => capitalize(str(value))),
  plainFilter('title', [], value => title(str(value))),
  plainFilter('replace', ['old', 'new', 'count?'], (value, [old, by, count]) =>
    replace(str(value), str(old!), str(by!), needInt(count ?? -1, 'replace')),
  ),
  [
    'format',
    (value, { args, kwargs }) => {
      if (args.length > 0 && kwargs.size > 0) throw fail('format: positional and named arguments cannot be mixed');
      return formatPercent(str(value), kwargs.size > 0 ? new Dict(kwargs) : new Tuple(args));
    },
  ],
  plainFilter('center', ['width?'], (value, [width]) => {
    const missing = needInt(width ?? 80, 'center') - lengthOf(str(value));
    if (missing <= 0) return str(value);
    meter().make(missing);
    const left = (missing >> 1) + (missing & needInt(width ?? 80, 'center') & 1);
    return concat([' '.repeat(left), str(value), ' '.repeat(missing - left)]);
  }),
  plainFilter('indent', ['width?', 'first?', 'blank?'], (value, [width, first, blank]) =>
    indent(needText(value, 'indent'), width ?? 4, truthy(first ?? false), truthy(blank ?? false)),
  ),
  plainFilter('truncate', ['length?', 'killwords?', 'end?', 'leeway?'], (value, [most, kill, end, leeway]) =>
    truncate(
      needText(value, 'truncate'),
      needInt(most ?? 255, 'truncate'),
      truthy(kill ?? false),
      needText(end ?? '...', 'truncate'),
      needInt(leeway ?? 5, 'truncate'),
    ),
  ),
  plainFilter('wordcount', [], value => raw(str(value)).match(/[\p{L}\p{N}_]+/gu)?.length ?? 0),
  plainFilter('striptags', [], value => {
    const text = str(value);
    const bare = raw(text)
      .replace(/<!--[\s\S]*?-->/g, '')
      .replace(/<[^>]*>/g, '')
      .split(/\s+/)
      .filter(Boolean)
      .join(' ');
    const entities: Record<string, string> = {
      '&amp;': '&',
      '&lt;': '<',
      '&gt;': '>',
      '&#39;': "'",
      '&#34;': '"',
      '&quot;': '"',
    };
    return like(
      bare.replace(/&(?:amp|lt|gt|#39|#34|quot);/g, entity => entities[entity]!),
      text,
    );
  }),
  plainFilter('urlencode', [], value => urlencode(value)),
  plainFilter('filesizeformat', ['binary?'], (value, [binary]) => fileSize(floatOf(value) ?? 0, truthy(binary ?? false))),
  plainFilter('pprint', [], repr),
  plainFilter('int', ['default?', 'base?'], (value, [by, base]) => toInt(value, needInt(base ?? 10, 'int')) ?? or(by, 0)),
  plainFilter('float', ['default?'], (value, [by]) => {
    if (value instanceof Undefined) throw fail(value.message);
    const number = floatOf(value);
    return number === undefined ? or(by, new Float(0)) : new Float(number);
  }),
  plainFilter('abs', [], value => {
    if (value instanceof Float) return new Float(Math.abs(value.value));
    if (!isNumber(value)) throw fail(`abs: bad operand type ${typeName(value)}`);
    return typeof value === 'bigint' ? (value < 0n ? -value : value) : Math.abs(Number(value));
  }),
  plainFilter('round', ['precision?', 'method?'], (value, [precision, method]) => {
    const digits = needInt(precision ?? 0, 'round');
    const how = method === undefined ? 'common' : raw(needText(method, 'round'));
    if (how === 'common') return round(value, digits);
    if (how !== 'ceil' && how !== 'floor') throw fail('round: the method must be common, ceil or floor');
    const unit = 10 ** digits;
    return new Float(Math[how]((floatOf(value) ?? Number.NaN) * unit) / unit);
  }),
  plainFilter('reverse', [], value => {
    if (isText(value)) return concat(points(value).reverse());
    const size = sizeOf(value);
    const all = SEQUENCE_FILTERS.get('list')!(value, { args: [], kwargs: new Map() }) as Value[];
    return size === undefined ? [...all].reverse() : new Iter('list_reverseiterator', [...all].reverse().values());
  }),
  plainFilter('items', [], value => {
    if (value instanceof Undefined) return new Iter('generator', ([] as Value[]).values());
    if (!(value instanceof Dict)) throw fail('items: can only get item pairs from a mapping');
    return new Iter('generator', items(value).values());
  }),
  plainFilter('tojson', ['ensure_ascii?', 'indent?', 'separators?', 'sort_keys?'], (value, [ascii, wide, separators, sort]) => {
    const levels = indentOf(wide ?? null);
    const between = separatorsOf(separators ?? null);
    return dumps(value, {
      ensureAscii: truthy(ascii ?? false),
      sortKeys: truthy(sort ?? false),
      ...(levels !== undefined && { indent: levels }),
      ...(between && { separators: between }),
    });
  }),
  plainFilter('xmlattr', ['autospace?'], (value, [space]) => {
    if (!(value instanceof Dict)) throw fail('xmlattr needs a mapping');
    const shown = [...value.entries()].filter(([, v]) => v !== null && !(v instanceof Undefined));
    const parts = shown.flatMap(([key, v], i): Text[] => [i ? ' ' : '', escapeHtml(str(key)), '="', escapeHtml(str(v)), '"']);
    return concat([truthy(space ?? true) && parts.length > 0 ? ' ' : '', ...parts]);
  }),
]);

function title(text: Text): Text {
  return mapped(text, s =>
    s
      .split(/([-\s({[<]+)/)
      .map(word => {
        const first = /^./su.exec(word)?.[0] ?? '';
        return first.toUpperCase() + word.slice(first.length).toLowerCase();
      })
      .join(''),
  );
}

function indent(text: Text, width: Value, first: boolean, blank: boolean): Text {
  const by = isText(width) ? width : needInt(width, 'indent');
  if (typeof by === 'number') meter().make(Math.max(0, by));
  const space = typeof by === 'number' ? ' '.repeat(Math.max(0, by)) : by;
  // Jinja adds a newline before splitting, so that a last empty line survives.
  const lines = splitLines(concat([text, '\n']), false);
  meter().make(raw(space).length * lines.length);
  const out = lines.flatMap((line, i): Text[] => [
    ...(i > 0 ? ['\n'] : []),
    ...((i > 0 && (blank || raw(line) !== '')) || (i === 0 && first) ? [space] : []),
    line,
  ]);
  return concat(out);
}

function truncate(text: Text, most: number, kill: boolean, end: Text, leeway: number): Text {
  if (most < lengthOf(end) || leeway < 0) throw fail('truncate: the length is too small');
  if (lengthOf(text) <= most + leeway) return text;
  const size = most - lengthOf(end);
  const kept = cut(text, 0, offsetsOf(raw(text))?.[size] ?? size);
  const space = raw(kept).lastIndexOf(' ');
  return concat([kill || space < 0 ? kept : cut(kept, 0, space), end]);
}

function urlencode(value: Value): Text {
  const quote = (item: Value, query: boolean): Text => {
    const text = str(item);
    const safe = encodeURIComponent(raw(text).replace(/\p{Cs}/gu, '\ufffd')).replace(
      /[!'()*]/g,
      c => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
    );
    return like(query ? safe.replaceAll('%20', '+') : safe.replaceAll('%2F', '/'), text);
  };
  if (!(value instanceof Dict)) return quote(value, false);
  return concat([...value.entries()].flatMap(([k, v], i): Text[] => [i ? '&' : '', quote(k, true), '=', quote(v, true)]));
}

function fileSize(bytes: number, binary: boolean): string {
  const base = binary ? 1024 : 1000;
  const letters = [...'kMGTPEZY'];
  if (bytes === 1) return '1 Byte';
  if (bytes < base) return `${Math.trunc(bytes)} Bytes`;
  const i = letters.findIndex((_, n) => bytes < base ** (n + 2));
  const n = i < 0 ? letters.length - 1 : i;
  const letter = binary ? `${letters[n]!.toUpperCase()}iB` : `${letters[n]}B`;
  return `${((base * bytes) / base ** (n + 2)).toFixed(1)} ${letter}`;
}

function floatOf(value: Value): number | undefined {
  if (value instanceof Float) return value.value;
  if (isNumber(value)) return Number(value);
  return isText(value) ? readFloat(raw(value)) : undefined;
}

function toInt(value: Value, base: number): Value | undefined {
  if (value instanceof Undefined) throw fail(value.message);
  const text = isText(value) ? raw(value) : undefined;
  const whole = text === undefined ? undefined : readInt(text, base);
  if (whole !== undefined) return whole;
  if (typeof value === 'number' || typeof value === 'bigint') return value;
  const number = floatOf(value);
  return number === undefined || !Number.isFinite(number) ? undefined : round(new Float(Math.trunc(number)), undefined);
}

import { bind } from './arguments.js';
import { meter } from './meter.js';
import { escapeHtml } from './numbers.js';
import { str } from './repr.js';
import {
  concat,
  cut,
  isSpace,
  isText,
  lengthOf,
  mapped,
  offsetsOf,
  pointIndex,
  points,
  raw,
  Str,
  splitSpaces,
  strip,
  type Text,
} from './text.js';
import { type Arguments, asInt, Dict, fail, listOf, needInt, Tuple, truthy, typeName, type Value } from './values.js';

type Method = (self: Text, given: Arguments) => Value;

const text = (value: Value | undefined, what: string): string => {
  if (value !== undefined && isText(value)) return raw(value);
  throw fail(`${what}: a string is needed, not ${typeName(value ?? null)}`);
};
const optionalText = (value: Value | undefined, what: string): string | undefined =>
  value === undefined || value === null ? undefined : text(value, what);

/** Methods that only look at the text. */
const simple = (name: string, method: (self: Text) => Value): [string, Method] => [
  name,
  (self, given) => {
    bind(name, given, []);
    return method(self);
  },
];

const stripping = (name: string, side: 'left' | 'right' | 'both'): [string, Method] => [
  name,
  (self, given) => strip(self, optionalText(bind(name, given, ['chars?'])[0], name), side),
];

const testing = (name: string, test: RegExp): [string, Method] => simple(name, self => test.test(raw(self)));

/** Methods of Python's str (`format` is beside the lookup it needs). All count and index code points; results keep the origins of their characters. */
export const STRING_METHODS: ReadonlyMap<string, Method> = new Map<string, Method>([
  stripping('strip', 'both'),
  stripping('lstrip', 'left'),
  stripping('rstrip', 'right'),
  simple('upper', self => mapped(self, s => s.toUpperCase())),
  simple('lower', self => mapped(self, s => s.toLowerCase())),
  simple('casefold', self => mapped(self, s => s.toLowerCase().replaceAll('ß', 'ss').replaceAll('ς', 'σ'))),
  simple('capitalize', capitalize),
  simple('title', self => mapped(self, s => s.toLowerCase().replace(/(?<!\p{Cased})\p{Cased}/gu, c => c.toUpperCase()))),
  simple('swapcase', self =>
    mapped(self, s => s.replace(/\p{Cased}/gu, c => (c === c.toUpperCase() ? c.toLowerCase() : c.toUpperCase()))),
  ),
  simple('isspace', self => isSpace(raw(self))),
  testing('isdigit', /^[\p{Nd}\u00b2\u00b3\u00b9\u2070\u2074-\u2079\u2080-\u2089]+$/u),
  testing('isdecimal', /^\p{Nd}+$/u),
  testing('isnumeric', /^[\p{N}\u4e00\u4e8c\u4e09\u56db\u4e94\u516d\u4e03\u516b\u4e5d\u5341\u767e\u5343\u4e07\u96f6]+$/u),
  testing('isalpha', /^\p{L}+$/u),
  testing('isalnum', /^[\p{L}\p{N}]+$/u),
  simple('isascii', self => [...raw(self)].every(c => c <= '\x7f')),
  testing('isidentifier', /^[\p{ID_Start}_][\p{ID_Continue}]*$/u),
  simple('isprintable', self => !/[\p{C}\p{Z}]/u.test(raw(self).replaceAll(' ', ''))),
  simple('isupper', self => isUpper(raw(self))),
  simple('islower', self => isLower(raw(self))),
  simple('istitle', self => {
    const s = raw(self);
    return /\p{Cased}/u.test(s) && s === s.toLowerCase().replace(/(?<!\p{Cased})\p{Cased}/gu, c => c.toUpperCase());
  }),
  ['startswith', (self, given) => affix('startswith', self, given)],
  ['endswith', (self, given) => affix('endswith', self, given)],
  ['split', (self, given) => split(self, given)],
  ['rsplit', (self, given) => rsplit(self, given)],
  ['splitlines', (self, given) => splitLines(self, truthy(bind('splitlines', given, ['keepends?'])[0] ?? false))],
  ['partition', (self, given) => partition(self, text(bind('partition', given, ['sep'])[0], 'partition'), false)],
  ['rpartition', (self, given) => partition(self, text(bind('rpartition', given, ['sep'])[0], 'rpartition'), true)],
  [
    'replace',
    (self, given) => {
      const [old, by, count] = bind('replace', given, ['old', 'new', 'count?']);
      text(old, 'replace');
      text(by, 'replace');
      return replace(self, old as Text, by as Text, needInt(count ?? -1, 'replace'));
    },
  ],
  [
    'join',
    (self, given) => {
      const items = listOf(bind('join', given, ['iterable'])[0]!);
      return joinTexts(
        self,
        items.map((item, i) => {
          if (isText(item)) return item;
          throw fail(`join: item ${i} is ${typeName(item)}, not a string`);
        }),
      );
    },
  ],
  ['find', (self, given) => find('find', self, given, false)],
  ['rfind', (self, given) => find('rfind', self, given, true)],
  ['index', (self, given) => found(find('index', self, given, false))],
  ['rindex', (self, given) => found(find('rindex', self, given, true))],
  [
    'count',
    (self, given) => {
      const [part, from, to] = bind('count', given, ['sub', 'start?', 'end?']);
      const s = raw(sliceText(self, from ?? null, to ?? null));
      const sub = text(part, 'count');
      return sub === '' ? lengthOf(s) + 1 : s.split(sub).length - 1;
    },
  ],
  [
    'removeprefix',
    (self, given) => {
      const prefix = text(bind('removeprefix', given, ['prefix'])[0], 'removeprefix');
      return raw(self).startsWith(prefix) ? cut(self, prefix.length, raw(self).length) : self;
    },
  ],
  [
    'removesuffix',
    (self, given) => {
      const suffix = text(bind('removesuffix', given, ['suffix'])[0], 'removesuffix');
      return suffix !== '' && raw(self).endsWith(suffix) ? cut(self, 0, raw(self).length - suffix.length) : self;
    },
  ],
  ['ljust', (self, given) => justify('ljust', self, given)],
  ['rjust', (self, given) => justify('rjust', self, given)],
  ['center', (self, given) => justify('center', self, given)],
  [
    'zfill',
    (self, given) => {
      const width = needInt(bind('zfill', given, ['width'])[0]!, 'zfill');
      const sign = /^[+-]/.test(raw(self)) ? 1 : 0;
      return concat([cut(self, 0, sign), fill('0', width - lengthOf(self)), cut(self, sign, raw(self).length)]);
    },
  ],
  [
    'expandtabs',
    (self, given) => {
      const size = needInt(bind('expandtabs', given, ['tabsize?'])[0] ?? 8, 'expandtabs');
      let column = 0;
      return concat(
        points(self).map(point => {
          const c = raw(point);
          if (c === '\t') {
            const width = size > 0 ? size - (column % size) : 0;
            column += width;
            return fill(' ', width);
          }
          column = c === '\n' || c === '\r' ? 0 : column + 1;
          return point;
        }),
      );
    },
  ],
  [
    'translate',
    (self, given) => {
      const [table] = bind('translate', given, ['table']);
      if (!(table instanceof Dict)) throw fail('translate needs a mapping');
      return concat(
        points(self).map(point => {
          const to = table.get(raw(point).codePointAt(0)!);
          return to === undefined ? point : to === null ? '' : isText(to) ? to : String.fromCodePoint(asInt(to) ?? 0);
        }),
      );
    },
  ],
]);

export function capitalize(self: Text): Text {
  const first = /^./su.exec(raw(self))?.[0].length ?? 0;
  const rest = cut(self, first, raw(self).length);
  return concat([mapped(cut(self, 0, first), s => s.toUpperCase()), mapped(rest, s => s.toLowerCase())]);
}

export function isUpper(s: string): boolean {
  return /\p{Cased}/u.test(s) && s === s.toUpperCase();
}

export function isLower(s: string): boolean {
  return /\p{Cased}/u.test(s) && s === s.toLowerCase();
}

function fill(char: string, count: number): string {
  if (count <= 0) return '';
  meter().make(count);
  return char.repeat(count);
}

/** `[start:end]` in code points. */
function sliceText(self: Text, start: Value, end: Value): Text {
  const size = lengthOf(self);
  const clamp = (value: Value, otherwise: number) => {
    if (value === null) return otherwise;
    const index = needInt(value, 'slice');
    return Math.min(size, Math.max(0, index < 0 ? index + size : index));
  };
  const from = clamp(start, 0);
  const to = clamp(end, size);
  const offsets = offsetsOf(raw(self));
  return from >= to ? '' : cut(self, offsets ? offsets[from]! : from, offsets ? offsets[to]! : to);
}

function affix(name: 'startswith' | 'endswith', self: Text, given: Arguments): boolean {
  const [wanted, start, end] = bind(name, given, ['prefix', 'start?', 'end?']);
  const s = raw(sliceText(self, start ?? null, end ?? null));
  const any = wanted instanceof Tuple ? wanted.items : [wanted!];
  return any.some(item => (name === 'startswith' ? s.startsWith(text(item, name)) : s.endsWith(text(item, name))));
}

function find(name: string, self: Text, given: Arguments, last: boolean): number {
  const [part, start, end] = bind(name, given, ['sub', 'start?', 'end?']);
  const size = lengthOf(self);
  const s = raw(sliceText(self, start ?? null, end ?? null));
  const at = last ? s.lastIndexOf(text(part, name)) : s.indexOf(text(part, name));
  const from = start === undefined || start === null ? 0 : needInt(start, name);
  return at < 0 ? -1 : pointIndex(s, at) + Math.min(size, from < 0 ? Math.max(0, from + size) : from);
}

function found(index: number): number {
  if (index < 0) throw fail('substring not found');
  return index;
}

/** Cuts at every `separator`, at most `limit` of them (−1: all). */
export function splitAt(self: Text, separator: string, limit: number): Text[] {
  if (separator === '') throw fail('empty separator');
  const s = raw(self);
  const out: Text[] = [];
  let at = 0;
  while (limit < 0 || out.length < limit) {
    const next = s.indexOf(separator, at);
    if (next < 0) break;
    out.push(cut(self, at, next));
    at = next + separator.length;
  }
  out.push(cut(self, at, s.length));
  meter().make(s.length);
  return out;
}

function split(self: Text, given: Arguments): Value {
  const [separator, limit] = bind('split', given, ['sep?', 'maxsplit?']);
  const most = needInt(limit ?? -1, 'split');
  const by = optionalText(separator, 'split');
  return by === undefined ? splitSpaces(self, most) : splitAt(self, by, most);
}

function rsplit(self: Text, given: Arguments): Value {
  const [separator, limit] = bind('rsplit', given, ['sep?', 'maxsplit?']);
  const most = needInt(limit ?? -1, 'rsplit');
  const by = optionalText(separator, 'rsplit');
  if (most < 0) return by === undefined ? splitSpaces(self, -1) : splitAt(self, by, -1);
  const out: Text[] = [];
  let rest: Text = by === undefined ? strip(self, undefined, 'right') : self;
  while (out.length < most) {
    const s = raw(rest);
    if (by === undefined && s === '') break;
    const at = by === undefined ? lastSpace(s) : s.lastIndexOf(by);
    if (at < 0) break;
    out.unshift(cut(rest, at + (by?.length ?? 1), s.length));
    rest = cut(rest, 0, at);
    if (by === undefined) rest = strip(rest, undefined, 'right');
  }
  return by === undefined && raw(strip(rest, undefined)) === ''
    ? out
    : [by === undefined ? strip(rest, undefined, 'right') : rest, ...out];
}

function lastSpace(s: string): number {
  for (let i = s.length - 1; i >= 0; i--) if (isSpace(s[i]!)) return i;
  return -1;
}

const BREAKS = '\\n\\v\\f\\r\\x1c-\\x1e\\x85\\u2028\\u2029';
const LINE_END = new RegExp(`\\r\\n|[${BREAKS}]`, 'g');

export function splitLines(self: Text, keep: boolean): Text[] {
  const s = raw(self);
  const out: Text[] = [];
  let at = 0;
  for (const match of s.matchAll(LINE_END)) {
    out.push(cut(self, at, match.index + (keep ? match[0].length : 0)));
    at = match.index + match[0].length;
  }
  if (at < s.length) out.push(cut(self, at, s.length));
  return out;
}

function partition(self: Text, separator: string, last: boolean): Tuple {
  if (separator === '') throw fail('empty separator');
  const s = raw(self);
  const at = last ? s.lastIndexOf(separator) : s.indexOf(separator);
  if (at < 0) return new Tuple(last ? ['', '', self] : [self, '', '']);
  return new Tuple([cut(self, 0, at), cut(self, at, at + separator.length), cut(self, at + separator.length, s.length)]);
}

export function replace(self: Text, old: Text, by: Text, count: number): Text {
  const find = raw(old);
  if (count === 0) return self;
  if (find === '') {
    const all = points(self);
    const many = count < 0 ? all.length + 1 : Math.min(count, all.length + 1);
    return concat(all.flatMap((point, i) => (i < many ? [by, point] : [point])).concat(many > all.length ? [by] : []));
  }
  if (!raw(self).includes(find)) return self;
  return joinTexts(by, splitAt(self, find, count));
}

export function joinTexts(by: Text, items: readonly Text[]): Text {
  meter().make(raw(by).length * items.length);
  const markup = [by, ...items].some(item => item instanceof Str && item.markup);
  const shown = markup && by instanceof Str && by.markup ? items.map(escapeHtml) : items;
  return concat(shown.flatMap((item, i) => (i === 0 || raw(by) === '' ? [item] : [by, item])));
}

function justify(name: 'ljust' | 'rjust' | 'center', self: Text, given: Arguments): Text {
  const [width, char] = bind(name, given, ['width', 'fillchar?']);
  const by = char === undefined ? ' ' : text(char, name);
  const missing = needInt(width!, name) - lengthOf(self);
  if (missing <= 0) return self;
  // Python's own rule for which side gets the odd one.
  const half = (missing >> 1) + (missing & needInt(width!, name) & 1);
  const left = name === 'ljust' ? 0 : name === 'rjust' ? missing : half;
  return concat([fill(by, left), self, fill(by, missing - left)]);
}

/** str() of every item, joined. */
export function joinAll(by: Text, items: readonly Value[]): Text {
  return joinTexts(by, items.map(str));
}

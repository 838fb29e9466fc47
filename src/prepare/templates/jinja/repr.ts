import { concat, isText, raw, Str, type Text } from './text.js';
import {
  Callable,
  Dict,
  Float,
  fail,
  Iter,
  isList,
  Namespace,
  Range,
  Slice,
  Thing,
  Tuple,
  Undefined,
  type Value,
  View,
} from './values.js';

/** What `{{ value }}` prints: Python's str(). */
export function str(value: Value): Text {
  if (isText(value)) return value;
  return value instanceof Undefined ? '' : repr(value);
}

/** Python's repr(). Strings inside keep their origins. */
export function repr(value: Value): Text {
  if (isText(value)) return quoted(value);
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number' || typeof value === 'bigint') return integer(value);
  if (value instanceof Float) return float(value.value);
  if (isList(value)) return concat(['[', ...joined(value), ']']);
  if (value instanceof Tuple) return concat(['(', ...joined(value.items), value.items.length === 1 ? ',)' : ')']);
  if (value instanceof Dict) return concat(['{', ...pairs(value), '}']);
  if (value instanceof View) return concat([`${value.kind}([`, ...joined(value.items), '])']);
  if (value instanceof Range) {
    return value.step === 1 ? `range(${value.start}, ${value.stop})` : `range(${value.start}, ${value.stop}, ${value.step})`;
  }
  if (value instanceof Undefined) return 'Undefined';
  if (value instanceof Namespace) return concat(['<Namespace ', repr(value.attributes), '>']);
  if (value instanceof Slice) return concat(['slice', repr(new Tuple([value.start, value.stop, value.step]))]);
  // Python prints an address here, so no two renderings agree and no template can rely on it.
  if (value instanceof Callable) return value.kind === 'Macro' ? `<Macro '${value.name}'>` : `<${value.kind} ${value.name}>`;
  if (value instanceof Iter || value instanceof Thing) return `<${value.type} object>`;
  return '';
}

function joined(items: readonly Value[]): Text[] {
  return items.flatMap((item, i) => (i === 0 ? [repr(item)] : [', ', repr(item)]));
}

function pairs(dict: Dict): Text[] {
  return [...dict.entries()].flatMap(([key, value], i) => [i === 0 ? '' : ', ', repr(key), ': ', repr(value)]);
}

export function integer(value: number | bigint): string {
  if (typeof value === 'number') return Object.is(value, -0) ? '0' : String(value);
  // Python's own limit; writing a long int takes quadratic time.
  if (value >= LONGEST || value <= -LONGEST) throw fail('an integer of more than 4300 digits cannot be printed');
  return value.toString();
}

const LONGEST = 10n ** 4300n;

/** Python's repr of a float: the shortest digits, as JavaScript has them, with an exponent from 1e16 on and below 1e-4. */
export function float(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const [digits = '', power = '0'] = Math.abs(value).toExponential().split('e');
  const exponent = Number(power);
  const sign = value < 0 ? '-' : '';
  if (exponent < -4 || exponent >= 16) {
    return `${sign}${digits}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  const all = digits.replace('.', '');
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${all}`;
  if (all.length <= exponent + 1) return `${sign}${all}${'0'.repeat(exponent + 1 - all.length)}.0`;
  return `${sign}${all.slice(0, exponent + 1)}.${all.slice(exponent + 1)}`;
}

const NAMED: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' };
const UNPRINTABLE = /^[\p{C}\p{Z}]$/u;

function quoted(value: Text): Text {
  const text = raw(value);
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const body = replaceEach(value, point => {
    if (Object.hasOwn(NAMED, point)) return NAMED[point]!;
    if (point === quote) return `\\${point}`;
    if (point === ' ' || !UNPRINTABLE.test(point)) return undefined;
    const code = point.codePointAt(0)!;
    const hex = code.toString(16);
    return code < 0x100
      ? `\\x${hex.padStart(2, '0')}`
      : code < 0x10000
        ? `\\u${hex.padStart(4, '0')}`
        : `\\U${hex.padStart(8, '0')}`;
  });
  return concat([quote, body, quote]);
}

/** Replace single code points; the replacement has the origin of what it stands for. */
export function replaceEach(value: Text, change: (point: string) => string | undefined): Text {
  const text = raw(value);
  let out = '';
  let changed = false;
  // Where each span's beginning and end come to lie; there are few, in order.
  const edges = value instanceof Str ? value.spans.flatMap(({ start, end }) => [start, end]) : [];
  const moved: number[] = [];
  let at = 0;
  for (const point of text) {
    while (moved.length < edges.length && edges[moved.length]! <= at) moved.push(out.length);
    const next = change(point);
    if (next !== undefined) changed = true;
    out += next ?? point;
    at += point.length;
  }
  while (moved.length < edges.length) moved.push(out.length);
  if (!changed) return value;
  if (!(value instanceof Str)) return out;
  return new Str(
    out,
    value.spans.map(({ origin }, i) => ({ start: moved[2 * i]!, end: moved[2 * i + 1]!, origin })),
  );
}

import { fixed } from './fixed.js';
import { formatPercent } from './format.js';
import { meter } from './meter.js';
import { str } from './repr.js';
import { concat, isText, like, raw, Str, type Text } from './text.js';
import { asInt, Float, fail, isList, isNumber, Tuple, typeName, Undefined, type Value } from './values.js';

type Int = number | bigint;

/** A number where it is exact, else a bigint. */
export function int(value: bigint): Int {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** `left op right` with Python's numbers, strings and lists. */
export function binary(op: string, left: Value, right: Value): Value {
  // Of strings, only % can be asked of an undefined right side: it formats it as nothing.
  if (op === '%' && isText(left)) return formatPercent(left, right);
  for (const side of [left, right]) if (side instanceof Undefined) throw fail(side.message);
  if (isNumber(left) && isNumber(right)) return arithmetic(op, left, right);
  if (op === '+') {
    if (isText(left) && isText(right)) return add(left, right);
    if (isList(left) && isList(right)) {
      meter().make(left.length + right.length);
      return [...left, ...right];
    }
    if (left instanceof Tuple && right instanceof Tuple) return new Tuple([...left.items, ...right.items]);
  }
  if (op === '*') {
    const [many, count] = asInt(right) !== undefined ? [left, asInt(right)!] : [right, asInt(left)];
    const repeated = count === undefined ? undefined : repeat(many, count);
    if (repeated !== undefined) return repeated;
  }
  throw fail(`unsupported operand types for ${op}: ${typeName(left)} and ${typeName(right)}`);
}

function add(left: Text, right: Text): Text {
  const markup = [left, right].some(side => side instanceof Str && side.markup);
  if (!markup) return concat([left, right]);
  const sum = concat([escapeHtml(left), escapeHtml(right)]);
  return new Str(raw(sum), sum instanceof Str ? sum.spans : [], true);
}

/** markupsafe's escape: what is Markup already stays. */
export function escapeHtml(value: Text): Str {
  if (value instanceof Str && value.markup) return value;
  const escaped = raw(value).replace(/[&<>'"]/g, c => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', "'": '&#39;' })[c] ?? '&#34;');
  const text = escaped === raw(value) ? value : like(escaped, value);
  return new Str(escaped, text instanceof Str ? text.spans : [], true);
}

function repeat(many: Value, count: number): Value | undefined {
  const times = Math.max(0, count);
  if (isText(many)) {
    if (times === 0 || raw(many) === '') return '';
    meter().make(raw(many).length * times);
    return typeof many === 'string' ? many.repeat(times) : concat(Array<Text>(times).fill(many));
  }
  const items = isList(many) ? many : many instanceof Tuple ? many.items : undefined;
  if (!items) return undefined;
  meter().make(items.length * times);
  const all = Array.from({ length: items.length * times }, (_, i) => items[i % items.length]!);
  return isList(many) ? all : new Tuple(all);
}

function arithmetic(op: string, left: Value, right: Value): Value {
  const float = left instanceof Float || right instanceof Float || op === '/';
  if (float) {
    const a = left instanceof Float ? left.value : Number(left);
    const b = right instanceof Float ? right.value : Number(right);
    return new Float(floats(op, a, b));
  }
  const a = typeof left === 'boolean' ? Number(left) : (left as Int);
  const b = typeof right === 'boolean' ? Number(right) : (right as Int);
  if ((op === '//' || op === '%') && Number(b) === 0) throw fail('integer division or modulo by zero');
  if (op === '**' && Number(b) < 0) return new Float(floats(op, Number(a), Number(b)));
  if (typeof a === 'number' && typeof b === 'number') {
    const quick = op === '+' ? a + b : op === '-' ? a - b : op === '*' ? a * b : undefined;
    if (quick !== undefined && Number.isSafeInteger(quick)) return quick === 0 ? 0 : quick;
  }
  const x = BigInt(a);
  const y = BigInt(b);
  switch (op) {
    case '+':
      return int(x + y);
    case '-':
      return int(x - y);
    case '*':
      meter().make((x.toString(16).length + y.toString(16).length) * 4);
      return int(x * y);
    case '//':
      return int((x - modulo(x, y)) / y);
    case '%':
      return int(modulo(x, y));
    default:
      // The digits of the result, before they are made; powers of 0, 1 and −1 have none to speak of.
      if (x > 1n || x < -1n) meter().make(x.toString(16).length * Number(y));
      else return int(x === -1n && y % 2n === 0n ? 1n : y === 0n ? 1n : x);
      return int(x ** y);
  }
}

function modulo(x: bigint, y: bigint): bigint {
  const rest = x % y;
  return rest !== 0n && rest < 0n !== y < 0n ? rest + y : rest;
}

function floats(op: string, a: number, b: number): number {
  if ((op === '/' || op === '//' || op === '%') && b === 0) throw fail('division by zero');
  switch (op) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return a / b;
    case '//':
      return Math.floor(a / b);
    case '%':
      return a - b * Math.floor(a / b);
  }
  if (a === 0 && b < 0) throw fail('0.0 cannot be raised to a negative power');
  return a ** b;
}

export function unary(op: '-' | '+', value: Value): Value {
  if (value instanceof Undefined) throw fail(value.message);
  if (value instanceof Float) return new Float(op === '-' ? -value.value : value.value);
  if (typeof value === 'bigint') return int(op === '-' ? -value : value);
  const number = asInt(value);
  if (number === undefined) throw fail(`bad operand type for unary ${op}: ${typeName(value)}`);
  return op === '-' && number !== 0 ? -number : number;
}

/** Python's int(value, base); undefined where it raises ValueError. */
export function readInt(text: string, base = 10): Int | undefined {
  const match = /^([+-]?)(0[xX]|0[oO]|0[bB])?(?:_?)([0-9a-zA-Z]+(?:_[0-9a-zA-Z]+)*)$/.exec(text.trim());
  if (!match) return undefined;
  const [, sign, prefix, digits = ''] = match;
  const prefixed = { x: 16, o: 8, b: 2 }[prefix?.[1]?.toLowerCase() ?? ''];
  if (prefix && prefixed !== base && base !== 0) return undefined;
  const radix = base === 0 ? (prefixed ?? 10) : base;
  let value = 0n;
  meter().make(digits.length);
  if (digits.length > 4300) return undefined;
  for (const digit of digits.replaceAll('_', '')) {
    const d = Number.parseInt(digit, 36);
    if (!(d < radix)) return undefined;
    value = value * BigInt(radix) + BigInt(d);
  }
  return int(sign === '-' ? -value : value);
}

/** Python's float(text); undefined where it raises ValueError. */
export function readFloat(text: string): number | undefined {
  const clean = text.trim().toLowerCase();
  const special = /^([+-]?)(inf|infinity|nan)$/.exec(clean);
  if (special) return special[2] === 'nan' ? Number.NaN : special[1] === '-' ? -Infinity : Infinity;
  if (!/^[+-]?(\d+(_\d+)*\.?(\d+(_\d+)*)?|\.\d+(_\d+)*)(e[+-]?\d+(_\d+)*)?$/.test(clean)) return undefined;
  return Number(clean.replaceAll('_', ''));
}

/** Python's round(): to the nearest, the even one of two equally near. */
export function round(value: Value, digits: number | undefined): Value {
  if (typeof value === 'boolean') return Number(value);
  if (typeof value === 'number' || typeof value === 'bigint') {
    if (digits === undefined || digits >= 0) return value;
    const unit = 10n ** BigInt(Math.min(400, -digits));
    const x = BigInt(value);
    const rest = modulo(x, unit);
    const down = x - rest;
    const up = rest * 2n > unit || (rest * 2n === unit && (down / unit) % 2n !== 0n);
    return int(up ? down + unit : down);
  }
  if (!(value instanceof Float)) throw fail(`${typeName(value)} cannot be rounded`);
  const rounded = roundFloat(value.value, digits ?? 0);
  return digits === undefined ? int(BigInt(rounded)) : new Float(rounded);
}

function roundFloat(value: number, digits: number): number {
  if (!Number.isFinite(value)) return value;
  if (digits >= 0) return Number(fixed(value, digits));
  const unit = 10 ** -digits;
  const down = Math.floor(value / unit);
  const rest = value / unit - down;
  return (rest > 0.5 || (rest === 0.5 && down % 2 !== 0) ? down + 1 : down) * unit;
}

/** `a ~ b`: everything as str(), joined. */
export function join(values: readonly Value[]): Text {
  return concat(values.map(value => plain(str(value))));
}

/** Without the mark of `|safe`. */
export function plain(value: Text): Text {
  return value instanceof Str && value.markup ? new Str(value.text, value.spans) : value;
}

import { fixed } from './fixed.js';
import { meter } from './meter.js';
import { float, repr, str } from './repr.js';
import { concat, cut, isText, lengthOf, raw, type Text } from './text.js';
import { Dict, Float, fail, isNumber, Tuple, typeName, type Value } from './values.js';

interface Spec {
  fill: string;
  align: string;
  sign: string;
  alternate: boolean;
  width: number;
  group: string;
  precision: number | undefined;
  type: string;
}

const PERCENT = /%(?:\(([^)]*)\))?([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+)?)?[hlL]?([\s\S])/g;

/** `text % values`: printf-style formatting. */
export function formatPercent(format: Text, values: Value): Text {
  const text = raw(format);
  const args = values instanceof Tuple ? [...values.items] : [values];
  let used = 0;
  let named = false;
  const take = (): Value => {
    if (used >= args.length) throw fail('not enough arguments for format string');
    return args[used++]!;
  };
  const out: Text[] = [];
  let at = 0;
  PERCENT.lastIndex = 0;
  for (const match of text.matchAll(PERCENT)) {
    const [all, key, flags = '', width, precision, type = ''] = match;
    out.push(cut(format, at, match.index));
    at = match.index + all.length;
    if (type === '%') {
      out.push('%');
      continue;
    }
    const number = (given: string | undefined) =>
      given === '*' ? Number(take()) : given === undefined ? undefined : Number(given);
    const hasPoint = all.includes('.');
    const wide = number(width) ?? 0;
    const precise = hasPoint ? (number(precision) ?? 0) : undefined;
    let value: Value;
    if (key !== undefined) {
      named = true;
      const found = values instanceof Dict ? values.get(key) : undefined;
      if (found === undefined) throw fail(values instanceof Dict ? `no value for %(${key})` : 'format requires a mapping');
      value = found;
    } else value = take();
    const left = flags.includes('-');
    const spec: Spec = {
      fill: ' ',
      align: left ? '<' : '>',
      sign: flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '-',
      alternate: flags.includes('#'),
      width: wide,
      group: '',
      precision: precise,
      type,
    };
    if ('sra'.includes(type)) {
      const shown = type === 's' ? str(value) : repr(value);
      out.push(pad(precise === undefined ? shown : firstPoints(shown, precise), spec));
    } else if (type === 'c') {
      out.push(pad(isText(value) ? value : String.fromCodePoint(Number(value)), spec));
    } else {
      if (!isNumber(value)) throw fail(`%${type} format: a number is required, not ${typeName(value)}`);
      const whole = 'diu'.includes(type);
      if (flags.includes('0') && !left) Object.assign(spec, { fill: '0', align: '=' });
      const shown = whole ? Math.trunc(Number(value instanceof Float ? value.value : value)) : value;
      if (whole) Object.assign(spec, { type: 'd', precision: undefined });
      out.push(formatNumber(shown as Value, spec));
    }
  }
  out.push(cut(format, at, text.length));
  if (/%$/.test(text.replace(PERCENT, ''))) throw fail('incomplete format');
  if (!named && used < args.length && !(values instanceof Dict))
    throw fail('not all arguments converted during string formatting');
  return concat(out);
}

function firstPoints(text: Text, count: number): Text {
  return cut(text, 0, [...raw(text)].slice(0, count).join('').length);
}

const FIELD = /\{\{|\}\}|\{((?:[^{}]|\{[^{}]*\})*)\}|[{}]/g;

/** `text.format(…)`. `attribute` and `item` look things up as the template itself would. */
export function formatBraces(
  format: Text,
  args: readonly Value[],
  kwargs: (name: string) => Value | undefined,
  attribute: (of: Value, name: string) => Value,
  item: (of: Value, key: Value) => Value,
): Text {
  let next = 0;
  let numbering: boolean | undefined;
  const value = (field: string): Value => {
    const [, first = '', rest = ''] = /^([^.[]*)([\s\S]*)$/.exec(field)!;
    let found: Value | undefined;
    const automatic = first === '';
    if (automatic || /^\d+$/.test(first)) {
      if (numbering !== undefined && numbering !== automatic) throw fail('format: numbered and unnumbered fields are mixed');
      numbering = automatic;
    }
    if (automatic) found = args[next++];
    else found = /^\d+$/.test(first) ? args[Number(first)] : kwargs(first);
    if (found === undefined) throw fail(`format: no value for {${field}}`);
    for (const [, name, key] of rest.matchAll(/\.([^.[]+)|\[([^\]]+)\]/g)) {
      found = name !== undefined ? attribute(found, name) : item(found, /^\d+$/.test(key!) ? Number(key) : key!);
    }
    return found;
  };
  const text = raw(format);
  const out: Text[] = [];
  let at = 0;
  for (const match of text.matchAll(FIELD)) {
    const [all, inner] = match;
    out.push(cut(format, at, match.index));
    at = match.index + all.length;
    if (all === '{{' || all === '}}') out.push(all[0]!);
    else if (inner === undefined) throw fail(`format: single ${all}`);
    else {
      const [, field = '', conversion, specification = ''] =
        /^((?:[^!:[]|\[[^\]]*\])*)(?:!(.))?(?::([\s\S]*))?$/.exec(inner) ?? [];
      let shown = value(field);
      if (conversion === 's') shown = str(shown);
      else if (conversion === 'r' || conversion === 'a') shown = repr(shown);
      const spec = specification.replace(/\{([^{}]*)\}/g, (_, name: string) => raw(str(value(name))));
      out.push(formatValue(shown, spec));
    }
  }
  out.push(cut(format, at, text.length));
  return concat(out);
}

const RADIX: Record<string, number> = { b: 2, o: 8, x: 16, X: 16 };
const SPEC = /^(?:([\s\S])?([<>=^]))?([-+ ])?z?(#)?(0)?(\d+)?([,_])?(?:\.(\d+))?([a-zA-Z%])?$/u;

function formatValue(value: Value, specification: string): Text {
  if (specification === '') return str(value);
  const match = SPEC.exec(specification);
  if (!match) throw fail(`format: invalid format specifier ${specification}`);
  const [, fill, align, sign = '-', alternate, zero, width = '0', group = '', precision, type = ''] = match;
  const spec: Spec = {
    fill: fill ?? (zero && !align ? '0' : ' '),
    align: align ?? (zero ? '=' : ''),
    sign,
    alternate: alternate !== undefined,
    width: Number(width),
    group,
    precision: precision === undefined ? undefined : Number(precision),
    type,
  };
  if (isText(value)) {
    if ((type !== '' && type !== 's') || spec.align === '=' || match[3])
      throw fail(`format: ${specification} is not for strings`);
    const text = spec.precision === undefined ? value : firstPoints(value, spec.precision);
    return pad(text, { ...spec, align: spec.align || '<' });
  }
  if (isNumber(value) && !(typeof value === 'boolean' && type === ''))
    return formatNumber(value, { ...spec, align: spec.align || '>' });
  if (typeof value === 'boolean') return pad(str(value), { ...spec, align: spec.align || '>' });
  throw fail(`format: unsupported format string for ${typeName(value)}`);
}

function pad(text: Text, { fill, align, width }: Spec): Text {
  const missing = width - lengthOf(text);
  if (missing <= 0) return text;
  meter().make(missing);
  const left = align === '<' ? 0 : align === '^' ? Math.floor(missing / 2) : missing;
  return concat([fill.repeat(left), text, fill.repeat(missing - left)]);
}

function formatNumber(value: Value, spec: Spec): Text {
  const isFloat = value instanceof Float;
  const number = isFloat ? value.value : Number(value);
  const negative = number < 0 || Object.is(number, -0);
  if (spec.precision !== undefined) meter().make(spec.precision);
  let digits: string;
  let prefix = '';
  const size = Math.abs(number);
  switch (spec.type) {
    case 'd':
    case 'n':
    case 'b':
    case 'o':
    case 'x':
    case 'X': {
      if (isFloat) throw fail(`format code ${spec.type} is not for floats`);
      const radix = RADIX[spec.type] ?? 10;
      const big = BigInt(value as number | bigint | boolean);
      digits = (big < 0n ? -big : big).toString(radix);
      if (spec.alternate && radix !== 10) prefix = `0${spec.type.toLowerCase()}`;
      if (spec.type === 'X') digits = digits.toUpperCase();
      break;
    }
    case 'e':
    case 'E':
      digits = exponent(size, spec.precision ?? 6);
      break;
    case 'f':
    case 'F':
      digits = Number.isFinite(size) ? fixed(size, spec.precision ?? 6) : float(size);
      break;
    case '%':
      digits = `${fixed(size * 100, spec.precision ?? 6)}%`;
      break;
    case 'c':
      return pad(String.fromCodePoint(number), spec);
    case 'g':
    case 'G':
      digits = general(size, spec.precision ?? 6);
      break;
    case '':
      digits = isFloat
        ? spec.precision === undefined
          ? float(size)
          : general(size, spec.precision)
        : raw(str(value)).replace('-', '');
      break;
    default:
      throw fail(`unknown format code ${spec.type}`);
  }
  if (/[EG]/.test(spec.type)) digits = digits.toUpperCase();
  if (spec.group !== '') digits = digits.replace(/^\d+/, whole => whole.replace(/\B(?=(\d{3})+$)/g, spec.group));
  const sign = negative ? '-' : spec.sign === '-' ? '' : spec.sign;
  if (spec.align === '=') {
    const missing = spec.width - sign.length - prefix.length - digits.length;
    if (missing > 0) meter().make(missing);
    return sign + prefix + spec.fill.repeat(Math.max(0, missing)) + digits;
  }
  return pad(sign + prefix + digits, spec);
}

function exponent(size: number, precision: number): string {
  return size.toExponential(Math.min(100, precision)).replace(/e([+-])(\d)$/, 'e$10$2');
}

function general(size: number, precision: number): string {
  if (!Number.isFinite(size)) return float(size);
  const digits = Math.max(1, Math.min(100, precision));
  const power = size === 0 ? 0 : Number(size.toExponential(digits - 1).split('e')[1]);
  const trim = (text: string) => (text.includes('.') ? text.replace(/\.?0+$/, '') : text);
  if (power < -4 || power >= digits) {
    const [head = '', tail = ''] = exponent(size, digits - 1).split('e');
    return `${trim(head)}e${tail}`;
  }
  return trim(fixed(size, Math.max(0, digits - 1 - power)));
}

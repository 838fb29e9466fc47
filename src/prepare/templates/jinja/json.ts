import { meter } from './meter.js';
import { float, integer, replaceEach } from './repr.js';
import { concat, isText, raw, type Text } from './text.js';
import { compare, Dict, Float, fail, isList, Tuple, typeName, type Value } from './values.js';

export interface DumpOptions {
  /** Write everything beyond ASCII as \uXXXX. Python's default, but not that of chat templates. */
  ensureAscii?: boolean;
  /** Characters of one level of indentation; undefined for one line. */
  indent?: string;
  separators?: readonly [Text, Text];
  sortKeys?: boolean;
}

/** Python's json.dumps, character by character; the strings keep their origins. @throws for values JSON does not have. */
export function dumps(value: Value, options: DumpOptions = {}): Text {
  const { ensureAscii = false, indent, sortKeys = false } = options;
  const [between, colon] = options.separators ?? [indent === undefined ? ', ' : ',', ': '];
  const out: Text[] = [];
  const line = (level: number): string => {
    if (indent === undefined) return '';
    meter().make(level * indent.length);
    return `\n${indent.repeat(level)}`;
  };
  const string = (text: Text) => out.push('"', replaceEach(text, ensureAscii ? asciiEscape : escapePoint), '"');
  const sequence = (open: string, close: string, count: number, level: number, item: (i: number) => void) => {
    out.push(open);
    for (let i = 0; i < count; i++) {
      if (i > 0) out.push(between);
      out.push(line(level + 1));
      item(i);
    }
    if (count > 0) out.push(line(level));
    out.push(close);
  };
  const write = (item: Value, level: number): void => {
    meter().step();
    if (level > 500) throw fail('tojson: nested too deeply');
    if (isText(item)) string(item);
    else if (isList(item) || item instanceof Tuple) {
      const items = isList(item) ? item : item.items;
      sequence('[', ']', items.length, level, i => write(items[i]!, level + 1));
    } else if (item instanceof Dict) {
      const entries = [...item.entries()];
      if (sortKeys) entries.sort(([a], [b]) => compare(a, b));
      sequence('{', '}', entries.length, level, i => {
        const [key, entry] = entries[i]!;
        if (isText(key)) string(key);
        else if (key === null || typeof key !== 'object' || key instanceof Float) out.push('"', scalar(key), '"');
        else throw fail(`tojson: keys must be strings, not ${typeName(key)}`);
        out.push(colon);
        write(entry, level + 1);
      });
    } else out.push(scalar(item));
  };
  write(value, 0);
  return concat(out);
}

function scalar(value: Value): string {
  if (value === null) return 'null';
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (typeof value === 'number' || typeof value === 'bigint') return integer(value);
  if (value instanceof Float) {
    if (Number.isFinite(value.value)) return float(value.value);
    return Number.isNaN(value.value) ? 'NaN' : value.value > 0 ? 'Infinity' : '-Infinity';
  }
  throw fail(`tojson: ${typeName(value)} is not JSON serializable`);
}

const NAMED: Record<string, string> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\f': '\\f',
  '\b': '\\b',
};

function escapePoint(point: string): string | undefined {
  if (Object.hasOwn(NAMED, point)) return NAMED[point];
  return point < ' ' ? hex(point) : undefined;
}

function asciiEscape(point: string): string | undefined {
  return escapePoint(point) ?? (point > '~' ? [...Array(point.length).keys()].map(i => hex(point[i]!)).join('') : undefined);
}

function hex(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** json.dumps takes its separators as a pair. */
export function separatorsOf(value: Value): readonly [Text, Text] | undefined {
  if (value === null) return undefined;
  const items = isList(value) ? value : value instanceof Tuple ? value.items : [];
  const [between, colon] = items;
  if (items.length === 2 && isText(between!) && isText(colon!)) return [between, colon];
  throw fail('tojson: separators must be two strings');
}

/** json.dumps takes its indentation as a number of spaces or as a string. */
export function indentOf(value: Value): string | undefined {
  if (value === null) return undefined;
  if (isText(value)) return raw(value);
  if (typeof value !== 'number' && typeof value !== 'boolean') throw fail(`tojson: indent cannot be ${typeName(value)}`);
  const width = Math.max(0, Number(value));
  meter().make(width);
  return ' '.repeat(width);
}

import { meter } from './meter.js';

/** Where characters come from: a message, or other data such as tools. Characters without one are the template's own. */
export interface Origin {
  /** Index of the message; undefined for tools, documents and variables. */
  message?: number;
  /** Key of the message: `content`, `thinking`, `tool_calls` … */
  field?: string;
  /** Index of the part, where the content is a list of parts. */
  part?: number;
}

/** UTF-16 offsets [start, end) of characters of one origin. */
export interface Span {
  start: number;
  end: number;
  origin: Origin;
}

/**
 * A string some of whose characters come from data. It behaves as its text; what is cut from it or made with it keeps
 * the origins. Strings wholly of the template are plain JavaScript strings.
 */
export class Str {
  readonly text: string;
  /** In order, not overlapping. */
  readonly spans: readonly Span[];
  /** Marked by `|safe` or `|escape`: other strings added to it are escaped (markupsafe). */
  readonly markup: boolean;

  constructor(text: string, spans: readonly Span[], markup = false) {
    this.text = text;
    this.spans = spans;
    this.markup = markup;
  }
}

export type Text = string | Str;

export function isText(value: unknown): value is Text {
  return typeof value === 'string' || value instanceof Str;
}

/** The characters, without origins. */
export function raw(value: Text): string {
  return typeof value === 'string' ? value : value.text;
}

/** Text wholly of one origin. */
export function tainted(text: string, origin: Origin): Text {
  return text === '' ? '' : new Str(text, [{ start: 0, end: text.length, origin }]);
}

/** `text` made of `sources` in a way that loses track of characters: wholly of the first origin there is. */
export function like(text: string, ...sources: readonly Text[]): Text {
  for (const source of sources) {
    if (typeof source !== 'string' && source.spans.length > 0) return tainted(text, source.spans[0]!.origin);
  }
  return text;
}

/** Like {@link like}, but keeps the spans where the length stayed the same, as with upper and lower case. */
export function mapped(source: Text, change: (text: string) => string): Text {
  if (typeof source === 'string') return change(source);
  const text = change(source.text);
  return text.length === source.text.length ? new Str(text, source.spans) : like(text, source);
}

/** Texts one after another. */
export function concat(parts: readonly Text[]): Text {
  if (parts.length === 1) return parts[0]!;
  let text = '';
  let spans: Span[] | undefined;
  for (const part of parts) {
    if (typeof part === 'string') text += part;
    else {
      spans ??= [];
      for (const { start, end, origin } of part.spans) {
        const last = spans.at(-1);
        if (last && last.origin === origin && last.end === start + text.length) {
          spans[spans.length - 1] = { start: last.start, end: end + text.length, origin };
        } else spans.push({ start: start + text.length, end: end + text.length, origin });
      }
      text += part.text;
    }
  }
  meter().make(text.length);
  return spans && spans.length > 0 ? new Str(text, spans) : text;
}

/** Characters [start, end) in UTF-16 offsets. */
export function cut(source: Text, start: number, end: number): Text {
  if (typeof source === 'string') return source.slice(start, end);
  if (start <= 0 && end >= source.text.length) return source;
  const spans: Span[] = [];
  for (const span of source.spans) {
    const from = Math.max(span.start, start);
    const to = Math.min(span.end, end);
    if (from < to) spans.push({ start: from - start, end: to - start, origin: span.origin });
  }
  const text = source.text.slice(start, end);
  return spans.length > 0 ? new Str(text, spans) : text;
}

const SURROGATE = /[\ud800-\udfff]/;

/** Length in code points, as Python counts. */
export function lengthOf(source: Text): number {
  const text = raw(source);
  if (!SURROGATE.test(text)) return text.length;
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** UTF-16 offsets of every code point's beginning and of the end; undefined where they are the code points' own indices. */
export function offsetsOf(text: string): number[] | undefined {
  if (!SURROGATE.test(text)) return undefined;
  const offsets = [0];
  let at = 0;
  for (const point of text) {
    at += point.length;
    offsets.push(at);
  }
  return offsets;
}

/** Index in code points of a UTF-16 offset. */
export function pointIndex(text: string, offset: number): number {
  return offset < 0 ? offset : lengthOf(text.slice(0, offset));
}

/** The code points one by one. */
export function points(source: Text): Text[] {
  const text = raw(source);
  meter().step(text.length / 8);
  if (typeof source === 'string') return [...text];
  const out: Text[] = [];
  let at = 0;
  for (const point of text) {
    out.push(cut(source, at, at + point.length));
    at += point.length;
  }
  return out;
}

// What Python's str.isspace calls white space; JavaScript's \s differs (U+001C–U+001F and U+0085 are missing, U+FEFF is in).
const SPACE = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const LEADING = new RegExp(`^[${SPACE}]+`);
const ONLY = new RegExp(`^[${SPACE}]+$`);
const ONE = new RegExp(`[${SPACE}]`);

export function isSpace(text: string): boolean {
  return ONLY.test(text);
}

/** Python's strip: white space, or the characters of `chars`, off the left, the right or both sides. */
export function strip(source: Text, chars: string | undefined, side: 'left' | 'right' | 'both' = 'both'): Text {
  const text = raw(source);
  let start = 0;
  let end = text.length;
  if (chars === undefined) {
    if (side !== 'right') start = LEADING.exec(text)?.[0].length ?? 0;
    // No regular expression for the end: /\s+$/ takes quadratic time on long runs of spaces.
    if (side !== 'left') while (end > start && ONE.test(text[end - 1]!)) end--;
  } else {
    const set = new Set(chars);
    if (side !== 'right') {
      while (start < end) {
        const point = String.fromCodePoint(text.codePointAt(start)!);
        if (!set.has(point)) break;
        start += point.length;
      }
    }
    if (side !== 'left') {
      while (end > start) {
        const low = text.charCodeAt(end - 1);
        const pair = end - 2 >= start && low >= 0xdc00 && low <= 0xdfff && text.codePointAt(end - 2)! > 0xffff;
        const point = pair ? text.slice(end - 2, end) : text[end - 1]!;
        if (!set.has(point)) break;
        end -= point.length;
      }
    }
  }
  return cut(source, start, end);
}

/** Runs of anything but white space: str.split() without a separator, at most `limit` cuts. */
export function splitSpaces(source: Text, limit: number): Text[] {
  const text = raw(source);
  const out: Text[] = [];
  let at = 0;
  while (true) {
    while (at < text.length && ONE.test(text[at]!)) at++;
    if (at >= text.length) return out;
    if (limit >= 0 && out.length === limit) {
      out.push(strip(cut(source, at, text.length), undefined, 'right'));
      return out;
    }
    const start = at;
    while (at < text.length && !ONE.test(text[at]!)) at++;
    out.push(cut(source, start, at));
  }
}

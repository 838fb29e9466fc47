import { inspect } from 'node:util';

/** Text from data or models, made fit to be shown: escaped, printable, never longer than a reader reads. */

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Escaped for HTML text and for quoted attributes. */
export function escapeHtml(text: string): string {
  return wellFormed(text).replace(/[&<>"']/g, c => ENTITIES[c]!);
}

/** Lone surrogates, which no UTF-8 file can hold, become U+FFFD. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Cs}/gu, '\ufffd');
}

// Invisible characters and those that reorder the text around them are named, so that a mask view cannot be made to lie.
const HIDDEN = /[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u0080-\u009f]/g;

/** Controls as their Unicode pictures (␛), hidden and bidirectional characters by number (⟨U+202E⟩). Line breaks and tabs stay. */
export function printable(text: string): string {
  return (
    wellFormed(text)
      .replace(HIDDEN, c => `⟨U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}⟩`)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: controls are what is replaced here
      .replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, c => (c === '\u007f' ? '␡' : String.fromCharCode(0x2400 + c.charCodeAt(0))))
  );
}

/** {@link printable}, with white space made visible: · for a space, → for a tab, ↵ before a line break (which stays). */
export function visible(text: string): string {
  return printable(text).replaceAll(' ', '·').replaceAll('\t', '→').replaceAll('\n', '↵\n');
}

/** One printable line. */
export function oneLine(text: string): string {
  return printable(text).replaceAll('\t', '→').replaceAll('\n', '↵');
}

/** At most `limit` characters as `show` shows them, with a note of what is missing. Cuts between code points. */
export function cut(text: string, limit: number, show: (part: string) => string = part => part): string {
  if (text.length <= limit) return show(text);
  return `${show(wellFormedEnd(text.slice(0, limit)))}… (${text.length.toLocaleString('en-US')} characters)`;
}

/** At most `limit` characters, the last of which says that there were more: for a name that must not push others away. */
export function short(text: string, limit: number): string {
  return text.length <= limit ? text : `${wellFormedEnd(text.slice(0, limit - 1))}…`;
}

function wellFormedEnd(text: string): string {
  return /[\ud800-\udbff]$/.test(text) ? text.slice(0, -1) : text;
}

/** Up to four significant digits, without trailing zeros; very small and large numbers in exponent form. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value))
    return value === Number.POSITIVE_INFINITY ? '∞' : value === Number.NEGATIVE_INFINITY ? '−∞' : 'NaN';
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e15) return sign(value, size.toLocaleString('en-US'));
  if (size !== 0 && (size < 1e-3 || size >= 1e7))
    return sign(value, `${Number(size.toPrecision(3)).toExponential()}`.replace('e-', 'e−').replace('e+', 'e'));
  return sign(value, `${Number(size.toPrecision(size >= 1e4 ? 6 : 4))}`);
}

function sign(value: number, digits: string): string {
  return value < 0 ? `−${digits}` : digits;
}

/** Rounded for a spec: six digits are more than a chart shows, and keep its JSON small. */
export function round6(value: number): number {
  return Number(value.toPrecision(6));
}

/** What a table cell shows of any value. */
export function formatCell(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return formatNumber(value);
  if (typeof value === 'string') return value;
  if (typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString();
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    // A circle, a BigInt within, a getter that throws: as far as can be seen.
    return inspect(value, { depth: 2, breakLength: Number.POSITIVE_INFINITY });
  }
}

const WIDE = /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\uff00-\uff60]/u;

/** Columns a terminal needs for a printable line. */
export function displayWidth(line: string): number {
  let width = 0;
  for (const c of line) width += WIDE.test(c) ? 2 : /\p{Mn}/u.test(c) ? 0 : 1;
  return width;
}

/** Pixels that a line in the font of the charts is wide, about. */
export function textWidth(line: string, fontSize: number): number {
  let ems = 0;
  for (const c of line)
    ems += /[ilj.,:;'|! ]/.test(c) ? 0.29 : /[mwMW—…]/.test(c) ? 0.88 : /[A-Z0-9+−=]/.test(c) ? 0.65 : c < '\u2500' ? 0.57 : 1;
  return ems * fontSize;
}

/** Padded to `width` terminal columns. */
export function pad(line: string, width: number, align: 'left' | 'right' = 'left'): string {
  const fill = ' '.repeat(Math.max(0, width - displayWidth(line)));
  return align === 'left' ? line + fill : fill + line;
}

/** A row of block characters that sketches a series in a terminal; values that are not finite are left out. */
export function sparkline(values: readonly number[], cells = 40): string {
  const finite = values.filter(Number.isFinite);
  if (finite.length === 0) return '';
  const n = Math.min(cells, finite.length);
  const means = Array.from({ length: n }, (_, i) => {
    const part = finite.slice(Math.floor((i * finite.length) / n), Math.floor(((i + 1) * finite.length) / n));
    return part.reduce((a, b) => a + b, 0) / part.length;
  });
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const m of means) {
    low = Math.min(low, m);
    high = Math.max(high, m);
  }
  return means.map(m => '▁▂▃▄▅▆▇█'[high > low ? Math.round(((m - low) / (high - low)) * 7) : 3]!).join('');
}

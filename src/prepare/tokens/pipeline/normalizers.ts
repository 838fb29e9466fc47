import { BadInput, quote } from '../../../base/core/index.js';
import { toByteAlphabet } from '../bytes.js';
import { type Component, flattenComponent } from '../hf.js';
import { type Mapped, mapCodePoints, prepend, Rewrite } from './mapped.js';
import { oldTest } from './old-unicode.js';
import { Charsmap } from './precompiled.js';
import { patternOf } from './regex.js';

/** One step of normalisation. `inside`: the text continues what is tokenised already, so nothing goes in front of it. */
export type Normalizer = (m: Mapped, inside: boolean) => Mapped;

/** The normalisers of a tokenizer.json, in order. */
export function normalizersOf(component: Component | null): Normalizer[] {
  return flattenComponent(component).map(make);
}

export function normalise(normalizers: readonly Normalizer[], m: Mapped, inside: boolean): Mapped {
  let out = m;
  for (const step of normalizers) if (out.text !== '') out = step(out, inside);
  return out;
}

function make(component: Component): Normalizer {
  const { type } = component;
  switch (type) {
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD':
      return m => unicodeForm(m, type);
    case 'Lowercase':
      return lowercase;
    case 'StripAccents':
      return m => remove(m, isMark);
    case 'Strip':
      return m => strip(m, component.strip_left !== false, component.strip_right !== false);
    case 'Prepend': {
      const text = String(component.prepend ?? '');
      return (m, inside) => (inside || text === '' ? m : prepend(m, text));
    }
    case 'Replace': {
      const content = String(component.content ?? '');
      const pattern = patternOf(component.pattern);
      return m => replace(m, pattern, content);
    }
    case 'BertNormalizer':
      return bert(component);
    case 'Nmt':
      return m => mapCodePoints(m, nmt);
    case 'ByteLevel':
      return m => mapCodePoints(m, toByteAlphabet);
    case 'Precompiled': {
      const charsmap = new Charsmap(String(component.precompiled_charsmap ?? ''));
      return m => charsmap.normalise(m);
    }
    default:
      throw new BadInput({
        problem: `the normalizer ${quote(type)} is not known`,
        expected: 'one of those of Hugging Face’s tokenizers 0.23',
        fix: 'check the file with Python: tokenizers.Tokenizer.from_file(…)',
      });
  }
}

const isMark = oldTest(/\p{M}/u, 'mark');
const isNonspacing = oldTest(/\p{Mn}/u, 'nonspacingMark');
const ASCII = /^[\0-\x7f]*$/;

function remove(m: Mapped, unwanted: (char: string) => boolean): Mapped {
  return ASCII.test(m.text) ? m : mapCodePoints(m, char => (unwanted(char) ? '' : char));
}

/** Character by character as Rust's, so a Σ at the end of a word becomes σ and not ς. */
function lowercase(m: Mapped): Mapped {
  const lower = m.text.toLowerCase();
  if (lower === m.text) return m;
  return mapCodePoints(m, char => char.toLowerCase());
}

function strip(m: Mapped, left: boolean, right: boolean): Mapped {
  const { text } = m;
  const from = left ? /^\p{White_Space}*/u.exec(text)![0].length : 0;
  const to = right && from < text.length ? text.length - /\p{White_Space}*$/u.exec(text)![0].length : text.length;
  return m.slice(from, Math.max(from, to));
}

function replace(m: Mapped, pattern: RegExp | string, content: string): Mapped {
  const { text } = m;
  if (typeof pattern === 'string') {
    if (pattern === '' || !text.includes(pattern)) return m;
    // The usual case, a space for U+2581: same length, same places.
    if (pattern.length === 1 && content.length === 1) return m.with(text.replaceAll(pattern, content));
  }
  const out = new Rewrite(m);
  let from = 0;
  const put = (start: number, end: number) => {
    out.copy(from, start);
    if (end > start) out.put(content, start, end);
    else if (text !== '') out.put(content, Math.min(start, text.length - 1), Math.min(start, text.length - 1) + 1);
    from = end;
  };
  if (typeof pattern === 'string') {
    for (let i = text.indexOf(pattern); i >= 0; i = text.indexOf(pattern, from)) put(i, i + pattern.length);
  } else {
    for (const match of text.matchAll(pattern)) put(match.index, match.index + match[0].length);
  }
  out.copy(from, text.length);
  return out.done();
}

const isControl = oldTest(/[\p{Cc}\p{Cf}\p{Co}]/u, 'control');
const SPACE = /\p{White_Space}/u;
const CJK =
  /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/u;

function bert(component: Component): Normalizer {
  const lower = component.lowercase !== false;
  const accents = component.strip_accents ?? lower;
  const clean = (char: string) => {
    if (char === '\t' || char === '\n' || char === '\r') return ' ';
    if (char === '\0' || char === '\ufffd' || isControl(char)) return '';
    return SPACE.test(char) ? ' ' : char;
  };
  return input => {
    let m = input;
    const ascii = ASCII.test(m.text);
    if (component.clean_text !== false && !/^[ -~]*$/.test(m.text)) m = mapCodePoints(m, clean);
    if (component.handle_chinese_chars !== false && !ascii) m = mapCodePoints(m, char => (CJK.test(char) ? ` ${char} ` : char));
    if (accents && !ascii) m = remove(unicodeForm(m, 'NFD'), isNonspacing);
    return lower ? lowercase(m) : m;
  };
}

function nmt(char: string): string {
  const c = char.codePointAt(0)!;
  if ((c >= 0x1 && c <= 0x8) || c === 0xb || (c >= 0xe && c <= 0x1f) || c === 0x7f || c === 0x8f || c === 0x9f) return '';
  const space = c === 0x9 || c === 0xa || c === 0xc || c === 0xd || c === 0x1680 || (c >= 0x200b && c <= 0x200f) || c === 0x2028;
  return space || c === 0x2029 || c === 0x2581 || c === 0xfeff || c === 0xfffd ? ' ' : char;
}

// What Unicode's normal forms change as one: Hangul in pieces, or a character with its marks. Plain stretches go as a whole.
const ATOM = /[\0-\x7f]+(?!\p{M})|[\u1100-\u115f][\u1160-\u11a7]?[\u11a8-\u11ff]?\p{M}*|\P{M}\p{M}*|\p{M}+/gsu;

function unicodeForm(m: Mapped, form: 'NFC' | 'NFD' | 'NFKC' | 'NFKD'): Mapped {
  const { text } = m;
  const whole = text.normalize(form);
  if (whole === text) return m;
  const out = new Rewrite(m);
  let p = 0;
  let from = 0;
  let pending = '';
  for (const match of text.matchAll(ATOM)) {
    pending += match[0];
    const own = pending.normalize(form);
    const to = match.index + match[0].length;
    // A piece that does not come out alone as it does in the whole is taken together with what follows.
    if (!whole.startsWith(own, p) || (to === text.length && p + own.length !== whole.length)) continue;
    if (own === pending) out.copy(from, to);
    else put(out, pending, own, from, to);
    p += own.length;
    from = to;
    pending = '';
  }
  if (pending !== '') out.put(whole.slice(p), from, text.length);
  return out.done();
}

/** A piece that changed: what is equal at its beginning keeps its own place. */
function put(out: Rewrite, old: string, changed: string, from: number, to: number): void {
  let same = 0;
  // Only whole ASCII characters with an ASCII neighbour: a mark belongs to the character before it.
  while (same + 1 < old.length && old.charCodeAt(same + 1) < 0x80 && old[same] === changed[same]) same++;
  out.copy(from, from + same);
  out.put(changed.slice(same), from + same, to);
}

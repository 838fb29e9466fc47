import { BadInput, quote } from '../../../base/core/index.js';

/**
 * Patterns of tokenizer.json files are written for Oniguruma (Ruby's syntax). They are translated to JavaScript's with the
 * `v` flag: character classes and properties by name, `(?i:…)`, possessive quantifiers and atomic groups, POSIX brackets.
 */
export function translate(source: string): RegExp {
  const parser = new Translator(source);
  const js = parser.all();
  try {
    return new RegExp(js, 'gv');
  } catch (cause) {
    throw unknown(source, cause instanceof Error ? cause.message : String(cause));
  }
}

/** `{String: …}` is looked for literally, `{Regex: …}` is a pattern. */
export function patternOf(pattern: unknown): RegExp | string {
  const { String: text, Regex: regex } = (pattern ?? {}) as { String?: unknown; Regex?: unknown };
  if (typeof text === 'string') return text;
  if (typeof regex === 'string') return translate(regex);
  if (typeof pattern === 'string') return pattern;
  throw unknown(JSON.stringify(pattern), 'neither "String" nor "Regex"');
}

function unknown(source: string, found: string): BadInput {
  return new BadInput({
    problem: `the pattern ${quote(source, 120)} cannot be used`,
    expected: 'a regular expression of Oniguruma that has a JavaScript form',
    found,
    fix: 'report it with the tokenizer.json',
  });
}

/** Word characters and white space as Oniguruma and Rust see them; JavaScript's `\w` and `\s` are others. */
export const WORD = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}';
const POSIX: Record<string, string> = {
  alpha: '\\p{Alphabetic}',
  digit: '\\p{Nd}',
  alnum: '\\p{Alphabetic}\\p{Nd}',
  upper: '\\p{Uppercase}',
  lower: '\\p{Lowercase}',
  space: '\\p{White_Space}',
  blank: '\\p{Zs}\\t',
  cntrl: '\\p{Cc}',
  punct: '\\p{P}$+<=>\\^`\\|~',
  xdigit: '0-9A-Fa-f',
  word: WORD,
  ascii: '\\x00-\\x7f',
  any: '\\s\\S',
  graph: '[\\P{White_Space}--[\\p{Cc}\\p{Cn}\\p{Cs}]]',
  print: '[[\\P{White_Space}\\p{Zs}]--[\\p{Cc}\\p{Cn}\\p{Cs}]]',
};
const SHORTHAND: Record<string, string> = {
  d: '\\p{Nd}',
  s: '\\p{White_Space}',
  w: `${WORD}\\xb2\\xb3\\xb9\\xbc-\\xbe`,
  h: '0-9A-Fa-f',
};
const CONTROL: Record<string, string> = { n: '\\n', r: '\\r', t: '\\t', f: '\\f', v: '\\v', a: '\\x07', e: '\\x1b' };

interface Flags {
  i: boolean;
  m: boolean;
  x: boolean;
}

class Translator {
  readonly #source: string;
  #at = 0;
  #groups = 0;

  constructor(source: string) {
    this.#source = source;
  }

  all(): string {
    const out = this.#alternatives({ i: false, m: false, x: false });
    if (this.#at < this.#source.length) throw unknown(this.#source, `an unexpected ")" at ${this.#at}`);
    return out;
  }

  #alternatives(flags: Flags): string {
    const own = { ...flags };
    let out = '';
    while (this.#at < this.#source.length && this.#source[this.#at] !== ')') {
      if (this.#source[this.#at] === '|') {
        out += '|';
        this.#at++;
      } else out += this.#quantified(own);
    }
    return out;
  }

  #quantified(flags: Flags): string {
    if (flags.x) {
      const skipped = this.#take(/(?:\s|#[^\n]*)+/y);
      if (skipped) return '';
    }
    let atom = this.#atom(flags);
    for (;;) {
      const quantifier = this.#take(/[?*+]|\{\d+(?:,\d*)?\}|\{,\d+\}/y);
      if (!quantifier) return atom;
      let js = quantifier.startsWith('{,') ? `{0${quantifier.slice(1)}` : quantifier;
      // After braces Ruby's + is a quantifier of its own, and the next turn of this loop makes it one.
      const possessive = !quantifier.startsWith('{') && this.#take(/\+/y) !== undefined;
      if (!possessive && this.#take(/\?/y)) js += '?';
      atom = possessive ? this.#atomic(`${atom}${js}`) : `${atom}${js}`;
      if (/[?*+{]/.test(this.#source[this.#at] ?? '')) atom = `(?:${atom})`;
    }
  }

  /** JavaScript gives no way back into a lookahead, so a group captured there and then repeated is atomic. */
  #atomic(body: string): string {
    const name = `a${this.#groups++}`;
    return `(?:(?=(?<${name}>${body}))\\k<${name}>)`;
  }

  #atom(flags: Flags): string {
    const c = this.#source[this.#at]!;
    if (c === '(') return this.#group(flags);
    if (c === '[') return this.#class(flags);
    if (c === '\\') return this.#escape(flags, false);
    this.#at++;
    if (c === '.') return flags.m ? '[\\s\\S]' : '[^\\n]';
    if (c === '^') return '(?<![^\\n])';
    if (c === '$') return '(?![^\\n])';
    this.#at--;
    return this.#literal(flags, false);
  }

  #group(flags: Flags): string {
    const open = this.#take(/\(\?#[^)]*\)|\(\?<?[=!]|\(\?:|\(\?>|\(\?(?:<\w+>|'\w+')|\(\?[imx-]+[:)]|\(/y)!;
    if (open.startsWith('(?#')) return '';
    const inner = { ...flags };
    const option = /^\(\?([imx-]+)([:)])$/.exec(open);
    if (option) {
      let on = true;
      for (const letter of option[1]!) {
        if (letter === '-') on = false;
        else inner[letter as keyof Flags] = on;
      }
      if (option[2] === ')') {
        Object.assign(flags, inner);
        return `(?:${this.#alternatives(inner)})`;
      }
    }
    const body = this.#alternatives(inner);
    if (this.#source[this.#at] !== ')') throw unknown(this.#source, 'a "(" without ")"');
    this.#at++;
    if (open === '(?>') return this.#atomic(body);
    if (open === '(' || option || /^\(\?['<]\w/.test(open)) return `(?:${body})`;
    return `${open}${body})`;
  }

  #class(flags: Flags): string {
    this.#at++;
    const negated = this.#take(/\^/y) !== undefined;
    let out = '';
    const parts: string[] = [];
    let first = true;
    for (;;) {
      const c = this.#source[this.#at];
      if (c === undefined) throw unknown(this.#source, 'a "[" without "]"');
      if (c === ']' && !first) break;
      first = false;
      const posix = this.#take(/\[:\^?\w+:\]/y);
      if (posix) {
        const set = POSIX[posix.replace(/[^\w]/g, '')];
        if (set === undefined) throw unknown(this.#source, posix);
        out += posix[2] === '^' ? `[^${set}]` : set;
      } else if (c === '[') out += this.#class(flags);
      else if (this.#take(/&&/y)) {
        parts.push(`[${out}]`);
        out = '';
      } else out += this.#range(flags);
    }
    this.#at++;
    if (parts.length > 0) out = [...parts, `[${out}]`].join('&&');
    return `[${negated ? '^' : ''}${out}]`;
  }

  #range(flags: Flags): string {
    const from = this.#member(flags);
    if (from.length > 1 || this.#source[this.#at] !== '-' || /[\]]/.test(this.#source[this.#at + 1] ?? ']')) return from.join('');
    this.#at++;
    const [to] = this.#member(flags);
    const plain = `${from[0]}-${to}`;
    // Both cases of a range of ASCII letters; others are as rare as useless here.
    return flags.i && /^[a-zA-Z]-[a-zA-Z]$/.test(plain) ? `${plain.toLowerCase()}${plain.toUpperCase()}` : plain;
  }

  /** One member of a class, in all its cases. */
  #member(flags: Flags): string[] {
    if (this.#source[this.#at] === '\\') {
      const escaped = this.#escape({ ...flags, i: false }, true);
      return [escaped];
    }
    const char = String.fromCodePoint(this.#source.codePointAt(this.#at)!);
    this.#at += char.length;
    const next = this.#source[this.#at] === '-' && this.#source[this.#at + 1] !== ']';
    return (flags.i && !next ? cases(char) : [char]).map(escapeInClass);
  }

  #literal(flags: Flags, _inClass: boolean): string {
    const char = String.fromCodePoint(this.#source.codePointAt(this.#at)!);
    this.#at += char.length;
    const all = flags.i ? cases(char) : [char];
    return all.length > 1 ? `[${all.map(escapeInClass).join('')}]` : escapeOutside(char);
  }

  #escape(flags: Flags, inClass: boolean): string {
    this.#at++;
    const property = this.#take(/[pP]\{\^?[^}]+\}/y);
    if (property) return this.#property(property);
    const code = this.#take(/x\{[0-9A-Fa-f]+\}|x[0-9A-Fa-f]{1,2}|u[0-9A-Fa-f]{4}/y);
    if (code) return `\\u{${code.replace(/[^0-9A-Fa-f]/g, '')}}`;
    const c = String.fromCodePoint(this.#source.codePointAt(this.#at)!);
    this.#at += c.length;
    if (CONTROL[c]) return CONTROL[c];
    if (c === '0') return '\\0';
    const set = SHORTHAND[c];
    if (set) return inClass ? set : `[${set}]`;
    const negative = SHORTHAND[c.toLowerCase()];
    if (negative && c !== c.toLowerCase()) return `[^${negative}]`;
    if (!inClass) {
      if (c === 'A') return '(?<![\\s\\S])';
      if (c === 'z') return '(?![\\s\\S])';
      if (c === 'Z') return '(?=\\n?(?![\\s\\S]))';
      if (c === 'R') return '(?:\\r\\n|[\\n\\v\\f\\r\\u0085\\u2028\\u2029])';
      if (c === 'O') return '[\\s\\S]';
      if (c === 'b' || c === 'B') {
        const edge = `(?<=[${WORD}])(?![${WORD}])|(?<![${WORD}])(?=[${WORD}])`;
        return c === 'b' ? `(?:${edge})` : `(?!${edge})`;
      }
    }
    if (/[A-Za-z0-9]/.test(c)) throw unknown(this.#source, `\\${c}`);
    if (inClass) return escapeInClass(c);
    return flags.i && cases(c).length > 1 ? `[${cases(c).map(escapeInClass).join('')}]` : escapeOutside(c);
  }

  #property(source: string): string {
    const negated = (source[0] === 'P') !== (source[2] === '^');
    const name = source.slice(2, -1).replace('^', '');
    const p = negated ? '\\P' : '\\p';
    const posix = POSIX[name.toLowerCase()];
    if (posix) return `[${negated ? '^' : ''}${posix}]`;
    const tidy = name.replace(/[\s-]/g, '_');
    const title = tidy.toLowerCase().replace(/(^|_)[a-z]/g, letter => letter.toUpperCase());
    for (const form of [tidy, `Script=${tidy}`, title, `Script=${title}`, title.replaceAll('_', '')]) {
      try {
        new RegExp(`\\p{${form}}`, 'v');
        return `${p}{${form}}`;
      } catch {
        // Not this one; the next form is tried.
      }
    }
    throw unknown(this.#source, `\\p{${name}}`);
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#source);
    if (match) this.#at += match[0].length;
    return match?.[0];
  }
}

/** A character in all the cases that simple folding makes equal; s and k also have ſ and the Kelvin sign. */
function cases(char: string): string[] {
  const all = new Set([char]);
  for (const form of [char.toLowerCase(), char.toUpperCase()]) if ([...form].length === 1) all.add(form);
  if (all.has('s')) all.add('\u017f');
  if (all.has('k')) all.add('\u212a');
  return [...all];
}

const code = (char: string) => `\\u{${char.codePointAt(0)!.toString(16)}}`;
const escapeInClass = (char: string): string => (/[\p{L}\p{N}]/u.test(char) ? char : code(char));
const escapeOutside = (char: string): string => (/[\p{L}\p{N} '"<>,;:!@#%&=~`_]/u.test(char) ? char : code(char));

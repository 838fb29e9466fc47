import { BadInput } from '../../../base/core/index.js';
import { isSpace } from './text.js';

export interface Token {
  type: 'data' | 'begin' | 'end' | 'print' | 'printed' | 'name' | 'string' | 'int' | 'float' | 'op' | 'eof';
  value: string;
  line: number;
}

const SPACE = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';
// Tried in this order at each place inside a tag, as Jinja does.
const RULES: readonly [Token['type'] | 'space', RegExp][] = [
  ['space', new RegExp(`${SPACE}+`, 'y')],
  ['float', /(?<!\.)(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?e[+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/iy],
  ['int', /0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[\da-f])+|[1-9](?:_?\d)*|0(?:_?0)*/iy],
  ['name', /[\p{L}\p{Nl}_][\p{L}\p{Nl}\p{M}\p{Nd}\p{Pc}]*/uy],
  ['string', /'[^'\\]*(?:\\[\s\S][^'\\]*)*'|"[^"\\]*(?:\\[\s\S][^"\\]*)*"/y],
  ['op', /\*\*|\/\/|==|!=|>=|<=|[-+/*%~[\](){}><=.:|,;]/y],
];
const OPENING: Record<string, string> = { '{': '}', '(': ')', '[': ']' };
const TAG = /\{\{|\{%|\{#/g;
const RAW = new RegExp(`([-+]?)${SPACE}*raw${SPACE}*(?:-%\\}${SPACE}*|%\\})`, 'y');
const END_RAW = new RegExp(`\\{%([-+]?)${SPACE}*endraw${SPACE}*(?:\\+%\\}|-%\\}${SPACE}*|%\\}\\n?)`, 'g');
const END_COMMENT = new RegExp(`\\+#\\}|-#\\}${SPACE}*|#\\}\\n?`, 'g');
const END_BLOCK = new RegExp(`\\+%\\}|-%\\}${SPACE}*|%\\}\\n?`, 'y');
const END_PRINT = new RegExp(`-\\}\\}${SPACE}*|\\}\\}`, 'y');

export function syntax(problem: string, line: number): BadInput {
  return new BadInput({
    problem: `the chat template is no valid Jinja: ${problem}`,
    where: { file: 'chat_template', line },
    fix: 'repair the template at this line',
  });
}

/**
 * Cut a template into tokens as Jinja does with trim_blocks and lstrip_blocks: a newline after a block is dropped, as is the
 * white space before one at the beginning of a line; `-` strips all white space on its side, `+` keeps it.
 */
export function tokenize(source: string): Token[] {
  let text = source.replace(/\r\n|\r/g, '\n');
  if (text.endsWith('\n')) text = text.slice(0, -1);
  const tokens: Token[] = [];
  let at = 0;
  let line = 1;
  let lineStarting = true;
  const move = (to: number) => {
    for (let i = text.indexOf('\n', at); i >= 0 && i < to; i = text.indexOf('\n', i + 1)) line++;
    lineStarting = to > at ? text[to - 1] === '\n' : lineStarting;
    at = to;
  };
  const data = (value: string) => {
    if (value !== '') tokens.push({ type: 'data', value, line });
  };
  /** The text before a tag, without what the tag strips. */
  const before = (value: string, sign: string, print: boolean): string => {
    if (sign === '-') return trimEnd(value);
    if (sign === '+' || print) return value;
    const start = value.lastIndexOf('\n') + 1;
    return (start > 0 || lineStarting) && isSpace(value.slice(start)) ? value.slice(0, start) : value;
  };
  while (at < text.length) {
    TAG.lastIndex = at;
    const found = TAG.exec(text);
    if (!found) {
      data(text.slice(at));
      move(text.length);
      break;
    }
    const open = found.index;
    const kind = found[0];
    RAW.lastIndex = open + 2;
    const raw = kind === '{%' ? RAW.exec(text) : null;
    const sign = raw ? raw[1]! : /[-+]/.test(text[open + 2] ?? '') ? text[open + 2]! : '';
    data(before(text.slice(at, open), sign, kind === '{{'));
    if (raw) {
      move(open + 2 + raw[0].length);
      END_RAW.lastIndex = at;
      const end = END_RAW.exec(text);
      if (!end) throw syntax('raw is not closed by endraw', line);
      data(before(text.slice(at, end.index), end[1]!, false));
      move(end.index + end[0].length);
      continue;
    }
    move(open + 2 + sign.length);
    if (kind === '{#') {
      END_COMMENT.lastIndex = at;
      const end = END_COMMENT.exec(text);
      if (!end) throw syntax('missing end of comment', line);
      move(end.index + end[0].length);
      continue;
    }
    tokens.push({ type: kind === '{{' ? 'print' : 'begin', value: kind, line });
    inside(kind === '{{');
  }
  tokens.push({ type: 'eof', value: '', line });
  return tokens;

  /** The tokens of one tag. */
  function inside(print: boolean): void {
    const closing: string[] = [];
    while (at < text.length) {
      const end = print ? END_PRINT : END_BLOCK;
      end.lastIndex = at;
      const closed = closing.length === 0 ? end.exec(text) : null;
      if (closed) {
        tokens.push({ type: print ? 'printed' : 'end', value: closed[0], line });
        move(at + closed[0].length);
        return;
      }
      let matched = false;
      for (const [type, rule] of RULES) {
        rule.lastIndex = at;
        const value = rule.exec(text)?.[0];
        if (value === undefined) continue;
        if (type === 'op') balance(closing, value);
        if (type !== 'space') tokens.push({ type, value: type === 'string' ? unquote(value.slice(1, -1), line) : value, line });
        move(at + value.length);
        matched = true;
        break;
      }
      if (!matched) throw syntax(`unexpected character ${JSON.stringify(text[at])}`, line);
    }
  }

  function balance(closing: string[], op: string): void {
    if (Object.hasOwn(OPENING, op)) closing.push(OPENING[op]!);
    else if ((op === '}' || op === ')' || op === ']') && closing.pop() !== op) throw syntax(`unexpected ${op}`, line);
  }
}

function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(text[end - 1]!)) end--;
  return text.slice(0, end);
}

const ESCAPES: Record<string, string> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

const ESCAPE = /\\(?:([0-7]{1,3})|x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([\s\S]))/g;

/** Python's unicode-escape, as Jinja reads its string literals. */
function unquote(body: string, line: number): string {
  if (!body.includes('\\')) return body;
  return body.replace(ESCAPE, (all, octal?: string, x?: string, u?: string, long?: string, other?: string) => {
    if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8));
    const hex = x ?? u ?? long;
    if (hex !== undefined) {
      const code = Number.parseInt(hex, 16);
      if (code > 0x10ffff) throw syntax('illegal Unicode character in a string', line);
      return String.fromCodePoint(code);
    }
    if (/^[xuUN]$/.test(other!)) throw syntax(`unknown escape ${all} in a string`, line);
    return Object.hasOwn(ESCAPES, other!) ? ESCAPES[other!]! : all;
  });
}

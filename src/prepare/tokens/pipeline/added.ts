import type { AddedToken } from '../hf.js';
import { WORD } from './regex.js';

/** A stretch of text: ordinary, or an added token. */
export interface Part {
  text: string;
  start: number;
  id?: number;
}

const ENDS_IN_WORD = new RegExp(`[${WORD}\\u200c\\u200d]$`, 'v');
const STARTS_WITH_WORD = new RegExp(`^[${WORD}\\u200c\\u200d]`, 'v');
const SPACE_AFTER = /^\p{White_Space}*/u;
const SPACE = /\p{White_Space}/u;

/** Finds added tokens in text: leftmost, then longest, as Rust's matcher does; `lstrip`, `rstrip` and `single_word` too. */
export class Matcher {
  readonly size: number;
  readonly #tokens = new Map<string, AddedToken>();
  readonly #pattern: RegExp | undefined;
  /** True when all tokens begin with `<`, `[` or the like, so that most text needs no closer look. */
  readonly #begins: RegExp | undefined;

  /** @param spell how a token is spelled in the text that is searched; default as it is. */
  constructor(tokens: readonly AddedToken[], spell: (content: string) => string = content => content) {
    for (const token of tokens) {
      const spelled = spell(token.content);
      if (spelled !== '') this.#tokens.set(spelled, token);
    }
    this.size = this.#tokens.size;
    if (this.size === 0) return;
    const longestFirst = [...this.#tokens.keys()].sort((a, b) => b.length - a.length);
    this.#pattern = new RegExp(longestFirst.map(literal).join('|'), 'gu');
    const firsts = new Set(longestFirst.map(t => literal(String.fromCodePoint(t.codePointAt(0)!))));
    this.#begins = new RegExp([...firsts].join('|'), 'u');
  }

  split(text: string): Part[] {
    if (text === '') return [];
    if (!this.#pattern || !this.#begins!.test(text)) return [{ text, start: 0 }];
    const parts: Part[] = [];
    let from = 0;
    for (const match of text.matchAll(this.#pattern)) {
      const token = this.#tokens.get(match[0])!;
      let start = match.index;
      let end = start + match[0].length;
      if (
        token.single_word &&
        (ENDS_IN_WORD.test(text.slice(Math.max(0, start - 2), start)) || STARTS_WITH_WORD.test(text.slice(end, end + 2)))
      )
        continue;
      if (token.lstrip) while (start > from && SPACE.test(text[start - 1]!)) start--;
      if (token.rstrip) end += SPACE_AFTER.exec(text.slice(end))![0].length;
      // White space that the token before took is gone.
      start = Math.max(start, from);
      if (start > from) parts.push({ text: text.slice(from, start), start: from });
      parts.push({ text: text.slice(start, end), start, id: token.id });
      from = end;
    }
    if (from < text.length) parts.push({ text: text.slice(from), start: from });
    return parts;
  }
}

function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

import { describe, expect, it } from 'vitest';
import { TextSoFar } from '../../../../src/learn/models/generation/text.js';

/** One token a byte; 1000 and above is special. */
const bytes = {
  decode: (ids: readonly number[]) => new TextDecoder().decode(Uint8Array.from(ids.filter(id => id < 1000))),
};
const encode = (text: string) => [...new TextEncoder().encode(text)];
const pieces = (text: TextSoFar, ids: number[]) => [...ids.map(id => text.push(id)), text.end()];

describe('text token by token', () => {
  it('characters come whole, and the pieces are the text', () => {
    const text = 'naïve – 日本 🎵!';
    const made = pieces(new TextSoFar(bytes), encode(text));
    expect(made.join('')).toBe(text);
    expect(made).toContain('🎵');
    expect(made.join('')).not.toContain('\uFFFD');
  });

  it('a stop string is found across tokens and never released, nor what may become one', () => {
    const so = new TextSoFar(bytes, ['###', 'END']);
    const made = encode('a # b ##').map(id => so.push(id));
    expect(made.join('')).toBe('a # b ');
    expect(so.stopped).toBe(false);
    expect(so.push(35)).toBe('');
    expect(so.stopped).toBe(true);
    expect(so.text).toBe('a # b ');
    expect(so.push(65)).toBe('');
    expect(so.end()).toBe('');
  });

  it('what only looked like a stop string is released in the end', () => {
    const so = new TextSoFar(bytes, ['###']);
    expect(pieces(so, encode('x##')).join('')).toBe('x##');
    expect(so.text).toBe('x##');
  });

  it('the earliest stop string wins, and bytes that make no character become U+FFFD', () => {
    const so = new TextSoFar({ decode: ids => ids.map(id => ['one STOP two END', 'x'][id]!).join('') }, ['END', 'STOP']);
    so.push(0);
    expect(so.text).toBe('one ');
    const cut = new TextSoFar(bytes);
    expect(pieces(cut, [104, 0xf0, 0x9f]).join('')).toMatch(/^h\uFFFD+$/);
  });
});

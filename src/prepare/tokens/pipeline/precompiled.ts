import { BadInput } from '../../../base/core/index.js';
import { type Mapped, Rewrite } from './mapped.js';

/**
 * SentencePiece's compiled normalisation table: a double-array trie (Darts) from UTF-8 to offsets into a pool of
 * replacements. Applied to grapheme clusters of less than six bytes, then to single characters; the *shortest* prefix found
 * decides, as in SentencePiece's port in Hugging Face's tokenizers (crate spm_precompiled).
 */
export class Charsmap {
  readonly #units: Uint32Array;
  readonly #pool: Uint8Array;
  readonly #known = new Map<string, string | undefined>();
  readonly #segmenter = new Intl.Segmenter('und', { granularity: 'grapheme' });

  constructor(base64: string) {
    const bytes = Uint8Array.from(atob(base64), c => c.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    const size = bytes.length >= 4 ? view.getUint32(0, true) : 0;
    if (size % 4 !== 0 || 4 + size > bytes.length) {
      throw new BadInput({
        problem: 'precompiled_charsmap is damaged',
        expected: 'a trie and a pool of strings, base64',
        found: `${bytes.length} bytes, trie of ${size}`,
        fix: 'convert the SentencePiece model again',
      });
    }
    this.#units = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
    this.#pool = bytes.subarray(4 + size);
  }

  normalise(m: Mapped): Mapped {
    const { text } = m;
    let out: Rewrite | undefined;
    const change = (start: number, end: number, replacement: string) => {
      if (!out) {
        out = new Rewrite(m);
        out.copy(0, start);
      }
      if (replacement !== '') out.put(replacement, start, end);
    };
    const single = (start: number, char: string) => {
      const replacement = this.#lookup(char);
      if (replacement === undefined) out?.copy(start, start + char.length);
      else change(start, start + char.length, replacement);
    };
    // In Latin-1 every character but CR before LF is a grapheme.
    if (!text.includes('\r') && !/[^\p{ASCII}\xa0-\xff]/u.test(text)) {
      for (let i = 0; i < text.length; i++) single(i, text[i]!);
      return out ? (out as Rewrite).done() : m;
    }
    for (const { segment, index } of this.#segmenter.segment(text)) {
      const replacement = utf8Length(segment) < 6 ? this.#lookup(segment) : undefined;
      if (replacement !== undefined) {
        change(index, index + segment.length, replacement);
        continue;
      }
      let at = index;
      for (const char of segment) {
        single(at, char);
        at += char.length;
      }
    }
    return out ? (out as Rewrite).done() : m;
  }

  #lookup(text: string): string | undefined {
    if (this.#known.has(text)) return this.#known.get(text);
    const found = this.#search(new TextEncoder().encode(text));
    if (this.#known.size < 100_000) this.#known.set(text, found);
    return found;
  }

  #search(key: Uint8Array): string | undefined {
    const units = this.#units;
    if (units.length === 0) return undefined;
    const offset = (unit: number) => (unit >>> 10) << ((unit & 0x200) >>> 6);
    let node = offset(units[0]!);
    for (const byte of key) {
      if (byte === 0) return undefined;
      node ^= byte;
      const unit = units[node];
      if (unit === undefined || (unit & 0x800000ff) !== byte) return undefined;
      node ^= offset(unit);
      if (((unit >>> 8) & 1) === 0) continue;
      const start = units[node]! & 0x7fffffff;
      let end = start;
      while (end < this.#pool.length && this.#pool[end] !== 0) end++;
      return new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.#pool.subarray(start, end));
    }
    return undefined;
  }
}

function utf8Length(text: string): number {
  let n = 0;
  for (const char of text) {
    const c = char.codePointAt(0)!;
    n += c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  }
  return n;
}

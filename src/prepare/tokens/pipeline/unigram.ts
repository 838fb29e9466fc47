import { BadInput } from '../../../base/core/index.js';
import type { TokenizerJson } from '../hf.js';
import { PairTable } from './pair-table.js';
import type { Word, WordModel } from './word-model.js';

/** What an unknown character costs more than the worst token (SentencePiece's kUnkPenalty). */
const UNKNOWN_PENALTY = 10;
const encoder = new TextEncoder();

/** Unigram language model (Kudo 2018): the most probable segmentation, by dynamic programming over a trie of the tokens. */
export class Unigram implements WordModel {
  readonly vocab: ReadonlyMap<string, number>;
  readonly pieces: readonly string[];
  readonly #scores: Float64Array;
  readonly #unknownScore: number;
  readonly #unknown: number | undefined;
  readonly #bytes: Int32Array | undefined;
  /** (node, UTF-16 unit) → node; node 0 is the root. */
  readonly #trie: PairTable;
  /** The token that ends at a node, −1 for none. */
  readonly #leaf: number[] = [-1];

  constructor(model: TokenizerJson['model']) {
    const entries = model.vocab as [string, number][];
    this.pieces = entries.map(([token]) => token);
    const unknown = model.unk_id;
    this.#unknown = typeof unknown === 'number' ? unknown : undefined;
    this.#scores = Float64Array.from(entries, ([, score]) => score);
    let worst = Number.POSITIVE_INFINITY;
    for (const score of this.#scores) worst = Math.min(worst, score);
    this.#unknownScore = worst - UNKNOWN_PENALTY;
    const vocab = new Map<string, number>();
    let units = 0;
    for (const [id, [token]] of entries.entries()) {
      vocab.set(token, id);
      units += token.length;
    }
    this.vocab = vocab;
    this.#trie = new PairTable(Math.min(units, 4 * entries.length));
    for (const [token, id] of vocab) this.#insert(token, id);
    if (model.byte_fallback === true) {
      this.#bytes = Int32Array.from(
        { length: 256 },
        (_, b) => vocab.get(`<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`) ?? -1,
      );
    }
  }

  #insert(token: string, id: number): void {
    let node = 0;
    for (let i = 0; i < token.length; i++) {
      const unit = token.charCodeAt(i);
      let child = this.#trie.get(node, unit);
      if (child < 0) {
        child = this.#leaf.length;
        this.#leaf.push(-1);
        this.#trie.set(node, unit, child);
      }
      node = child;
    }
    if (node > 0) this.#leaf[node] = id;
  }

  tokenise(word: string, hidden: ReadonlySet<number>): Word {
    const n = word.length;
    const score = new Float64Array(n + 1);
    const from = new Int32Array(n + 1).fill(-1);
    const id = new Int32Array(n + 1);
    for (let at = 0, next = 0; at < n; at = next) {
      next = at + (word.codePointAt(at)! > 0xffff ? 2 : 1);
      const here = score[at]!;
      let single = false;
      for (let node = 0, end = at; end < n; ) {
        node = this.#trie.get(node, word.charCodeAt(end++));
        if (node < 0) break;
        const token = this.#leaf[node]!;
        if (token < 0 || (hidden.has(token) && token !== this.#unknown)) continue;
        const sum = this.#scores[token]! + here;
        if (from[end]! < 0 || sum > score[end]!) {
          score[end] = sum;
          from[end] = at;
          id[end] = token;
        }
        if (end === next) single = true;
      }
      if (single) continue;
      const sum = this.#unknownScore + here;
      if (from[next]! < 0 || sum > score[next]!) {
        score[next] = sum;
        from[next] = at;
        id[next] = this.#unknown ?? -1;
      }
    }
    return this.#path(word, from, id, hidden);
  }

  /** Back from the end; unknown neighbours are one token, or their bytes where the model has them. */
  #path(word: string, from: Int32Array, id: Int32Array, hidden: ReadonlySet<number>): Word {
    const out: Word = { ids: [], starts: [], ends: [], lost: false };
    const put = (token: number, start: number, end: number) => {
      out.ids.push(token);
      out.starts.push(start);
      out.ends.push(end);
    };
    const unknown = this.#unknown ?? -1;
    for (let end = word.length; end > 0; ) {
      let start = from[end]!;
      if (id[end] !== unknown) {
        put(id[end]!, start, end);
        end = start;
        continue;
      }
      while (start > 0 && id[start] === unknown) start = from[start]!;
      // The run may happen to spell a token; then it is that token, unless text may not become it.
      const found = this.vocab.get(word.slice(start, end));
      const spelled = found !== undefined && hidden.has(found) ? undefined : found;
      const bytes = this.#bytes && spelled === undefined ? this.#fallback(word, start, end) : undefined;
      if (bytes) for (const [byte, a, b] of bytes.reverse()) put(byte, a, b);
      else if (spelled !== undefined) put(spelled, start, end);
      else if (unknown >= 0) put(unknown, start, end);
      else throw noUnknown();
      end = start;
    }
    out.ids.reverse();
    out.starts.reverse();
    out.ends.reverse();
    return out;
  }

  #fallback(word: string, start: number, end: number): [number, number, number][] | undefined {
    const out: [number, number, number][] = [];
    let at = start;
    for (const char of word.slice(start, end)) {
      for (const byte of encoder.encode(char)) {
        const token = this.#bytes![byte]!;
        if (token < 0) return undefined;
        out.push([token, at, at + char.length]);
      }
      at += char.length;
    }
    return out;
  }
}

function noUnknown(): BadInput {
  return new BadInput({
    problem: 'the text holds what this vocabulary cannot spell, and the model names no unknown token',
    expected: '"unk_id" in the model',
    fix: 'use another tokenizer for this text, or remove the characters it cannot spell',
  });
}

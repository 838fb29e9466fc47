import { BadInput, quote } from '../../base/core/index.js';
import { codePointSize, toByteAlphabet } from './bytes.js';
import type { TokenizerJson } from './hf.js';
import type { Matcher } from './pipeline/added.js';
import { Mapped } from './pipeline/mapped.js';
import { modelOf } from './pipeline/models.js';
import { type Normalizer, normalise, normalizersOf } from './pipeline/normalizers.js';
import { type Place, type PreTokenizer, preTokenizersOf } from './pipeline/pre-tokenizers.js';
import type { Word, WordModel } from './pipeline/word-model.js';

/** Tokens of a text: ids, and for each [start, end) in UTF-16 units. A token that holds part of a character covers all of it. */
export interface Pieces {
  ids: number[];
  starts: number[];
  ends: number[];
}

/**
 * Where a text stands: at the `start` of everything, at the start of a `section` (after a control token), or `inside` a
 * text whose beginning is tokenised already. Only tokenizers that put a marker in front of words see the difference.
 */
export type Position = 'start' | 'section' | 'inside';

const CACHE_LIMIT = 100_000;
const LONGEST_CACHED = 64;
const MARKER = 0x2581;

/**
 * Normaliser, pre-tokenizer and model of a tokenizer.json, with the place of every token. A port of Hugging Face's
 * tokenizers (Rust, 0.23) that gives the same ids; words are remembered, so that text costs about a look-up a word.
 */
export class Engine {
  readonly model: WordModel;
  readonly #normalizers: Normalizer[];
  readonly #steps: PreTokenizer[];
  /** The model sees bytes, written in the byte alphabet. */
  readonly #bytes: boolean;
  readonly #cutsOnly: boolean;
  /** Structural tokens: text from data never becomes one. */
  readonly #hidden: ReadonlySet<number>;
  /** Words of text from data, and words of text in which structure may appear. */
  #words: [Map<string, Word>, Map<string, Word>] = [new Map(), new Map()];

  constructor(json: TokenizerJson) {
    this.model = modelOf(json);
    const structural = json.added_tokens.filter(t => t.special || /^<.*>$/.test(t.content));
    this.#hidden = new Set(structural.map(t => this.model.vocab.get(t.content)).filter(id => id !== undefined));
    this.#normalizers = normalizersOf(json.normalizer);
    const { steps, bytes } = preTokenizersOf(json.pre_tokenizer);
    this.#steps = steps;
    this.#bytes = bytes;
    this.#cutsOnly = steps.every(step => step.cut);
  }

  /** A text as the normaliser leaves it. */
  normalised(text: string): string {
    return normalise(this.#normalizers, new Mapped(text, 0), false).text;
  }

  /**
   * Tokenise text; appends to `out`, with `base` added to the offsets.
   * @param added finds added tokens in the normalised text (those with `normalized: true`).
   * @param lossy as Hugging Face does it: a character without a token is left out, and the model may find structural tokens
   * in ordinary text. Otherwise the one is an error and the other does not happen.
   * @throws BadInput when a character has no token at all, unless `lossy`.
   */
  encode(text: string, position: Position, out: Pieces, base: number, { added, lossy = false }: EngineOptions = {}): void {
    if (text === '') return;
    const m = normalise(this.#normalizers, new Mapped(text, base), position === 'inside');
    const place = { origin: base, position };
    if (!added || added.size === 0) {
      this.#ordinary(m, place, out, lossy);
      return;
    }
    for (const part of added.split(m.text)) {
      const end = part.start + part.text.length;
      if (part.id === undefined) this.#ordinary(m.slice(part.start, end), place, out, lossy);
      else put(out, part.id, m.start(part.start), m.end(end - 1));
    }
  }

  #ordinary(m: Mapped, place: Place, out: Pieces, lossy: boolean): void {
    if (m.text === '') return;
    if (this.#cutsOnly) {
      let words = [m.text];
      for (const step of this.#steps) words = words.length === 1 ? step.cut!(words[0]!) : words.flatMap(word => step.cut!(word));
      let at = 0;
      for (const word of words) {
        this.#put(word, m, at, out, lossy);
        at += word.length;
      }
      return;
    }
    let pieces = [m];
    for (const step of this.#steps) pieces = pieces.flatMap(piece => (piece.text === '' ? [] : step.apply(piece, place)));
    for (const piece of pieces) this.#put(piece.text, piece, 0, out, lossy);
  }

  /** The tokens of the word that stands in `m` at unit `at`. */
  #put(text: string, m: Mapped, at: number, out: Pieces, lossy: boolean): void {
    if (this.model.cut && text.length > 1) {
      let from = 0;
      for (let i = 1; i <= text.length; i++) {
        if (i < text.length && (text.charCodeAt(i) !== MARKER || text.charCodeAt(i - 1) === MARKER)) continue;
        this.#word(text.slice(from, i), m, at + from, out, lossy);
        from = i;
      }
    } else this.#word(text, m, at, out, lossy);
  }

  #word(text: string, m: Mapped, at: number, out: Pieces, lossy: boolean): void {
    const word = this.#words[lossy ? 1 : 0].get(text) ?? this.#tokenise(text, lossy);
    if (word.lost && !lossy) throw unspellable(text);
    const { ids, starts, ends } = word;
    if (!m.starts && m.lead === 0) {
      const base = m.at + at;
      for (let i = 0; i < ids.length; i++) {
        out.ids.push(ids[i]!);
        out.starts.push(base + starts[i]!);
        out.ends.push(base + ends[i]!);
      }
      return;
    }
    for (let i = 0; i < ids.length; i++) put(out, ids[i]!, m.start(at + starts[i]!), m.end(at + ends[i]! - 1));
  }

  #tokenise(text: string, lossy: boolean): Word {
    const hidden = lossy ? NONE : this.#hidden;
    const words = this.#words[lossy ? 1 : 0];
    let word: Word;
    if (this.#bytes) {
      word = this.model.tokenise(toByteAlphabet(text), hidden);
      fromBytes(text, word);
    } else word = this.model.tokenise(text, hidden);
    if (text.length > LONGEST_CACHED) return word;
    if (words.size >= CACHE_LIMIT) words.clear();
    // A string cut from a long text would keep that text alive.
    words.set(detached(text), slim(word));
    return word;
  }
}

export interface EngineOptions {
  added?: Matcher;
  lossy?: boolean;
}

const NONE: ReadonlySet<number> = new Set();
const ZERO = [0];
const LENGTHS: number[][] = Array.from({ length: LONGEST_CACHED + 1 }, (_, n) => [n]);

/** Most words are one token: those share their offsets. */
function slim(word: Word): Word {
  if (word.ids.length !== 1 || word.starts[0] !== 0) return word;
  return { ...word, starts: ZERO, ends: LENGTHS[word.ends[0]!]! };
}

function detached(text: string): string {
  return text.length < 13 ? text : JSON.parse(JSON.stringify(text));
}

function put(out: Pieces, id: number, start: number, end: number): void {
  out.ids.push(id);
  out.starts.push(start);
  out.ends.push(end);
}

/** Offsets in bytes to offsets in UTF-16 units, in place; a token covers the whole of a character it holds a byte of. */
function fromBytes(text: string, { starts, ends }: Word): void {
  // Bytes [first, past) are the character of `units` units at `unit`.
  let unit = 0;
  let size = codePointSize(text, 0);
  let first = 0;
  const seek = (byte: number) => {
    while (byte >= first + size.bytes && unit + size.units < text.length) {
      first += size.bytes;
      unit += size.units;
      size = codePointSize(text, unit);
    }
  };
  for (let i = 0; i < starts.length; i++) {
    seek(starts[i]!);
    starts[i] = unit;
    seek(ends[i]! - 1);
    ends[i] = unit + size.units;
  }
}

function unspellable(text: string): BadInput {
  return new BadInput({
    problem: 'this tokenizer has no token for a part of the text, so it would be lost',
    expected: 'text that its vocabulary can spell',
    found: quote(text, 60),
    fix: 'use a tokenizer with byte fallback or an unknown token for this text, or remove the characters it cannot spell',
  });
}

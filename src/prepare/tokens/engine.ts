import { BadInput, quote } from '../../base/core/index.js';
import { alignTokens, mapNormalised, type Spelling } from './align.js';
import { codePointSize, GPT2_PATTERN, toByteAlphabet } from './bytes.js';
import { contentJson, flattenComponent, type Stages, stages, type TokenizerJson } from './hf.js';

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

/** Tokenises text that holds no added tokens; appends to `out` with `base` added to the offsets. */
export interface Engine {
  encode(text: string, position: Position, out: Pieces, base: number): void;
}

const CACHE_LIMIT = 200_000;

/** The engine for a tokenizer.json: an exact one for byte-level tokenizers, alignment for the others. */
export function engineFor(json: TokenizerJson, config: Record<string, unknown>): Engine {
  const pre = flattenComponent(json.pre_tokenizer);
  const bytes = pre.at(-1)?.type === 'ByteLevel' && json.model.type !== 'WordPiece' && json.model.type !== 'Unigram';
  if (!bytes || (pre.length > 1 && pre.at(-1)!.add_prefix_space === true)) return new AlignedEngine(json, config);
  return new ByteLevelEngine(json, config);
}

interface Word {
  ids: number[];
  starts: number[];
  ends: number[];
}

/** Byte-level BPE: each token is a run of bytes, so offsets follow by counting. Words are cached, which makes it fast. */
class ByteLevelEngine implements Engine {
  readonly #stages: Stages;
  readonly #splitters: ((text: string) => string[])[];
  readonly #prefix: boolean;
  #words = new Map<string, Word>();

  constructor(json: TokenizerJson, config: Record<string, unknown>) {
    const pre = flattenComponent(json.pre_tokenizer);
    const last = pre.at(-1)!;
    this.#prefix = last.add_prefix_space === true;
    this.#stages = stages({ ...contentJson(json, false), pre_tokenizer: null }, config);
    this.#splitters = pre.slice(0, -1).map(component => {
      const split = stages(
        {
          ...contentJson(json, false),
          normalizer: null,
          pre_tokenizer: component,
          decoder: null,
          model: { type: 'BPE', vocab: {}, merges: [] },
        },
        {},
      ).pre_tokenizer!;
      return (text: string) => split(text);
    });
    if (last.use_regex !== false) this.#splitters.push(text => text.match(GPT2_PATTERN) ?? []);
  }

  encode(text: string, position: Position, out: Pieces, base: number): void {
    if (text === '') return;
    const normalised = this.#stages.normalizer ? this.#stages.normalizer(text) : text;
    if (normalised === text) {
      this.#plain(text, position, out, base);
      return;
    }
    const map = mapNormalised(text, normalised, this.#stages.normalizer!);
    if (!map) throw inexact(text, 'its normaliser changes the text in a way that cannot be traced back');
    const pieces: Pieces = { ids: [], starts: [], ends: [] };
    this.#plain(normalised, position, pieces, 0);
    for (let i = 0; i < pieces.ids.length; i++) {
      out.ids.push(pieces.ids[i]!);
      out.starts.push(base + map.starts[pieces.starts[i]!]!);
      out.ends.push(base + map.ends[pieces.ends[i]! - 1]!);
    }
  }

  #plain(text: string, position: Position, out: Pieces, base: number): void {
    const prefixed = this.#prefix && position !== 'inside' && !text.startsWith(' ');
    let words = [prefixed ? ` ${text}` : text];
    for (const split of this.#splitters) words = words.length === 1 ? split(words[0]!) : words.flatMap(split);
    let at = prefixed ? base - 1 : base;
    for (const text of words) {
      const word = this.#word(text);
      for (let i = 0; i < word.ids.length; i++) {
        out.ids.push(word.ids[i]!);
        out.starts.push(Math.max(base, at + word.starts[i]!));
        out.ends.push(at + word.ends[i]!);
      }
      at += text.length;
    }
    if (at !== base + text.length) throw inexact(text, 'its pre-tokenizer drops characters');
  }

  #word(text: string): Word {
    const known = this.#words.get(text);
    if (known) return known;
    const { model } = this.#stages;
    const tokens = model([toByteAlphabet(text)]);
    const word: Word = { ids: [], starts: [], ends: [] };
    // Walk bytes and characters together: `unit` is the character that holds byte `byte`, which begins at `first`.
    let unit = 0;
    let first = 0;
    let byte = 0;
    for (const token of tokens) {
      const id = model.tokens_to_ids.get(token) ?? model.unk_token_id;
      if (id === undefined) throw inexact(text, `it has no token for ${quote(token)}`);
      const end = byte + (token === model.unk_token ? 1 : token.length);
      word.ids.push(id);
      word.starts.push(unit);
      let stop = unit;
      for (;;) {
        const size = codePointSize(text, unit);
        stop = unit + size.units;
        if (first + size.bytes > end) break;
        unit = stop;
        first += size.bytes;
        if (first === end) break;
      }
      word.ends.push(stop);
      byte = end;
    }
    if (unit !== text.length) throw inexact(text, 'its vocabulary lacks some bytes');
    if (this.#words.size >= CACHE_LIMIT) this.#words = new Map();
    if (text.length <= 64) this.#words.set(text, word);
    return word;
  }
}

/** Every other tokenizer: the library tokenises, then the tokens are found again in the text. */
class AlignedEngine implements Engine {
  readonly #outer: Stages;
  readonly #inner: Stages;
  readonly #spelling: Spelling;
  readonly #splitMarkers: boolean;

  constructor(json: TokenizerJson, config: Record<string, unknown>) {
    this.#outer = stages(contentJson(json, false), config);
    this.#inner = stages(contentJson(json, true), config);
    const pre = flattenComponent(json.pre_tokenizer);
    // Rust's Metaspace also cuts before each marker; the library does not.
    this.#splitMarkers = pre.at(-1)?.type === 'Metaspace' && pre.at(-1)!.split !== false;
    const { model } = json;
    this.#spelling = {
      continuing: (model.continuing_subword_prefix as string | null) || undefined,
      endOfWord: (model.end_of_word_suffix as string | null) || undefined,
      byteFallback: model.byte_fallback === true,
      unknown: this.#outer.model.unk_token ?? undefined,
    };
  }

  encode(text: string, position: Position, out: Pieces, base: number): void {
    if (text === '') return;
    const { normalizer, pre_tokenizer, model } = position === 'inside' ? this.#inner : this.#outer;
    const normalised = normalizer ? normalizer(text) : text;
    let words = pre_tokenizer ? pre_tokenizer(normalised, { section_index: position === 'start' ? 0 : 1 }) : [normalised];
    if (this.#splitMarkers) words = words.flatMap(word => word.match(/\u2581?[^\u2581]+|\u2581/g) ?? []);
    const tokens = model(words.filter(word => word !== ''));
    const spans = alignTokens(tokens, normalised, this.#spelling);
    const map = normalised === text ? undefined : mapNormalised(text, normalised, normalizer!);
    if (!spans || (normalised !== text && !map)) throw inexact(text, 'its tokens cannot be found again in the text');
    for (const [i, token] of tokens.entries()) {
      const id = model.tokens_to_ids.get(token) ?? model.unk_token_id;
      if (id === undefined) throw inexact(text, `it has no token for ${quote(token)} and no unknown token`);
      const start = spans.starts[i]!;
      const end = spans.ends[i]!;
      out.ids.push(id);
      out.starts.push(base + (map ? (map.starts[start] ?? text.length) : start));
      out.ends.push(base + (map ? (end > start ? map.ends[end - 1]! : (map.starts[start] ?? text.length)) : end));
    }
  }
}

function inexact(text: string, why: string): BadInput {
  return new BadInput({
    problem: 'this tokenizer gives no exact place for every token, so no mask could be trusted',
    expected: 'tokens that spell the text',
    found: `${why}, on ${quote(text, 60)}`,
    fix: 'use a byte-level tokenizer for this text, or remove the characters it cannot spell',
  });
}

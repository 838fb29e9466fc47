import { BadInput, quote, writeFileAtomic } from '../../base/core/index.js';
import { fromByteAlphabet } from './bytes.js';
import { type Engine, engineFor, type Pieces, type Position } from './engine.js';
import { type AddedToken, flattenComponent, type Stages, stages, type TokenizerJson } from './hf.js';
import { readTokenizerFiles } from './load.js';

/** Ids of a text and for each token [start, end) in UTF-16 units of it. */
export interface Encoding {
  ids: number[];
  offsets: [number, number][];
}

/** The parts of a tokenizer_config.json (special_tokens_map.json, generation_config.json) that are used. */
export interface TokenizerConfig {
  bos_token?: string | { content: string } | null;
  eos_token?: string | { content: string } | null;
  pad_token?: string | { content: string } | null;
  unk_token?: string | { content: string } | null;
  add_bos_token?: boolean;
  add_eos_token?: boolean;
  clean_up_tokenization_spaces?: boolean;
  /** Further ids that end a generation, from generation_config.json. */
  generation_eos_ids?: number[];
  [key: string]: unknown;
}

export interface TokenizerOptions {
  /** Special tokens, where the files name none or other ones. */
  bosToken?: string;
  eosToken?: string;
  padToken?: string;
  /** Added tokens that are vocabulary and not structure: recognised in text from data too. Those made of white space always are. */
  contentTokens?: readonly string[];
}

/** A stretch of text: ordinary, or an added token. */
export interface Part {
  text: string;
  start: number;
  id?: number;
}

/**
 * A tokenizer made from Hugging Face's tokenizer.json. It differs from other JavaScript ones in two ways: it gives
 * offsets, and it can encode text from data so that text which looks like a special token stays text.
 */
export class Tokenizer {
  readonly vocabSize: number;
  readonly bosToken: string | undefined;
  readonly eosToken: string | undefined;
  readonly padToken: string | undefined;
  readonly unkToken: string | undefined;
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  readonly padId: number | undefined;
  readonly unkId: number | undefined;
  /** Ids that end a generation: EOS and what generation_config.json adds. */
  readonly stopIds: readonly number[];
  /** True when the tokenizer puts its BOS in front of what it encodes (post-processor or `add_bos_token`). */
  readonly addsBos: boolean;

  readonly #json: TokenizerJson;
  readonly #config: TokenizerConfig;
  readonly #full: Stages;
  readonly #engine: Engine;
  readonly #byId = new Map<number, AddedToken>();
  readonly #byText = new Map<string, AddedToken>();
  readonly #anywhere: Matcher;
  readonly #inContent: Matcher;
  readonly #byteLevel: boolean;
  readonly #before: number[];
  readonly #after: number[];

  private constructor(json: TokenizerJson, config: TokenizerConfig, options: TokenizerOptions) {
    this.#json = json;
    this.#config = config;
    for (const token of json.added_tokens) {
      this.#byId.set(token.id, token);
      this.#byText.set(token.content, token);
    }
    this.#full = stages(json, config);
    this.#engine = engineFor(json, config);
    this.#byteLevel = flattenComponent(json.decoder).length <= 1 && json.decoder?.type === 'ByteLevel';
    const keep = new Set(options.contentTokens ?? []);
    this.#anywhere = new Matcher(json.added_tokens);
    this.#inContent = new Matcher(json.added_tokens.filter(t => !t.special && (t.content.trim() === '' || keep.has(t.content))));

    let size = 0;
    for (const id of this.#full.model.tokens_to_ids.values()) size = Math.max(size, id + 1);
    this.vocabSize = size;

    const named = (key: 'bos_token' | 'eos_token' | 'pad_token' | 'unk_token', option?: string) => {
      const value = config[key];
      const token = option ?? (typeof value === 'object' ? value?.content : value) ?? undefined;
      const id = token === undefined ? undefined : this.idOf(token);
      if (token !== undefined && id === undefined && (option !== undefined || key === 'eos_token')) {
        throw new BadInput({
          problem: `the ${key} ${quote(token)} is not in the vocabulary`,
          where: { key },
          expected: 'a token of this tokenizer',
          fix: 'correct tokenizer_config.json, or name another token in the options of Tokenizer.fromFile',
        });
      }
      return id === undefined ? ([undefined, undefined] as const) : ([token, id] as const);
    };
    [this.bosToken, this.bosId] = named('bos_token', options.bosToken);
    [this.eosToken, this.eosId] = named('eos_token', options.eosToken);
    [this.padToken, this.padId] = named('pad_token', options.padToken);
    [this.unkToken, this.unkId] = named('unk_token');
    this.stopIds = [...new Set([...(this.eosId === undefined ? [] : [this.eosId]), ...(config.generation_eos_ids ?? [])])];

    [this.#before, this.#after] = this.#specials();
    this.addsBos = this.bosId !== undefined && this.#before.includes(this.bosId);
  }

  /**
   * Read a tokenizer from its tokenizer.json or the directory that holds it. Special tokens come from tokenizer_config.json,
   * special_tokens_map.json and generation_config.json beside it, where present.
   * @throws BadInput naming the file and what it holds instead.
   */
  static async fromFile(path: string, options: TokenizerOptions = {}): Promise<Tokenizer> {
    const { json, config, file } = await readTokenizerFiles(path);
    return Tokenizer.fromJSON(json, config, { ...options, file });
  }

  /** Make a tokenizer from parsed files. `options.file` names the origin in errors. */
  static fromJSON(json: object, config: TokenizerConfig = {}, options: TokenizerOptions & { file?: string } = {}): Tokenizer {
    const whole = complete(checkJson(json, options.file), config);
    try {
      return new Tokenizer(whole, config, options);
    } catch (error) {
      if (error instanceof BadInput) throw error;
      throw new BadInput({
        problem: 'the tokenizer cannot be built',
        where: { file: options.file },
        expected: 'a tokenizer.json made of components this version knows',
        found: error instanceof Error ? error.message : String(error),
        fix: 'check the file with Python: tokenizers.Tokenizer.from_file(…)',
        cause: error,
      });
    }
  }

  /**
   * Encode text as Hugging Face does: added tokens are recognised, and with `addSpecialTokens` (the default) the
   * post-processor adds its own, whose offsets are empty.
   */
  encode(text: string, options: { addSpecialTokens?: boolean } = {}): Encoding {
    const pieces: Pieces = { ids: [], starts: [], ends: [] };
    const special = options.addSpecialTokens !== false;
    if (special) for (const id of this.#before) push(pieces, id, 0, 0);
    for (const part of this.#anywhere.split(text)) {
      if (part.id === undefined) this.#engine.encode(part.text, part.start === 0 ? 'start' : 'section', pieces, part.start);
      else push(pieces, part.id, part.start, part.start + part.text.length);
    }
    if (special) for (const id of this.#after) push(pieces, id, 0, 0);
    return { ids: pieces.ids, offsets: pieces.starts.map((start, i) => [start, pieces.ends[i]!]) };
  }

  /** Encode text from data: what looks like a special token is ordinary text. Nothing is added. */
  encodeContent(text: string, position: Position = 'start'): Encoding {
    const pieces: Pieces = { ids: [], starts: [], ends: [] };
    this.encodeInto(text, position, pieces, 0);
    return { ids: pieces.ids, offsets: pieces.starts.map((start, i) => [start, pieces.ends[i]!]) };
  }

  /** {@link encodeContent} appended to `out`, with `base` added to the offsets. */
  encodeInto(text: string, position: Position, out: Pieces, base: number): void {
    if (this.#inContent.size === 0) {
      this.#engine.encode(text, position, out, base);
      return;
    }
    for (const part of this.#inContent.split(text)) {
      if (part.id === undefined) this.#engine.encode(part.text, part.start === 0 ? position : 'section', out, base + part.start);
      else push(out, part.id, base + part.start, base + part.start + part.text.length);
    }
  }

  /** Cut a text written by a template into added tokens and the text between them. */
  splitAdded(text: string): Part[] {
    return this.#anywhere.split(text);
  }

  /** Id of a token, written as in the vocabulary; undefined when there is none. */
  idOf(token: string): number | undefined {
    return this.#byText.get(token)?.id ?? this.#full.model.tokens_to_ids.get(token);
  }

  /** The token as the vocabulary writes it (byte alphabet, markers and all); undefined for an unused id. */
  pieceOf(id: number): string | undefined {
    return this.#byId.get(id)?.content ?? this.#full.model.vocab[id];
  }

  /** The token as a reader wants it: its text, or `\xE2` for bytes that are no text by themselves. */
  textOf(id: number): string {
    const piece = this.pieceOf(id);
    if (piece === undefined) return `<id ${id}>`;
    if (this.#byId.has(id)) return piece;
    if (!this.#byteLevel) return piece.replaceAll('\u2581', ' ');
    const bytes = fromByteAlphabet(piece);
    if (!bytes) return piece;
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      return Array.from(bytes, b => (b < 0x80 ? String.fromCharCode(b) : `\\x${b.toString(16).toUpperCase()}`)).join('');
    }
  }

  /** True for a token that has a meaning of its own (BOS, EOS, `<|im_start|>`), not one of ordinary text. */
  isSpecial(id: number): boolean {
    return this.#byId.get(id)?.special === true;
  }

  /** Ids back to text. Bytes that do not make a character (a generation cut in the middle of one) become U+FFFD. */
  decode(ids: readonly number[], options: { skipSpecial?: boolean } = {}): string {
    const { skipSpecial = false } = options;
    const kept = skipSpecial ? ids.filter(id => !this.isSpecial(id)) : [...ids];
    const bad = kept.find(id => !Number.isInteger(id) || id < 0);
    if (bad !== undefined) {
      throw new BadInput({
        problem: 'this is no token id',
        expected: `whole numbers below ${this.vocabSize}`,
        found: String(bad),
        fix: 'pass the ids of one row',
      });
    }
    if (kept.length === 0) return '';
    if (!this.#byteLevel) {
      return this.#full.decode(kept, { clean_up_tokenization_spaces: this.#config.clean_up_tokenization_spaces === true });
    }
    const encoder = new TextEncoder();
    const parts = kept.map(id => {
      const piece = this.pieceOf(id) ?? '';
      return (this.#byId.has(id) ? undefined : fromByteAlphabet(piece)) ?? encoder.encode(piece);
    });
    const bytes = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  }

  /** Write tokenizer.json and tokenizer_config.json into a directory, as Hugging Face's libraries read them. */
  async save(dir: string): Promise<void> {
    const { join } = await import('node:path');
    const { generation_eos_ids: _, ...config } = this.#config;
    const tokens = { bos_token: this.bosToken, eos_token: this.eosToken, pad_token: this.padToken };
    await writeFileAtomic(join(dir, 'tokenizer.json'), `${JSON.stringify(this.#json, null, 1)}\n`);
    await writeFileAtomic(join(dir, 'tokenizer_config.json'), `${JSON.stringify({ ...config, ...tokens }, null, 2)}\n`);
  }

  /** The tokenizer.json this was made from. */
  toJSON(): object {
    return this.#json;
  }

  /** What the post-processor puts before and after a sequence, corrected by `add_bos_token` and `add_eos_token`. */
  #specials(): [number[], number[]] {
    const marker = '\u0000';
    const tokens = this.#full.post_processor?.post_process([marker], null, true).tokens ?? [marker];
    const at = tokens.indexOf(marker);
    const ids = (list: string[]) => list.map(token => this.idOf(token)).filter(id => id !== undefined);
    let before = ids(tokens.slice(0, at));
    let after = ids(tokens.slice(at + 1));
    const { add_bos_token, add_eos_token } = this.#config;
    const { bosId, eosId } = this;
    if (bosId !== undefined && add_bos_token === true && !before.includes(bosId)) before = [bosId, ...before];
    if (bosId !== undefined && add_bos_token === false) before = before.filter(id => id !== bosId);
    if (eosId !== undefined && add_eos_token === true && !after.includes(eosId)) after = [...after, eosId];
    if (eosId !== undefined && add_eos_token === false) after = after.filter(id => id !== eosId);
    return [before, after];
  }
}

function push(pieces: Pieces, id: number, start: number, end: number): void {
  pieces.ids.push(id);
  pieces.starts.push(start);
  pieces.ends.push(end);
}

/** Finds added tokens in text: leftmost, then longest, as Rust's matcher does; `lstrip`, `rstrip` and `single_word` too. */
class Matcher {
  readonly size: number;
  readonly #tokens = new Map<string, AddedToken>();
  readonly #pattern: RegExp | undefined;

  constructor(tokens: readonly AddedToken[]) {
    for (const token of tokens) if (token.content !== '') this.#tokens.set(token.content, token);
    this.size = this.#tokens.size;
    const longestFirst = [...this.#tokens.keys()].sort((a, b) => b.length - a.length);
    if (this.size > 0)
      this.#pattern = new RegExp(longestFirst.map(t => t.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')).join('|'), 'g');
  }

  split(text: string): Part[] {
    if (text === '') return [];
    if (!this.#pattern) return [{ text, start: 0 }];
    const parts: Part[] = [];
    let from = 0;
    for (const match of text.matchAll(this.#pattern)) {
      const token = this.#tokens.get(match[0])!;
      let start = match.index;
      let end = start + match[0].length;
      if (token.single_word && (/\w$/.test(text.slice(Math.max(0, start - 1), start)) || /^\w/.test(text.slice(end, end + 1))))
        continue;
      if (token.lstrip) while (start > from && /\s/.test(text[start - 1]!)) start--;
      if (token.rstrip) while (end < text.length && /\s/.test(text[end]!)) end++;
      if (start < from) start = from;
      if (start > from) parts.push({ text: text.slice(from, start), start: from });
      parts.push({ text: text.slice(start, end), start, id: token.id });
      from = end;
    }
    if (from < text.length) parts.push({ text: text.slice(from), start: from });
    return parts;
  }
}

/** Is this a tokenizer.json? Says what it is instead. */
function checkJson(json: object, file: string | undefined): TokenizerJson {
  const model = (json as Partial<TokenizerJson> | null)?.model;
  if (typeof json === 'object' && json !== null && typeof model === 'object' && model !== null && model.vocab !== undefined)
    return json as TokenizerJson;
  const keys = typeof json === 'object' && json !== null ? Object.keys(json) : [];
  const found = Array.isArray(json)
    ? 'an array'
    : keys.length
      ? `an object with the keys ${quote(keys.slice(0, 8))}`
      : quote(json);
  const fix = keys.includes('tokenizer_class')
    ? 'this looks like tokenizer_config.json: name tokenizer.json or the directory of both'
    : keys.includes('architectures') || keys.includes('hidden_size')
      ? 'this looks like a model’s config.json: name tokenizer.json or the directory of both'
      : "save one with Python: AutoTokenizer.from_pretrained('…', use_fast=True).save_pretrained(dir), or train one with tokens.trainBPE";
  throw new BadInput({
    problem: 'this is not a Hugging Face tokenizer.json',
    where: { file },
    expected: '"model" with a "vocab"',
    found,
    fix,
  });
}

/** Fill in what files may leave out, and add the tokens that only tokenizer_config.json lists. */
function complete(json: TokenizerJson, config: TokenizerConfig): TokenizerJson {
  const added = [...(json.added_tokens ?? [])];
  const listed = config.added_tokens_decoder as Record<string, Omit<AddedToken, 'id'>> | undefined;
  const known = new Set(added.map(t => t.id));
  for (const [id, token] of Object.entries(listed ?? {})) if (!known.has(Number(id))) added.push({ ...token, id: Number(id) });
  return {
    ...json,
    added_tokens: added,
    normalizer: json.normalizer ?? null,
    pre_tokenizer: json.pre_tokenizer ?? null,
    post_processor: json.post_processor ?? null,
    decoder: json.decoder ?? null,
  };
}

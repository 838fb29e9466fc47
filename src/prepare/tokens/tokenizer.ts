import { BadInput, quote, writeFileAtomic } from '../../base/core/index.js';
import { fromByteAlphabet } from './bytes.js';
import { Engine, type Pieces, type Position } from './engine.js';
import { type AddedToken, flattenComponent, type TokenizerJson } from './hf.js';
import { readTokenizerFiles } from './load.js';
import { Matcher, type Part } from './pipeline/added.js';
import { cleanUp, decodeBytes, decoderOf } from './pipeline/decoders.js';
import { specialsOf } from './pipeline/post.js';
import type { WordModel } from './pipeline/word-model.js';

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

/** A token to add: its text, and where it differs from the usual, its flags. */
export type NewToken = Omit<AddedToken, 'id'>;

/**
 * A tokenizer made from Hugging Face's tokenizer.json. It differs from other JavaScript ones in two ways: it gives
 * offsets, and it can encode text from data so that text which looks like a special token stays text.
 */
export class Tokenizer {
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
  readonly #contentTokens: ReadonlySet<string>;
  readonly #engine: Engine;
  readonly #added: AddedTokens;
  #pieces: string[] | undefined;
  readonly #byteLevel: boolean;
  readonly #decode: (tokens: string[]) => string;
  readonly #before: number[];
  readonly #after: number[];

  private constructor(json: TokenizerJson, config: TokenizerConfig, options: TokenizerOptions) {
    this.#config = config;
    this.#contentTokens = new Set(options.contentTokens ?? []);
    this.#engine = new Engine(json);
    const added = assignIds(json.added_tokens, this.#engine.model);
    this.#json = { ...json, added_tokens: added };
    this.#added = this.#lookUps(added);
    this.#byteLevel = flattenComponent(json.decoder).length <= 1 && json.decoder?.type === 'ByteLevel';
    this.#decode = decoderOf(json.decoder);

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

  /** One more than the highest id: what a model's embedding must have rows for. */
  get vocabSize(): number {
    return this.#added.size;
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
      if (error instanceof BadInput && (error.parts.where || !options.file)) throw error;
      if (error instanceof BadInput) throw new BadInput({ ...error.parts, where: { file: options.file } });
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
    const engineOptions = { added: this.#added.normalised, lossy: true };
    for (const part of this.#added.raw.split(text)) {
      if (part.id === undefined)
        this.#engine.encode(part.text, part.start === 0 ? 'start' : 'section', pieces, part.start, engineOptions);
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
    if (this.#added.content.size === 0) {
      this.#engine.encode(text, position, out, base);
      return;
    }
    for (const part of this.#added.content.split(text)) {
      if (part.id === undefined) this.#engine.encode(part.text, part.start === 0 ? position : 'section', out, base + part.start);
      else push(out, part.id, base + part.start, base + part.start + part.text.length);
    }
  }

  /** Cut a text written by a template into added tokens and the text between them. */
  splitAdded(text: string): Part[] {
    return this.#added.all.split(text);
  }

  /** Id of a token, written as in the vocabulary; undefined when there is none. */
  idOf(token: string): number | undefined {
    return this.#added.byText.get(token)?.id ?? this.#engine.model.vocab.get(token);
  }

  /** The token as the vocabulary writes it (byte alphabet, markers and all); undefined for an unused id. */
  pieceOf(id: number): string | undefined {
    const added = this.#added.byId.get(id)?.content;
    if (added !== undefined) return added;
    const { pieces } = this.#engine.model;
    if (pieces) return pieces[id];
    if (!this.#pieces) {
      this.#pieces = [];
      for (const [piece, at] of this.#engine.model.vocab) this.#pieces[at] = piece;
    }
    return this.#pieces[id];
  }

  /** The token as a reader wants it: its text, or `\xE2` for bytes that are no text by themselves. */
  textOf(id: number): string {
    const piece = this.pieceOf(id);
    if (piece === undefined) return `<id ${id}>`;
    if (this.#added.byId.has(id)) return piece;
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
    return this.#added.byId.get(id)?.special === true;
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
      const text = this.#decode(kept.map(id => this.pieceOf(id)).filter(piece => piece !== undefined));
      return this.#config.clean_up_tokenization_spaces === true ? cleanUp(text, false) : text;
    }
    const encoder = new TextEncoder();
    return decodeBytes(
      kept.map(id => {
        const piece = this.pieceOf(id) ?? '';
        return (this.#added.byId.has(id) ? undefined : fromByteAlphabet(piece)) ?? encoder.encode(piece);
      }),
    );
  }

  /**
   * A tokenizer with these tokens as well, e.g. the control tokens of a chat template. A token that is there keeps its id; new ones
   * get the next ids, in order. Give the model rows for them with `models.resizeVocabulary(model, tokenizer)`.
   * @param tokens their texts, or entries as in tokenizer.json (`lstrip`, `rstrip`, `single_word`, `normalized`).
   * @param options.special whether they are structure, which text from data never becomes; default true.
   * @returns a new tokenizer: rows that were encoded with this one stay as they are.
   */
  addTokens(tokens: readonly (string | NewToken)[], options: { special?: boolean } = {}): Tokenizer {
    const { special = true } = options;
    const added = [...this.#json.added_tokens];
    const { vocab } = this.#engine.model;
    for (const given of tokens) {
      const token: NewToken = typeof given === 'string' ? { content: given } : given;
      if (typeof token?.content !== 'string' || token.content === '') {
        throw new BadInput({
          problem: 'this cannot be added as a token',
          expected: 'a text of at least one character, or {content, …}',
          found: quote(given),
          fix: "pass texts: tokenizer.addTokens(['<|im_start|>', '<|im_end|>'])",
        });
      }
      const at = added.findIndex(t => t.content === token.content);
      const entry: AddedToken = {
        id: 0,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: !(token.special ?? special),
        special,
        ...(at >= 0 ? added[at] : {}),
        ...token,
      };
      if (at >= 0) added[at] = entry;
      else added.push({ ...entry, id: vocab.get(token.content) ?? nextId(added, this.#engine.model) });
    }
    const { config, options: own } = this.parts();
    return new Tokenizer({ ...this.#json, added_tokens: added }, config, own);
  }

  /** Write tokenizer.json and tokenizer_config.json into a directory, as Hugging Face's libraries read them. */
  async save(dir: string): Promise<void> {
    const { join } = await import('node:path');
    const { generation_eos_ids: _, ...config } = this.#config;
    const tokens = { bos_token: this.bosToken, eos_token: this.eosToken, pad_token: this.padToken };
    await writeFileAtomic(join(dir, 'tokenizer.json'), `${JSON.stringify(this.#json, null, 1)}\n`);
    await writeFileAtomic(join(dir, 'tokenizer_config.json'), `${JSON.stringify({ ...config, ...tokens }, null, 2)}\n`);
  }

  /** What {@link Tokenizer.fromJSON} makes the same tokenizer from, e.g. in another thread. */
  parts(): { json: object; config: TokenizerConfig; options: TokenizerOptions } {
    const { bosToken, eosToken, padToken } = this;
    const options = { bosToken, eosToken, padToken, contentTokens: [...this.#contentTokens] };
    return { json: this.#json, config: this.#config, options };
  }

  /** The tokenizer.json this was made from. */
  toJSON(): object {
    return this.#json;
  }

  #lookUps(tokens: AddedToken[]): AddedTokens {
    let size = 0;
    for (const id of this.#engine.model.vocab.values()) size = Math.max(size, id + 1);
    for (const { id } of tokens) size = Math.max(size, id + 1);
    const inContent = (t: AddedToken) => !t.special && (t.content.trim() === '' || this.#contentTokens.has(t.content));
    return {
      size,
      byId: new Map(tokens.map(t => [t.id, t])),
      byText: new Map(tokens.map(t => [t.content, t])),
      all: new Matcher(tokens),
      content: new Matcher(tokens.filter(inContent)),
      raw: new Matcher(tokens.filter(t => !t.normalized)),
      normalised: new Matcher(
        tokens.filter(t => t.normalized),
        content => this.#engine.normalised(content),
      ),
    };
  }

  /** What the post-processor puts before and after a sequence, corrected by `add_bos_token` and `add_eos_token`. */
  #specials(): [number[], number[]] {
    let [before, after] = specialsOf(this.#json.post_processor, token => this.idOf(token));
    const { add_bos_token, add_eos_token } = this.#config;
    const { bosId, eosId } = this;
    if (bosId !== undefined && add_bos_token === true && !before.includes(bosId)) before = [bosId, ...before];
    if (bosId !== undefined && add_bos_token === false) before = before.filter(id => id !== bosId);
    if (eosId !== undefined && add_eos_token === true && !after.includes(eosId)) after = [...after, eosId];
    if (eosId !== undefined && add_eos_token === false) after = after.filter(id => id !== eosId);
    return [before, after];
  }
}

/** The added tokens of a tokenizer, ready to be looked up and found. */
interface AddedTokens {
  /** One more than the highest id of the whole vocabulary. */
  size: number;
  byId: Map<number, AddedToken>;
  byText: Map<string, AddedToken>;
  all: Matcher;
  /** Those that text from data may hold. */
  content: Matcher;
  /** Those looked for before normalisation, and those looked for after it. */
  raw: Matcher;
  normalised: Matcher;
}

/**
 * Ids as Hugging Face's reader gives them, whatever the file says: a token of the model keeps the model's id, the others
 * are numbered on from the size of the model's vocabulary.
 */
function assignIds(tokens: readonly AddedToken[], model: WordModel): AddedToken[] {
  const out = new Map<string, AddedToken>();
  for (const token of tokens) {
    const id = out.get(token.content)?.id ?? model.vocab.get(token.content) ?? nextId([...out.values()], model);
    if (token.content !== '') out.set(token.content, { ...token, id });
  }
  return [...out.values()];
}

function nextId(tokens: readonly AddedToken[], { vocab, pieces }: WordModel): number {
  return tokens.reduce((next, { id }) => Math.max(next, id + 1), pieces?.length ?? vocab.size);
}

function push(pieces: Pieces, id: number, start: number, end: number): void {
  pieces.ids.push(id);
  pieces.starts.push(start);
  pieces.ends.push(end);
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

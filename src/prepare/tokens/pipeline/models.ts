import { BadInput, quote } from '../../../base/core/index.js';
import type { TokenizerJson } from '../hf.js';
import { Bpe } from './bpe.js';
import { Unigram } from './unigram.js';
import { need, type Word, type WordModel } from './word-model.js';

/** The model of a tokenizer.json. */
export function modelOf(json: TokenizerJson): WordModel {
  const { model } = json;
  const type = model.type ?? guess(model);
  if (type === 'Unigram') return new Unigram(model);
  const vocab = new Map(Object.entries(model.vocab as Record<string, number>));
  if (type === 'BPE') return new Bpe(model, vocab);
  if (type === 'WordPiece') return new WordPiece(model, vocab);
  if (type === 'WordLevel') return new WordLevel(model, vocab);
  throw new BadInput({
    problem: `the model ${quote(type)} is not known`,
    expected: 'BPE, Unigram, WordPiece or WordLevel',
    fix: 'check the file with Python: tokenizers.Tokenizer.from_file(…)',
  });
}

/** Files of early versions name no type. */
function guess(model: TokenizerJson['model']): string {
  if (Array.isArray(model.vocab)) return 'Unigram';
  if (model.merges !== undefined) return 'BPE';
  return model.max_input_chars_per_word !== undefined ? 'WordPiece' : 'WordLevel';
}

/** Longest match first (Schuster and Nakajima 2012; BERT). */
class WordPiece implements WordModel {
  readonly #prefix: string;
  readonly #limit: number;
  readonly #unknown: string;
  readonly #longest: number;

  constructor(
    model: TokenizerJson['model'],
    readonly vocab: ReadonlyMap<string, number>,
  ) {
    this.#prefix = (model.continuing_subword_prefix as string | undefined) ?? '##';
    this.#limit = (model.max_input_chars_per_word as number | undefined) ?? 100;
    this.#unknown = (model.unk_token as string | undefined) ?? '[UNK]';
    let longest = 0;
    for (const token of vocab.keys()) longest = Math.max(longest, token.length);
    this.#longest = longest;
  }

  tokenise(word: string, hidden: ReadonlySet<number>): Word {
    const unknown = (): Word => ({ ids: [need(this.vocab, this.#unknown)], starts: [0], ends: [word.length], lost: false });
    if (word.length > this.#limit && [...word].length > this.#limit) return unknown();
    const out: Word = { ids: [], starts: [], ends: [], lost: false };
    let start = 0;
    while (start < word.length) {
      let end = Math.min(word.length, start + this.#longest);
      let id: number | undefined;
      for (; end > start; end--) {
        id = this.vocab.get(start > 0 ? this.#prefix + word.slice(start, end) : word.slice(start, end));
        if (id !== undefined && (!hidden.has(id) || word === this.#unknown)) break;
        id = undefined;
      }
      if (id === undefined) return unknown();
      out.ids.push(id);
      out.starts.push(start);
      out.ends.push(end);
      start = end;
    }
    return out;
  }
}

/** Whole words or nothing. */
class WordLevel implements WordModel {
  readonly #unknown: string;

  constructor(
    model: TokenizerJson['model'],
    readonly vocab: ReadonlyMap<string, number>,
  ) {
    this.#unknown = (model.unk_token as string | undefined) ?? '<unk>';
  }

  tokenise(word: string, hidden: ReadonlySet<number>): Word {
    const found = this.vocab.get(word);
    const id = found !== undefined && !hidden.has(found) ? found : need(this.vocab, this.#unknown);
    return { ids: [id], starts: [0], ends: [word.length], lost: false };
  }
}

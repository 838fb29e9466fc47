import { BadInput, quote } from '../../../base/core/index.js';

/** A word in tokens: ids, and for each [start, end) in UTF-16 units of the word. */
export interface Word {
  ids: number[];
  starts: number[];
  ends: number[];
  /** True when a part of the word has no token at all, which happens to models without an unknown token. */
  lost: boolean;
}

/** What turns a word into tokens. */
export interface WordModel {
  readonly vocab: ReadonlyMap<string, number>;
  /** Pieces by id, where the vocabulary lists one twice. */
  readonly pieces?: readonly string[];
  /** @param hidden ids of structural tokens, which models that look up whole strings must not find in this text. */
  tokenise(word: string, hidden: ReadonlySet<number>): Word;
  /** Where a long text may be cut without changing its tokens, if anywhere: see {@link Bpe}. */
  readonly cut?: RegExp;
}

/** The id of the unknown token, which a model without one cannot do without. */
export function need(vocab: ReadonlyMap<string, number>, token: string): number {
  const id = vocab.get(token);
  if (id !== undefined) return id;
  throw new BadInput({
    problem: 'the text holds what this vocabulary cannot spell, and its unknown token is missing',
    expected: `${quote(token)} in the vocabulary`,
    fix: 'use another tokenizer for this text, or remove the characters it cannot spell',
  });
}

import MiniSearch from 'minisearch';
import { BadInput, quote } from '../../../base/core/index.js';
import { words } from '../../../base/text/index.js';

/** A passage that was found. */
export interface Passage {
  text: string;
  /** Its place among the passages the retriever was made of, from 0. */
  index: number;
  /** BM25+ score, times how many of the question's words the passage has: larger is nearer. */
  score: number;
}

/** Finds passages by the words they share with a question. */
export interface Retriever {
  /** The `k` nearest passages, best first; fewer when fewer share a word with the question. Of equal scores the earlier comes first. */
  search(question: string, k?: number): Passage[];
}

// Words that stand in every note and every question say nothing about which belong together.
const STOP = new Set(
  'a an and are at by did do does for from in is it of on or that the to was what when where which who with'.split(' '),
);

/**
 * A retriever over passages: BM25+ (Lv & Zhai 2011; k 1.2, b 0.7, d 0.5) through the package minisearch, without stop words,
 * prefixes or guesses at spelling.
 * `tasks.retriever(['tom bought a pen', 'mia sold a lamp']).search('who sold the lamp?', 1)[0].text`
 */
export function retriever(passages: readonly string[]): Retriever {
  const index = new MiniSearch<{ id: number; text: string }>({
    fields: ['text'],
    // Also of Chinese or Thai, which sets no spaces between them.
    tokenize: words,
    processTerm: term => (STOP.has(term.toLowerCase()) ? null : term.toLowerCase()),
  });
  index.addAll(passages.map((text, id) => ({ id, text })));
  return {
    search(question, k = 3) {
      if (!Number.isInteger(k) || k < 1)
        throw new BadInput({
          problem: 'so many passages cannot be found',
          where: { key: 'k' },
          expected: 'an integer from 1',
          found: quote(k),
        });
      return index
        .search(question)
        .map(({ id, score }) => ({ text: passages[id as number]!, index: id as number, score }))
        .sort((a, b) => b.score - a.score || a.index - b.index)
        .slice(0, k);
    },
  };
}

import { BadInput, quote } from '../../base/core/index.js';
import type { Tokenizer } from '../../prepare/tokens/index.js';

/** Rows of plain text: every token is predicted from those before it. */
export interface TextRow {
  ids: number[];
  /** Equal to the ids: all of the text is trained (the first token has nothing before it and carries no loss). */
  labels: number[];
}

/**
 * Base text as training rows: the lines joined by line breaks, encoded, and cut into windows of `length` tokens. The rest
 * that fills no window is left out. For training a base model, for replay, and for measuring what is left of it.
 * @throws BadInput when the text does not fill one window.
 */
export function textRows(options: { tokenizer: Tokenizer; texts: readonly string[]; length?: number }): TextRow[] {
  const { tokenizer, texts, length = 64 } = options;
  if (!Array.isArray(texts) || !texts.every(text => typeof text === 'string'))
    throw new BadInput({
      problem: 'this is no base text',
      where: { key: 'texts' },
      expected: 'an array of lines',
      found: quote(texts),
    });
  if (!(Number.isInteger(length) && length >= 2))
    throw new BadInput({
      problem: 'windows cannot have this length',
      where: { key: 'length' },
      expected: 'a whole number from 2: the first token of a window is not predicted',
      found: quote(length),
    });
  const ids = texts.flatMap(text => tokenizer.encodeContent(`${text}\n`).ids);
  const rows: TextRow[] = [];
  for (let start = 0; start + length <= ids.length; start += length) {
    const window = ids.slice(start, start + length);
    rows.push({ ids: window, labels: window });
  }
  if (rows.length === 0)
    throw new BadInput({
      problem: `${texts.length} texts are too short for one window`,
      where: { key: 'texts' },
      expected: `at least ${length} tokens`,
      found: `${ids.length}`,
      fix: 'give more text, or a smaller length',
    });
  return rows;
}

import { BadInput, quote } from '../../../base/core/index.js';
import { contentText, type Row } from '../../data/index.js';
import { LETTERS } from './world.js';

/** The end of an answer; also what shorter rows would be padded with. */
export const END = '<end>';

/** One token a character: the end, what separates rule, input and answer, and the sixteen letters. A token's id is its place here. */
export const VOCABULARY: readonly string[] = [END, '>', ':', '=', ...LETTERS];

const ID_OF = new Map(VOCABULARY.map((token, id) => [token, id]));

/** A row as ids, for training (`labels` unshifted, −100 where nothing is learned). */
export interface RewritingIds {
  ids: number[];
  labels: number[];
}

/** The ids of a text of this world. */
export function idsOf(text: string): number[] {
  return Array.from(text, character => {
    const id = ID_OF.get(character);
    if (id === undefined)
      throw new BadInput({
        problem: 'this character is none of the world of rewriting',
        expected: `one of ${VOCABULARY.slice(1).join(' ')}`,
        found: quote(character),
      });
    return id;
  });
}

/** The text of ids, up to the first end. */
export function textOf(ids: readonly number[]): string {
  const end = ids.indexOf(0);
  return (end < 0 ? ids : ids.slice(0, end)).map(id => VOCABULARY[id] ?? '?').join('');
}

/**
 * A row as 24 ids: `ab>cd:xxabxxxx=` (15), the answer (8) and the end (1).
 * `train: 'all'` gives every id a label (whole-sequence loss); `response`, the default, the answer and the end alone.
 */
export function encodeRow(row: Row, { train = 'response' }: { train?: 'all' | 'response' } = {}): RewritingIds {
  const [prompt, answer] = row.messages.map(message => idsOf(contentText(message))) as [number[], number[]];
  const ids = [...prompt, ...answer, 0];
  return { ids, labels: ids.map((id, i) => (train === 'all' || i >= prompt.length ? id : -100)) };
}

/** The tokenizer as Hugging Face's tokenizer.json, for `Tokenizer.fromJSON`: the same ids through the ordinary path of text. */
export const TOKENIZER_JSON: object = {
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: [{ id: 0, content: END, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }],
  normalizer: null,
  pre_tokenizer: { type: 'Split', pattern: { Regex: '.' }, behavior: 'Isolated', invert: false },
  post_processor: null,
  decoder: { type: 'Fuse' },
  model: { type: 'WordLevel', vocab: Object.fromEntries(VOCABULARY.map((token, id) => [token, id])), unk_token: END },
};

import { describe, expect, it } from 'vitest';
import { BadInput } from '../../../src/base/core/index.js';
import type { Row } from '../../../src/prepare/data/index.js';
import { encodeSeq2Seq, encodeSeq2SeqPrompt, encodeSeq2SeqRows } from '../../../src/prepare/tokens/index.js';
import { unigramTokenizer } from '../../helpers/unigram.js';

const PIECES = ['▁', '▁question', ':', '▁sum', 'marize', '▁a', '▁b', '▁long', '▁text', '▁yes', '▁no', '▁answer'];
const tokenizer = unigramTokenizer(PIECES);
const id = (piece: string) => 3 + PIECES.indexOf(piece);
const ask = { role: 'user' as const, content: 'summarize: a long text' };
const said = { role: 'assistant' as const, content: 'yes' };

describe('rows for an encoder–decoder', () => {
  it('have the prompt on one side and the answer on the other, both with EOS, as transformers’ tokenizers have it', () => {
    const { ids, labels, weights, trained, truncated } = encodeSeq2Seq([ask, said], { tokenizer, template: 't5' });
    expect(ids).toEqual(tokenizer.encode('summarize: a long text').ids);
    expect(labels).toEqual(tokenizer.encode('yes').ids);
    expect(labels).toEqual([id('▁yes'), 1]);
    expect({ weights, trained, truncated }).toEqual({ weights: undefined, trained: 2, truncated: false });
  });

  it('end with one EOS whatever the template, and with the prompt that generation is given', () => {
    for (const template of ['t5', 'flan', 'alpaca']) {
      const { ids } = encodeSeq2Seq([ask, said], { tokenizer, template });
      expect(
        ids.filter(token => token === 1),
        template,
      ).toHaveLength(1);
      expect(ids.at(-1)).toBe(1);
      expect(encodeSeq2SeqPrompt([ask], { tokenizer, template })).toEqual(ids);
    }
  });

  it('leave text that looks like a special token text', () => {
    const { labels } = encodeSeq2Seq([ask, { ...said, content: 'yes </s>' }], { tokenizer, template: 't5' });
    expect(labels.filter(token => token === 1)).toHaveLength(1);
  });

  it('are cut on either side, EOS kept', () => {
    const row = encodeSeq2Seq([ask, { ...said, content: 'yes no yes no' }], { tokenizer, template: 't5', maxLength: 3 });
    expect(row.ids).toEqual([id('▁sum'), id('marize'), 1]);
    expect(row.labels).toEqual([id('▁yes'), id('▁no'), 1]);
    expect(row.truncated).toBe(true);
  });

  it('carry the weight of their answer', () => {
    const { weights, labels } = encodeSeq2Seq([ask, { ...said, weight: 0.5 }], { tokenizer, template: 't5' });
    expect(weights).toEqual(labels.map(() => 0.5));
  });

  it('need an answer and an EOS', () => {
    expect(() => encodeSeq2Seq([ask], { tokenizer, template: 't5' })).toThrow(/no answer/);
    expect(() => encodeSeq2Seq([], { tokenizer, template: 't5' })).toThrow(BadInput);
    expect(() => encodeSeq2Seq([ask, said], { tokenizer, template: 't5', maxLength: 1 })).toThrow(/maxLength/);
  });

  it('are counted, and dropped where they cannot be made', () => {
    const rows: Row[] = [
      { messages: [ask, said] },
      { messages: [ask] },
      { messages: [ask, { ...said, weight: 0 }] },
      { messages: [ask, { ...said, content: 'no no' }] },
    ];
    const { rows: made, summary } = encodeSeq2SeqRows(rows, { tokenizer, template: 't5' });
    expect(made.map(row => row.labels.length)).toEqual([2, 3]);
    expect(summary).toMatchObject({ rows: 4, kept: 2, trainedTokens: 5, truncated: 0 });
    expect(summary.dropped.map(({ index }) => index)).toEqual([1, 2]);
    expect(() => encodeSeq2SeqRows(rows.slice(1, 3), { tokenizer, template: 't5' })).toThrow(/train nothing/);
  });
});

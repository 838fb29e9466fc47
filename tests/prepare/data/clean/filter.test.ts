import { describe, expect, it, vi } from 'vitest';
import { Interrupted } from '../../../../src/base/core/index.js';
import { filter, type Row } from '../../../../src/prepare/data/index.js';

const row = (user: string, assistant: string): Row => ({
  messages: [
    { role: 'user', content: user },
    { role: 'assistant', content: assistant },
  ],
});

describe('filter', () => {
  it('counts every reason and drops nothing unlisted', async () => {
    const rows = [row('q', 'one two three'), row('q', 'one'), row('q', 'a b c d e f'), row('q', 'no'), row('q', 'bad word here')];
    const {
      rows: kept,
      removed,
      report,
    } = await filter(rows, {
      on: 'response',
      words: { min: 2, max: 5 },
      keep: { 'holds a bad word': r => !/bad/.test(r.messages[1]!.content as string) },
    });
    expect(kept).toEqual([rows[0]]);
    expect(removed).toEqual([
      { index: 1, reason: 'fewer than 2 words' },
      { index: 2, reason: 'more than 5 words' },
      { index: 3, reason: 'fewer than 2 words' },
      { index: 4, reason: 'holds a bad word' },
    ]);
    expect(report.reasons).toEqual([
      { reason: 'fewer than 2 words', rows: 2, share: 0.4 },
      { reason: 'more than 5 words', rows: 1, share: 0.2 },
      { reason: 'holds a bad word', rows: 1, share: 0.2 },
    ]);
    expect(report.kept + report.removed).toBe(report.read);
  });

  it('measures characters as Unicode does, and tokens with a tokenizer', async () => {
    expect((await filter(['👍👍', 'abc'], { chars: { max: 2 } })).rows).toEqual(['👍👍']);
    expect((await filter(['用中文写', 'two words'], { words: { min: 3 } })).rows).toEqual(['用中文写']);
    const tokenizer = { encode: (text: string) => ({ ids: [...text].map(c => c.charCodeAt(0)) }) };
    expect((await filter(['ab', 'abcd'], { tokens: { min: 3 }, tokenizer })).rows).toEqual(['abcd']);
    await expect(filter(['a'], { tokens: { max: 3 } })).rejects.toThrow(/without a tokenizer/);
  });

  it('refuses what is no filter', async () => {
    await expect(filter(['a'], {})).rejects.toThrow(/at least one of chars/);
    await expect(filter(['a'], { chars: { min: 3, max: 2 } })).rejects.toThrow(/min ≤ max/);
    await expect(filter(['a'], { keep: { x: true as never } })).rejects.toThrow(/keep\.x/);
    await expect(filter(['a'], { language: [] })).rejects.toThrow(/language\.keep/);
  });

  it('stops when it is told to', async () => {
    const stop = new AbortController();
    const rows = Array.from({ length: 5000 }, (_, i) => `row ${i}`);
    let seen = 0;
    const keep = {
      counted: () => {
        if (++seen === 1500) stop.abort();
        return true;
      },
    };
    await expect(filter(rows, { keep, signal: stop.signal })).rejects.toThrow(Interrupted);
    expect(seen).toBe(1500);
  });
});

const SENTENCES = [
  'The committee will meet again next Thursday to discuss the remaining questions about the budget.',
  'Der Ausschuss trifft sich am kommenden Donnerstag wieder, um die offenen Fragen zum Haushalt zu besprechen.',
  'Le comité se réunira à nouveau jeudi prochain pour discuter des questions restantes concernant le budget.',
];

describe('language filter', () => {
  it('keeps the languages asked for, with eld', async () => {
    const { rows, report } = await filter(SENTENCES, { language: ['en', 'fr'] });
    expect(rows).toEqual([SENTENCES[0], SENTENCES[2]]);
    expect(report.reasons).toEqual([{ reason: 'language de', rows: 1, share: 1 / 3 }]);
  });

  it('keeps what cannot be told, unless asked otherwise', async () => {
    const texts = [SENTENCES[0]!, '12 + 5', ''];
    expect((await filter(texts, { language: ['en'] })).rows).toEqual(texts);
    const strict = await filter(texts, { language: { keep: ['en'], keepUnsure: false } });
    expect(strict.rows).toEqual([SENTENCES[0]]);
    expect(strict.report.reasons[0]).toMatchObject({ reason: 'language not sure', rows: 2 });
  });

  it('takes a detector of your own, synchronous or not', async () => {
    const detect = (text: string) => ({ language: text.startsWith('¡') ? 'es' : 'en' });
    expect((await filter(['¡hola', 'hi'], { language: { keep: ['es'], detect } })).rows).toEqual(['¡hola']);
    const slow = async (text: string) => detect(text);
    expect((await filter(['¡hola', 'hi'], { language: { keep: ['es'], detect: slow } })).rows).toEqual(['¡hola']);
  });

  it('says what to install when eld is absent', async () => {
    vi.doMock('eld/small', () => {
      throw new Error("Cannot find package 'eld'");
    });
    await expect(filter(SENTENCES, { language: ['en'] })).rejects.toThrow(
      /eld cannot be loaded.*npm install eld@2\.1\.0.*detect/,
    );
    vi.doUnmock('eld/small');
  });
});

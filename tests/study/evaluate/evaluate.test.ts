import { describe, expect, test } from 'vitest';
import { BadInput, Interrupted, onProgress, type ProgressEvent, VIEW, viewOf } from '../../../src/base/core/index.js';
import type { Row } from '../../../src/prepare/data/index.js';
import { get } from '../../../src/prepare/templates/index.js';
import { trainBPE } from '../../../src/prepare/tokens/index.js';
import {
  type AnsweringModel,
  compare,
  complete,
  exactMatch,
  ladder,
  meanLoss,
  normalise,
  responseLoss,
  wilson,
} from '../../../src/study/evaluate/index.js';

const tokenizer = trainBPE(['user assistant copy these words : cat dog pen bread'], { vocabSize: 300 });
const template = get('chatml');
const END = tokenizer.idOf('<|im_end|>')!;

const row = (question: string, answer: string, task?: string): Row => ({
  messages: [
    { role: 'user', content: question },
    { role: 'assistant', content: answer },
  ],
  ...(task ? { task } : {}),
});

/** A model that answers what `reply` says to the text of the prompt, then a stop token, then rubbish. */
function stub(reply: (prompt: string) => string, seen: number[][][] = []): AnsweringModel {
  return {
    async generate(ids, { maxNewTokens, stopIds }) {
      seen.push(ids);
      return {
        ids: ids.map(prompt => {
          const answer = [...tokenizer.encodeContent(reply(tokenizer.decode(prompt))).ids, ...stopIds.slice(0, 1)];
          return [...prompt, ...answer, ...tokenizer.encodeContent('cat cat').ids].slice(0, prompt.length + maxNewTokens);
        }),
      };
    },
  };
}

const asked = (prompt: string) => /user\n([^<]*)/.exec(prompt)![1]!;

describe('exactMatch', () => {
  const rows = [
    row('copy : cat', 'cat', 'copy'),
    row('copy : dog pen bread cat', 'dog pen bread cat', 'copy'),
    row('last : dog cat', 'cat', 'last'),
    row('last : pen cat', 'cat', 'last'),
    row('copy : pen', 'pen', 'copy'),
  ];

  test('compares the answer up to the end of the turn, keeps the order of the rows, and scores by task', async () => {
    const seen: number[][][] = [];
    const model = stub(prompt => (asked(prompt).startsWith('copy') ? asked(prompt).slice(7) : 'dog'), seen);
    const scores = await exactMatch({ model, tokenizer, template, rows, batchSize: 2 });
    expect(scores.samples.map(s => s.prompt)).toEqual(rows.map(r => r.messages[0]!.content));
    expect(scores.samples.map(s => s.correct)).toEqual([true, true, false, false, true]);
    expect(scores.samples[2]).toEqual({ prompt: 'last : dog cat', expected: 'cat', got: 'dog', correct: false, task: 'last' });
    expect([scores.n, scores.score]).toEqual([5, 0.6]);
    expect(scores.byTask).toEqual([
      { task: 'copy', n: 3, score: 1 },
      { task: 'last', n: 2, score: 0 },
    ]);
    expect(seen.map(batch => batch.length)).toEqual([2, 2, 1]);
    const lengths = seen.flat().map(prompt => prompt.length);
    expect(lengths).toEqual([...lengths].sort((a, b) => a - b));
    expect(viewOf(scores)).toMatchObject({ kind: 'scores', data: { score: 0.6, samples: scores.samples } });
  });

  test('the prompt is what precedes the answer in training, and holds nothing of the answer', async () => {
    const seen: number[][][] = [];
    await exactMatch({ model: stub(() => 'x', seen), tokenizer, template, rows: rows.slice(0, 1) });
    expect(tokenizer.decode(seen[0]![0]!)).toBe('<|im_start|>user\ncopy : cat<|im_end|>\n<|im_start|>assistant\n');
  });

  test('an answer without an end is compared as far as it goes', async () => {
    const endless: AnsweringModel = {
      generate: async (ids, { maxNewTokens }) => ({
        ids: ids.map(p => [...p, ...Array(maxNewTokens).fill(tokenizer.encodeContent('a').ids[0])]),
      }),
    };
    const scores = await exactMatch({ model: endless, tokenizer, template, rows: [row('say', 'aaa')], maxNewTokens: 3 });
    expect(scores.score).toBe(1);
    expect((await exactMatch({ model: endless, tokenizer, template, rows: [row('say', 'aaa')], maxNewTokens: 4 })).score).toBe(0);
  });

  test('case and white space do not count, other characters do; another comparison can be given', async () => {
    expect(normalise('  Cat \n dog')).toBe('cat dog');
    expect(normalise('cat.')).not.toBe(normalise('cat'));
    const model = stub(() => ' CAT ');
    expect((await exactMatch({ model, tokenizer, template, rows: rows.slice(0, 1) })).score).toBe(1);
    expect((await exactMatch({ model, tokenizer, template, rows: rows.slice(0, 1), normalise: text => text })).score).toBe(0);
  });

  test('refuses rows that cannot be scored, stops when told, reports progress', async () => {
    const model = stub(() => 'cat');
    await expect(exactMatch({ model, tokenizer, template, rows: [] })).rejects.toThrow(BadInput);
    const open: Row = { messages: [{ role: 'user', content: 'x' }], source: 'rows.json', line: 7 };
    await expect(exactMatch({ model, tokenizer, template, rows: [open] })).rejects.toThrow(/rows\.json:7.*assistant/);
    const signal = AbortSignal.abort();
    await expect(exactMatch({ model, tokenizer, template, rows, signal })).rejects.toThrow(Interrupted);
    const events: ProgressEvent[] = [];
    const off = onProgress(event => events.push(event));
    await exactMatch({ model, tokenizer, template, rows, batchSize: 2 });
    off();
    expect(events.filter(e => e.unit === 'prompts' && !e.finished).map(e => e.done)).toEqual([2, 4, 5]);
  });
});

describe('ladder', () => {
  test('scores every rung with an interval', async () => {
    const model = stub(prompt => (asked(prompt) === 'a' ? 'yes' : 'no'));
    const rungs = { near: [row('a', 'yes'), row('b', 'no')], far: [row('b', 'yes'), row('a', 'yes')] };
    const found = await ladder({ model, tokenizer, template, rungs });
    expect(found.rungs.map(({ rung, n, score }) => [rung, n, score])).toEqual([
      ['near', 2, 1],
      ['far', 2, 0.5],
    ]);
    expect(found.mean()).toBe(0.75);
    expect(found.mean(['far'])).toBe(0.5);
    expect(() => found.score('nowhere')).toThrow(/near, far/);
    expect(viewOf(found)).toMatchObject({ kind: 'table', data: [{ rung: 'near', rows: 2, 'exact match': '100\u00a0%' }, {}] });
  });

  test('two ladders compare rung by rung and answer by answer', async () => {
    const rungs = { near: [row('a', 'yes'), row('b', 'no'), row('c', 'no')] };
    const before = await ladder({ model: stub(() => 'what'), tokenizer, template, rungs });
    const after = await ladder({ model: stub(() => 'no'), tokenizer, template, rungs });
    const found = compare(before, after);
    expect(found.rows).toEqual([{ label: 'near', before: 0, after: 2 / 3, unit: 'share', better: 'higher' }]);
    expect(found.samples()).toEqual([
      { task: 'near', prompt: 'a', expected: 'yes', before: 'what', after: 'no', correct: false },
      { task: 'near', prompt: 'b', expected: 'no', before: 'what', after: 'no', correct: true },
    ]);
    expect(viewOf(found)).toMatchObject({ kind: 'beforeAfter', data: { rows: found.rows } });
  });

  test('wilson agrees with published values', () => {
    // Newcombe 1998, table I: 81 of 263, and 0 of 20.
    const some = wilson(81, 263);
    expect([some.low, some.high].map(x => x.toFixed(4))).toEqual(['0.2553', '0.3662']);
    const none = wilson(0, 20);
    expect([none.low, none.high].map(x => x.toFixed(4))).toEqual(['0.0000', '0.1611']);
  });
});

describe('complete', () => {
  test('continues plain text without a template, up to a stop text', async () => {
    const seen: number[][][] = [];
    const found = await complete({ model: stub(() => ' dog . pen', seen), tokenizer, prompts: ['cat', 'bread'], stop: [' .'] });
    expect([...found]).toEqual([
      { prompt: 'cat', continuation: ' dog' },
      { prompt: 'bread', continuation: ' dog' },
    ]);
    expect(
      seen
        .flat()
        .map(ids => tokenizer.decode(ids))
        .sort(),
    ).toEqual(['bread', 'cat']);
    expect(viewOf(found)?.kind).toBe('table');
    expect(found.map(f => f.prompt)).toEqual(['cat', 'bread']);
    expect(VIEW in found.map(f => f.prompt)).toBe(false);
  });
});

describe('losses', () => {
  test('are sums over sums, whatever the batches', async () => {
    // A row's loss is its first id on each of its labelled tokens but the first.
    const model = {
      lossSum: ({ ids, labels }: { ids: number[][]; labels: number[][] }) => {
        const counts = labels.map(l => l.slice(1).filter(x => x !== -100).length);
        return {
          numerator: counts.reduce((sum, n, i) => sum + n * ids[i]![0]!, 0),
          denominator: counts.reduce((a, b) => a + b, 0),
        };
      },
    };
    const rows = [3, 1, 4].map(n => ({ ids: Array(n + 1).fill(n), labels: Array(n + 1).fill(n) }));
    for (const batchSize of [1, 2, 3]) expect(await meanLoss({ model, rows, batchSize })).toEqual({ loss: 26 / 8, tokens: 8 });
    for (const none of [[], [{ ids: [1, 2], labels: [-100, -100] }]])
      await expect(meanLoss({ model, rows: none })).rejects.toThrow(/no token of which the loss/);
  });

  test('responseLoss measures the response and its end of turn alone', async () => {
    const batches: { labels: number[][] }[] = [];
    const model = {
      lossSum: (batch: { labels: number[][] }) => {
        batches.push(batch);
        return { numerator: 6, denominator: 3 };
      },
    };
    const found = await responseLoss({ model, tokenizer, template, rows: [row('copy : cat dog', 'cat dog')] });
    expect(found).toEqual({ loss: 2, tokens: 3 });
    const labels = batches[0]!.labels[0]!.filter(label => label !== -100);
    expect(tokenizer.decode(labels)).toBe('cat dog<|im_end|>');
    expect(labels.at(-1)).toBe(END);
  });
});

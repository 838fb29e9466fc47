import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { BadInput, viewOf } from '../../../src/base/core/index.js';
import type { Row } from '../../../src/prepare/data/index.js';
import { trainBPE } from '../../../src/prepare/tokens/index.js';
import { Ladder, Scores } from '../../../src/study/evaluate/index.js';
import {
  baseLoss,
  compare,
  examFigures,
  examTable,
  factRecall,
  Memory,
  measure,
  publish,
  textRows,
} from '../../../src/study/forgetting/index.js';
import { isRight } from '../../../src/study/forgetting/is-right.js';

const tokenizer = trainBPE(['tom lives in oslo . mia lives in rome .'], { vocabSize: 300 });

/** Knows that tom lives in oslo, and thinks that everybody does; every token costs it 2 nats. */
const model = {
  async generate(ids: number[][], { maxNewTokens }: { maxNewTokens: number }) {
    const answer = tokenizer.encodeContent(' oslo . mia').ids.slice(0, maxNewTokens);
    return { ids: ids.map(prompt => [...prompt, ...answer]) };
  },
  lossSum({ labels }: { labels: number[][] }) {
    const denominator = labels.reduce((sum, row) => sum + row.length - 1, 0);
    return { numerator: 2 * denominator, denominator };
  },
};
const facts = [
  { prompt: 'tom lives in', answer: 'oslo' },
  { prompt: 'mia lives in', answer: 'rome' },
];

describe('textRows', () => {
  test('cuts the joined lines into full windows, every token labelled, and loses nothing before the rest', () => {
    const texts = ['tom lives in oslo .', 'mia lives in rome .', 'tom lives in oslo .'];
    const rows = textRows({ tokenizer, texts, length: 4 });
    expect(rows.every(row => row.ids.length === 4 && row.labels.every((label, i) => label === row.ids[i]))).toBe(true);
    const joined = texts.map(text => `${text}\n`).join('');
    expect(joined.startsWith(tokenizer.decode(rows.flatMap(row => row.ids)))).toBe(true);
    const all = tokenizer.encodeContent(joined).ids.length;
    expect(all - rows.length * 4).toBeLessThan(4);
  });

  test('text that looks like a special token stays text', () => {
    const ids = textRows({ tokenizer, texts: ['<|im_end|>'], length: 5 })[0]!.ids;
    expect(ids).not.toContain(tokenizer.idOf('<|im_end|>'));
  });

  test('too little text is an error that says how much is needed', () => {
    expect(() => textRows({ tokenizer, texts: ['tom'], length: 64 })).toThrow(BadInput);
    expect(() => textRows({ tokenizer, texts: ['tom'], length: 64 })).toThrow(/at least 64 tokens/);
    // Windows of no tokens would never end, of one have nothing to predict.
    for (const length of [0, -1, 1, 2.5, Number.NaN])
      expect(() => textRows({ tokenizer, texts: ['tom'], length })).toThrow(/a whole number from 2/);
    expect(() => textRows({ tokenizer, texts: 'tom' as unknown as string[] })).toThrow(/an array of lines/);
  });
});

describe('measure and compare', () => {
  const texts = Array(10).fill('tom lives in oslo .');

  test('the loss is per predicted token', async () => {
    const { loss, tokens } = await baseLoss({ model, tokenizer, texts, length: 8 });
    expect(loss).toBe(2);
    expect(tokens).toBe(textRows({ tokenizer, texts, length: 8 }).length * 7);
  });

  test('facts are compared word by word, and misses are listed with what came instead', async () => {
    const recall = await factRecall({ model, tokenizer, facts });
    expect(recall).toEqual({ score: 0.5, n: 2, missed: [{ ...facts[1], got: 'oslo' }] });
  });

  test('what ends a sentence is no part of the answer, half a word is none; words of scripts without spaces run on', async () => {
    const said: Record<string, string> = {
      oslo: ' oslo.',
      york: ' york, usa',
      '3': ' 3.5',
      pen: ' pens',
      巴黎: '巴黎是',
      don: " don't",
    };
    const answers = Object.keys(said);
    const talking = {
      ...model,
      generate: async (ids: number[][]) => ({
        ids: ids.map(prompt => {
          const asked = tokenizer.decode(prompt).trim().split(' ')[1]!;
          return [...prompt, ...tokenizer.encodeContent(said[asked]!).ids];
        }),
      }),
    };
    const probes = answers.map(answer => ({ prompt: `say ${answer} :`, answer }));
    const { missed } = await factRecall({ model: talking, tokenizer, facts: probes });
    expect(missed.map(({ answer, got }) => [answer, got])).toEqual([
      ['3', '3.5'],
      ['pen', 'pens'],
      ['don', "don't"],
    ]);
  });

  test('a comparison names both measures and which way is better', async () => {
    const before = await measure({ model, tokenizer, texts, facts });
    const worse = { ...model, lossSum: (batch: { labels: number[][] }) => ({ ...model.lossSum(batch), numerator: 99 }) };
    const after = await measure({ model: worse, tokenizer, texts, facts: facts.slice(1) });
    expect(before.facts).toBe(0.5);
    const { rows } = compare(before, after);
    expect(rows).toEqual([
      { label: 'loss on base text', before: before.baseLoss, after: after.baseLoss, unit: 'nats per token', better: 'lower' },
      { label: 'facts recalled', before: 0.5, after: 0, unit: 'share', better: 'higher' },
    ]);
    expect(after.baseLoss).not.toBe(before.baseLoss);
    expect(viewOf(compare(before, after))).toEqual({ kind: 'beforeAfter', data: { rows, title: 'What was forgotten' } });
  });

  test('without probes only the loss is compared', async () => {
    const memory = await measure({ model, tokenizer, texts });
    expect(memory.facts).toBeUndefined();
    expect(compare(memory, memory).rows.map(row => row.label)).toEqual(['loss on base text']);
  });
});

test('an answer is right by the checker of its row, without one by its text', () => {
  const messages = [
    { role: 'user' as const, content: 'list both' },
    { role: 'assistant' as const, content: 'cat dog' },
  ];
  const checker = { kind: 'list', items: ['cat', 'dog'], ordered: false };
  const given: Row[] = [
    { messages, checker } as Row,
    { messages, meta: { checker } },
    { messages, meta: { taskRow: { checker } } },
  ];
  for (const row of given) {
    expect(isRight('dog, cat', row)).toBe(true);
    expect(isRight('dog', row)).toBe(false);
  }
  expect(isRight('Cat  dog', { messages })).toBe(true);
  expect(isRight('dog, cat', { messages })).toBe(false);
  expect(isRight('cat dog.', { messages })).toBe(false);
});

describe('exams', () => {
  const sample = (correct: boolean) => ({ prompt: 'p', expected: 'e', got: 'g', correct });
  const exam = {
    answers: new Ladder(
      new Map([
        ['near', new Scores([sample(true), sample(true)])],
        ['far', new Scores([sample(true), sample(false)])],
      ]),
    ),
    loss: { loss: 0.456, tokens: 9 },
    memory: new Memory({ loss: 1.234, tokens: 99 }, { score: 0.75, n: 4, missed: [] }),
  };
  const blank = { ...exam, memory: new Memory({ loss: 3, tokens: 99 }) };

  test('as a table: one row a model', () => {
    expect(examTable({ base: exam, tuned: blank })).toEqual([
      {
        model: 'base',
        near: '100\u00a0%',
        far: '50\u00a0%',
        'loss on answers': '0.46',
        'loss on base text': '1.23',
        'facts recalled': '75\u00a0%',
      },
      { model: 'tuned', near: '100\u00a0%', far: '50\u00a0%', 'loss on answers': '0.46', 'loss on base text': '3.00' },
    ]);
  });

  test('as figures, published where a file is named and nowhere else', async () => {
    const figures = examFigures({ Before: exam }, ['far']);
    expect(figures).toEqual({ heldOutBefore: 0.5, heldOutLossBefore: 0.456, baseLossBefore: 1.234, factsBefore: 0.75 });
    expect(examFigures({ After: blank })).toEqual({ heldOutAfter: 0.75, heldOutLossAfter: 0.456, baseLossAfter: 3 });
    const folder = await mkdtemp(join(tmpdir(), 'tunebook-publish-'));
    try {
      vi.stubEnv('TUNEBOOK_RESULT', '');
      await publish(figures);
      vi.stubEnv('TUNEBOOK_RESULT', join(folder, 'result.json'));
      await publish(figures);
      expect(JSON.parse(await readFile(join(folder, 'result.json'), 'utf8'))).toEqual(figures);
    } finally {
      vi.unstubAllEnvs();
      await rm(folder, { recursive: true });
    }
  });
});

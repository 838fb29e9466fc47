import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { use } from '../../../src/base/backend/index.js';
import { BadInput } from '../../../src/base/core/index.js';
import { init, load, type Model, resizeVocabulary } from '../../../src/learn/models/index.js';
import { adamw, sft } from '../../../src/learn/train/index.js';
import { trainBPE } from '../../../src/prepare/tokens/index.js';
import { leftBehind, NOTHING } from '../../helpers/leak.js';
import { fixture } from './fixtures.js';

let folder: string;
beforeAll(async () => {
  await use('cpu');
  folder = await mkdtemp(join(tmpdir(), 'tunebook-resize-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function rowsOf(model: Model, name: string): number[][] {
  const tensor = model.parameter(name).read();
  const rows = tensor.arraySync() as number[][];
  tensor.dispose();
  return rows;
}

const mean = (rows: number[][]) => rows[0]!.map((_, c) => rows.reduce((sum, row) => sum + row[c]!, 0) / rows.length);

it.each([
  ['untied', 'llama-untied', ['model.embed_tokens.weight', 'lm_head.weight']],
  ['tied', undefined, ['model.embed_tokens.weight']],
])('%s heads: old rows stay, new ones are the mean of the old, saved and loaded', async (_, name, matrices) => {
  const model = name
    ? await load(fixture(name))
    : init({ vocabSize: 30, hiddenSize: 8, headDim: 2, intermediateSize: 8 }, { seed: 3 });
  const old = model.config.vocabSize;
  const ids = [[1, 2, 3, 4]];
  const before = model.logits({ ids });
  const expected = before.arraySync();
  before.dispose();
  const matricesBefore = matrices.map(matrix => rowsOf(model, matrix));

  expect(resizeVocabulary(model, old + 3)).toBe(model);
  await model.save(join(folder, String(name)));
  model.dispose();
  const back = await load(join(folder, String(name)));

  expect(back.config.vocabSize).toBe(old + 3);
  for (const [i, matrix] of matrices.entries()) {
    const rows = rowsOf(back, matrix);
    expect(rows.slice(0, old)).toEqual(matricesBefore[i]);
    const average = mean(matricesBefore[i]!);
    for (const row of rows.slice(old)) for (const [c, value] of row.entries()) expect(value).toBeCloseTo(average[c]!, 6);
  }
  const after = back.logits({ ids });
  const logits = after.arraySync();
  after.dispose();
  for (const [t, row] of logits[0]!.entries()) {
    for (let v = 0; v < old; v++) expect(row[v]).toBeCloseTo(expected[0]![t]![v]!, 5);
    const average = expected[0]![t]!.reduce((a, b) => a + b, 0) / old;
    for (let v = old; v < old + 3; v++) expect(row[v]).toBeCloseTo(average, 5);
  }
  back.dispose();
});

it('new chat tokens: tokenizer and model grow together, and the new rows train', async () => {
  const tokenizer = trainBPE(['hello there, hello you'], { vocabSize: 270, specialTokens: ['<|endoftext|>'] });
  const chat = tokenizer.addTokens(['<|im_start|>', '<|im_end|>']);
  const model = init({ vocabSize: tokenizer.vocabSize, hiddenSize: 8, headDim: 2, intermediateSize: 8 }, { seed: 1 });
  resizeVocabulary(model, chat);
  expect(model.config.vocabSize).toBe(chat.vocabSize);
  const end = chat.idOf('<|im_end|>')!;
  const before = rowsOf(model, 'model.embed_tokens.weight')[end];
  const rows = [
    {
      messages: [
        { role: 'user' as const, content: 'hello' },
        { role: 'assistant' as const, content: 'you' },
      ],
    },
  ];
  const options = { batchSize: 1, steps: 2, optimizer: adamw({ learningRate: 0.1 }) };
  await sft({ model, rows, tokenizer: chat, template: 'chatml', ...options }).finish();
  expect(rowsOf(model, 'model.embed_tokens.weight')[end]).not.toEqual(before);
  model.dispose();
});

it('a tokenizer that fits changes nothing; a smaller size cuts; nothing is left behind', async () => {
  const shape = { vocabSize: 30, hiddenSize: 8, headDim: 2, intermediateSize: 8 };
  expect(
    await leftBehind(() => {
      const model = init(shape, { seed: 1 });
      resizeVocabulary(model, { vocabSize: 12 });
      expect(model.config.vocabSize).toBe(30);
      resizeVocabulary(model, 12);
      expect(model.parameter('model.embed_tokens.weight').shape).toEqual([12, 8]);
      resizeVocabulary(model, 14, { init: 'zeros' });
      expect(rowsOf(model, 'model.embed_tokens.weight')[13]).toEqual(new Array(8).fill(0));
      model.dispose();
    }),
  ).toEqual(NOTHING);
  const model = init(shape, { seed: 1 });
  expect(() => resizeVocabulary(model, 0)).toThrow(BadInput);
  expect(() => resizeVocabulary(model, 40, { init: 'random' as 'mean' })).toThrow(/mean or zeros/);
  model.dispose();
});

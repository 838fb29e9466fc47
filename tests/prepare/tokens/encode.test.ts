import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { viewOf } from '../../../src/base/core/index.js';
import type { Message, Row } from '../../../src/prepare/data/index.js';
import {
  batches,
  encode,
  encodePrompt,
  encodeRows,
  IGNORED,
  Tokenizer,
  tokenView,
  trainBPE,
} from '../../../src/prepare/tokens/index.js';

const FIXTURES = fileURLToPath(new URL('./fixtures/', import.meta.url));
let gpt2: Tokenizer;
let rows: Row[];
beforeAll(async () => {
  gpt2 = await Tokenizer.fromFile(join(FIXTURES, 'gpt2'));
  rows = Array.from({ length: 23 }, (_, i) => ({
    messages: [
      { role: 'user', content: `Say ${i}.` },
      { role: 'assistant', content: `It is ${'very '.repeat(i)}${i}.` },
    ],
  }));
});

test('chatml: ids, assistant mask and generation prompt equal transformers’ apply_chat_template', () => {
  const cases = JSON.parse(readFileSync(join(FIXTURES, 'chatml.json'), 'utf8')) as {
    messages: Message[];
    text: string;
    ids: number[];
    mask: number[];
    prompt: number[];
  }[];
  expect(cases.length).toBeGreaterThan(3);
  for (const { messages, text, ids, mask, prompt } of cases) {
    for (const boundary of ['split', 'whole'] as const) {
      const row = encode(messages, { tokenizer: gpt2, template: 'chatml', boundary });
      expect(row.text).toBe(text);
      expect(row.ids).toEqual(ids);
      expect(row.labels.map(label => (label === IGNORED ? 0 : 1))).toEqual(mask);
      expect(encodePrompt(messages.slice(0, -1), { tokenizer: gpt2, template: 'chatml', boundary })).toEqual(prompt);
    }
  }
});

test('weights: 0 leaves a turn out, other weights go with the tokens', () => {
  const messages: Message[] = [
    { role: 'user', content: 'a' },
    { role: 'assistant', content: 'no', weight: 0 },
    { role: 'user', content: 'b' },
    { role: 'assistant', content: 'half', weight: 0.5 },
  ];
  const row = encode(messages, { tokenizer: gpt2, template: 'chatml' });
  expect(gpt2.decode(row.labels.filter(l => l !== IGNORED))).toBe('half<|im_end|>');
  expect(new Set(row.weights)).toEqual(new Set([0, 0.5]));
  expect(row.weights).toHaveLength(row.length);
  expect(encode(rows[0]!.messages, { tokenizer: gpt2, template: 'chatml' }).weights).toBeUndefined();
});

test("train: 'all' trains every token but the first", () => {
  const row = encode(rows[3]!.messages, { tokenizer: gpt2, template: 'alpaca', train: 'all' });
  expect(row.labels.slice(1)).toEqual(row.ids.slice(1));
  expect(row.trained).toBe(row.length - 1);
  expect(() => encode(rows[0]!.messages, { tokenizer: gpt2, template: 'alpaca', train: 'none' as 'all' })).toThrow(
    /unknown value of train/,
  );
});

test('what would quietly train something else is refused: misspelt options, no tokenizer, no template', () => {
  const right = { tokenizer: gpt2, template: 'chatml' };
  const wrong = (options: object) => () => encodeRows(rows, options as never);
  expect(wrong({ ...right, max_length: 40 })).toThrow(/no option "max_length".*did you mean "maxLength"\?/);
  expect(wrong({ ...right, thinking: 'non' })).toThrow(/unknown value of thinking: "non"/);
  expect(wrong({ template: 'chatml' })).toThrow(/needs a tokenizer/);
  expect(wrong({ tokenizer: gpt2 })).toThrow(/needs a template/);
  expect(() => encode(rows[0]!, { ...right, trian: 'all' } as never)).toThrow(/did you mean "train"\?/);
  // One object may serve the training, too.
  expect(encodeRows(rows, { ...right, batchSize: 8, learningRate: 1, promptLossWeight: 0 } as never).rows).toHaveLength(23);
});

test('a compacted row makes its text, offsets and segments again', () => {
  const options = { tokenizer: gpt2, template: 'chatml', maxLength: 20 } as const;
  const full = encode(rows[9]!.messages, options);
  const again = encode(rows[9]!.messages, options).compact();
  for (const key of ['text', 'offsets', 'segments', 'segmentOf', 'ids', 'labels'] as const) expect(again[key]).toEqual(full[key]);
});

describe('encodeRows', () => {
  test('the summary adds up', () => {
    const { rows: encoded, summary } = encodeRows(rows, { tokenizer: gpt2, template: 'chatml', maxLength: 40 });
    expect(summary.kept).toBe(encoded.length);
    expect(summary.tokens).toBe(encoded.reduce((n, r) => n + r.length, 0));
    expect(summary.trainedTokens).toBe(encoded.reduce((n, r) => n + r.trained, 0));
    expect(summary.trainedShare).toBeCloseTo(summary.trainedTokens / summary.tokens);
    expect(summary.longest).toBe(Math.max(...encoded.map(r => r.length)));
    expect(summary.truncated).toBe(encoded.filter(r => r.truncated).length);
    expect(summary.truncated).toBeGreaterThan(0);
    expect(summary.warnings).toEqual([]);
  });

  test('rows the template cannot hold are listed with the reason', () => {
    const chat: Row = { messages: [...rows[0]!.messages, ...rows[1]!.messages] };
    const { summary } = encodeRows([...rows, chat], { tokenizer: gpt2, template: 'alpaca' });
    expect(summary.dropped).toMatchObject([{ index: 23, reason: expect.stringMatching(/one instruction and one response/) }]);
  });

  test('control tokens that the tokenizer lacks are a warning', () => {
    const bare = trainBPE(['a b c'], { vocabSize: 257, specialTokens: ['</s>'] });
    const { summary } = encodeRows(rows, { tokenizer: bare, template: 'chatml' });
    expect(summary.warnings[0]).toMatch(/"<\|im_end\|>" of template chatml is no token of this tokenizer/);
  });
});

describe('batches', () => {
  const data = Array.from({ length: 23 }, (_, i) => ({ ids: [i, i + 1], labels: [IGNORED, i + 1] }));

  test('every row once an epoch, another order each epoch, the same for the same seed', () => {
    const all = [...batches(data, { batchSize: 4, seed: 5, epochs: 2 })];
    const order = all.flatMap(b => b.rows);
    const first = order.slice(0, 23);
    expect([...first].sort((a, b) => a - b)).toEqual([...data.keys()]);
    expect([...order.slice(23)].sort((a, b) => a - b)).toEqual([...data.keys()]);
    expect(order.slice(23)).not.toEqual(first);
    expect([...batches(data, { batchSize: 4, seed: 5, epochs: 2 })]).toEqual(all);
    expect([...batches(data, { batchSize: 4, seed: 6, epochs: 2 })]).not.toEqual(all);
    expect(all[0]!.ids).toEqual(all[0]!.rows.map(i => data[i]!.ids));
    expect([...batches(data, { batchSize: 23, shuffle: false })][0]!.rows).toEqual([...data.keys()]);
  });

  test('going on from any saved position gives what an uninterrupted run would have had', () => {
    const all = [...batches(data, { batchSize: 4, seed: 5, epochs: 3 })];
    for (const [i, { next }] of all.entries()) {
      const from = JSON.parse(JSON.stringify(next));
      expect([...batches(data, { batchSize: 4, seed: 5, epochs: 3, from })]).toEqual(all.slice(i + 1));
    }
  });

  test('weights are made up for rows without', () => {
    const [batch] = batches([{ ...data[0]!, weights: [0, 0.5] }, data[1]!], { batchSize: 2, shuffle: false });
    expect(batch!.weights).toEqual([
      [0, 0.5],
      [0, 1],
    ]);
    expect(() => [...batches([], { batchSize: 2 })]).toThrow(/no batches/);
  });
});

test('tokenView: each token with text, role, label and loss', () => {
  const row = encode(rows[0]!.messages, { tokenizer: gpt2, template: 'chatml' });
  const view = tokenView(row, {
    tokenizer: gpt2,
    losses: row.ids.map((_, i) => (i === 0 ? Number.NaN : i / 10)),
    title: 'row 0',
  });
  expect(view.title).toBe('row 0');
  expect(view.tokens.map(t => t.text).join('')).toBe(row.text);
  expect(view.tokens[0]).toEqual({
    text: '<|im_start|>',
    id: gpt2.idOf('<|im_start|>'),
    role: 'user',
    control: true,
    special: true,
    trained: false,
    label: IGNORED,
  });
  expect(view.tokens[1]).toMatchObject({ control: true, special: false });
  expect(viewOf(row)).toEqual({ kind: 'tokens', data: tokenView(row) });
  const cut = (truncation: 'left' | 'right' | 'middle') =>
    tokenView(encode(rows[0]!.messages, { tokenizer: gpt2, template: 'chatml', maxLength: 10, truncation })).cutAt;
  expect([view.cutAt, cut('left'), cut('middle'), cut('right')]).toEqual([undefined, 0, 5, 10]);
  const trained = view.tokens.filter(t => t.trained);
  expect(trained.map(t => t.text).join('')).toBe('It is 0.<|im_end|>');
  expect(trained.every(t => t.role === 'assistant' && t.label === t.id && t.loss !== undefined)).toBe(true);
});

import { beforeAll, describe, expect, test } from 'vitest';
import { TunebookError } from '../../../src/base/core/index.js';
import type { Message } from '../../../src/prepare/data/index.js';
import { define, names } from '../../../src/prepare/templates/index.js';
import {
  type EncodedRow,
  type EncodeOptions,
  encode,
  encodePrompt,
  encodeRows,
  IGNORED,
  Tokenizer,
  trainBPE,
  verify,
} from '../../../src/prepare/tokens/index.js';

const CONTROL = [
  '<s>',
  '</s>',
  '<|im_start|>',
  '<|im_end|>',
  '<|im_sep|>',
  '<|end|>',
  '<|eot_id|>',
  '<end_of_turn>',
  '<think>',
  '</think>',
];
let tokenizer: Tokenizer;
beforeAll(() => {
  const made = trainBPE(['the words of a text, and its lines\n\n  too'.repeat(4)], {
    vocabSize: 320,
    specialTokens: CONTROL,
    eosToken: '</s>',
  });
  tokenizer = Tokenizer.fromJSON(made.toJSON(), { bos_token: '<s>', eos_token: '</s>' });
});

const user = (content: string, more: Partial<Message> = {}): Message => ({ role: 'user', content, ...more });
const assistant = (content: Message['content'], more: Partial<Message> = {}): Message => ({
  role: 'assistant',
  content,
  ...more,
});
const chat = (...messages: Message[]) => messages;
const TWO = chat({ role: 'system', content: 'sys' }, user('one'), assistant('first'), user('two'), assistant('second'));
const make = (messages: Message[], options: Partial<EncodeOptions> = {}) =>
  encode(messages, { tokenizer, template: 'chatml', ...options });

/** The trained characters by the weight of their tokens. */
function byWeight(row: EncodedRow): Record<string, string> {
  const held = new Array<number>(row.text.length).fill(0);
  row.offsets.forEach(([start, end], i) => {
    if (row.labels[i] !== IGNORED) held.fill(row.weights?.[i] ?? 1, start, end);
  });
  const out: Record<string, string> = {};
  held.forEach((weight, i) => {
    if (weight > 0) out[weight] = (out[weight] ?? '') + row.text[i];
  });
  return out;
}

describe('train', () => {
  test('response, last, all', () => {
    expect(byWeight(make(TWO))).toEqual({ 1: 'first<|im_end|>second<|im_end|>' });
    expect(byWeight(make(TWO, { train: 'last' }))).toEqual({ 1: 'second<|im_end|>' });
    const all = make(TWO, { train: 'all' });
    expect(byWeight(all)[1]).toBe(all.text.slice('<|im_start|>'.length));
  });

  test('weights by role', () => {
    expect(byWeight(make(TWO, { train: { assistant: true, user: 0.25 } }))).toEqual({
      1: 'first<|im_end|>second<|im_end|>',
      0.25: 'onetwo',
    });
    expect(byWeight(make(TWO, { train: { system: 2, assistant: false } }))).toEqual({ 2: 'sys' });
  });

  test('a function of segment and message', () => {
    const row = make(TWO, { train: (segment, message) => (segment.trained ? (message === 4 ? 1 : 0.5) : 0) });
    expect(byWeight(row)).toEqual({ 0.5: 'first<|im_end|>', 1: 'second<|im_end|>' });
  });

  test('what is no strategy is refused', () => {
    expect(() => make(TWO, { train: 'answers' as 'all' })).toThrow(/unknown value of train: "answers"/);
    expect(() => make(TWO, { train: { robot: 1 } as never })).toThrow(/found "robot"/);
    expect(() => make(TWO, { train: { user: -1 } })).toThrow(/train\.user is no weight/);
    expect(() => make(TWO, { train: () => Number.NaN })).toThrow(/train function is no weight/);
    expect(() => make(TWO, { promptWeight: 2 })).toThrow(/promptWeight is no weight\. Expected a number from 0 to 1/);
    expect(() => make([user('a'), assistant('b', { weight: -1 })])).toThrow(/weight of message 1 is no weight/);
  });
});

describe('weights of messages and parts', () => {
  test('train and weight of a message', () => {
    const row = make(
      chat(
        user('one', { train: true, weight: 0.5 }),
        assistant('first', { train: false }),
        user('two'),
        assistant('second', { weight: 3 }),
      ),
    );
    expect(byWeight(row)).toEqual({ 0.5: 'one', 3: 'second<|im_end|>' });
  });

  test('parts of a message keep its tokens and weigh differently', () => {
    const parts = [
      { text: 'the words ' },
      { text: 'of a ', weight: 0 },
      { text: 'text, ', weight: 0.5 },
      { text: 'and its', train: false },
    ];
    const row = make(chat(user('one'), assistant(parts, { weight: 2 })));
    const whole = make(chat(user('one'), assistant('the words of a text, and its')));
    expect(row.ids).toEqual(whole.ids);
    const { 1: one, 2: two } = byWeight(row);
    expect('the words <|im_end|>'.startsWith(two!.slice(0, 5))).toBe(true);
    expect(`${two}${one}`).not.toMatch(/of|its/);
    expect(row.straddling).toBeGreaterThanOrEqual(0);
    // A part of a user message that is to be trained, and only it.
    const asked = make(chat({ role: 'user', content: [{ text: 'one ' }, { text: '<s>', train: true }] }, assistant('first')));
    expect(byWeight(asked)[1]).toBe('<s>first<|im_end|>');
  });

  test('a token over two parts has the smaller weight; one over trained and untrained text is masked and counted', () => {
    const merged = trainBPE(Array(20).fill('abcd'), { vocabSize: 270 });
    const of = (weights: number[]) =>
      encode(
        chat(
          user('x'),
          assistant([
            { text: 'ab', weight: weights[0]! },
            { text: 'cd', weight: weights[1]! },
          ]),
        ),
        {
          tokenizer: merged,
          template: 'chatml',
        },
      );
    const straddle = of([1, 0.5]);
    expect(byWeight(straddle)).toEqual({ 0.5: 'abcd', 1: '<|im_end|>' });
    expect(byWeight(of([1, 0]))).toEqual({ 1: '<|im_end|>' });
    expect(of([1, 0]).straddling).toBe(1);
  });
});

describe('prompt weight, history, reasoning', () => {
  test('promptWeight weighs what is not the response, 0 to 1', () => {
    const row = make(TWO, { promptWeight: 0.1 });
    const { 0.1: prompt, 1: response } = byWeight(row);
    expect(response).toBe('first<|im_end|>second<|im_end|>');
    expect(prompt!.length + response!.length).toBe(row.text.length - '<|im_start|>'.length);
    expect(make(TWO, { promptWeight: 0 })).toEqual(make(TWO));
    expect(make(TWO, { promptWeight: 1 }).labels).toEqual(make(TWO, { train: 'all' }).labels);
    // What was masked explicitly stays masked.
    const masked = make(
      chat(user('one', { train: false }), assistant('first', { weight: 0 }), user('two'), assistant('second')),
      { promptWeight: 0.1 },
    );
    expect(byWeight(masked)[0.1]).not.toMatch(/one|first/);
  });

  test('maskHistory masks all before the last user message', () => {
    const steps = chat(...TWO.slice(0, 4), assistant('call'), { role: 'tool', content: 'result' }, assistant('second'));
    expect(byWeight(make(steps, { maskHistory: true }))).toEqual({ 1: 'call<|im_end|>second<|im_end|>' });
    expect(byWeight(make(steps, { maskHistory: true, promptWeight: 0.5 }))[0.5]).not.toMatch(/sys|one|first/);
  });

  test('trainThinking: false masks the reasoning with its tags', () => {
    const messages = chat(user('one'), assistant('first', { thinking: 'hm' }));
    const row = make(messages, { template: 'qwen3', trainThinking: false });
    expect(byWeight(row)).toEqual({ 1: 'first<|im_end|>' });
    expect(row.text).toContain('<think>\nhm\n</think>\n\n');
    expect(byWeight(make(messages, { template: 'qwen3' }))).toEqual({ 1: '<think>\nhm\n</think>\n\nfirst<|im_end|>' });
  });
});

describe('truncation', () => {
  const long = chat(user('one two three four'), assistant('the words of a text, and its lines, and more of it'));

  test('middle keeps beginning and end, and does not train the token after the cut', () => {
    const whole = make(long);
    const cut = make(long, { maxLength: 21, truncation: 'middle' });
    expect(cut.ids).toEqual([...whole.ids.slice(0, 11), ...whole.ids.slice(-10)]);
    expect(cut.gap).toBe(11);
    expect(cut.labels[11]).toBe(IGNORED);
    expect(cut.labels.slice(12)).toEqual(whole.labels.slice(-9));
    expect(() => verify(cut)).not.toThrow();
  });

  test('left keeps the BOS and does not train the token after it', () => {
    const bos = define({ name: 'bos', bos: true, user: { before: 'U', end: '\n' }, assistant: { before: 'A', end: '{eos}' } });
    const whole = make(long, { template: bos });
    const cut = make(long, { template: bos, maxLength: 9, truncation: 'left' });
    expect(cut.ids).toEqual([tokenizer.bosId, ...whole.ids.slice(-8)]);
    expect(cut.labels.slice(0, 2)).toEqual([IGNORED, IGNORED]);
    expect(cut.trained).toBe(7);
  });

  test('every length and policy is verified, with every strategy', () => {
    const n = make(long).length;
    for (let maxLength = 2; maxLength <= n; maxLength++)
      for (const truncation of ['left', 'right', 'middle'] as const)
        for (const options of [{}, { promptWeight: 0.5 }, { train: { user: 0.5 } }, { train: 'all' }] as Partial<EncodeOptions>[])
          expect(make(long, { maxLength, truncation, ...options }).length).toBe(maxLength);
  });

  test('drop is counted, error stops', () => {
    const rows = [{ messages: chat(user('a'), assistant('b')) }, { messages: long }];
    const options = { tokenizer, template: 'chatml', maxLength: 30 } as const;
    expect(encodeRows(rows, { ...options, truncation: 'drop' }).summary.dropped).toHaveLength(1);
    expect(() => encodeRows(rows, { ...options, truncation: 'error' })).toThrow(TunebookError);
    expect(() => make(long, { maxLength: 20, truncation: 'both' as 'left' })).toThrow(/unknown value of truncation/);
  });
});

test('every built-in template: the answer and its end are trained, the prompt is the beginning, all is verified', () => {
  for (const template of names().filter(name => name !== 'plain')) {
    for (const answer of ['a', ' a', 'a\n\nb', '</s><|im_end|>', 'é👍🏽']) {
      const row = encode([user('one two', { input: 'three' }), assistant(answer)], { tokenizer, template });
      const trained = Object.values(byWeight(row)).join('');
      expect(trained, template).toContain(answer.trim());
      expect(trained, template).not.toMatch(/one|three|assistant/);
      const prompt = encodePrompt([user('one two', { input: 'three' })], { tokenizer, template });
      expect(row.ids.slice(0, prompt.length), template).toEqual(prompt);
      expect(row.straddling, template).toBe(0);
    }
  }
});

test('a row brings its tools along; an answer can be continued', () => {
  const tools = [{ type: 'function', function: { name: 'f' } }];
  const row = { messages: chat(user('one'), assistant('first')), tools };
  const { text, ids } = encode(row, { tokenizer, template: 'qwen3' });
  expect(text).toContain('{"type": "function", "function": {"name": "f"}}');
  const open = encodePrompt(row, { tokenizer, template: 'qwen3', continueFinalMessage: true });
  expect(ids.slice(0, open.length)).toEqual(open);
  expect(tokenizer.decode(open).endsWith('first')).toBe(true);
});

test('a tampered weight fails the verification', () => {
  const row = make(TWO, { promptWeight: 0.5 });
  row.weights![3] = 0.25;
  expect(() => verify(row)).toThrow(/token 3 weighs 0\.25, its text 0\.5/);
});

import { describe, expect, test } from 'vitest';
import { BadInput } from '../../../src/base/core/index.js';
import type { Message } from '../../../src/prepare/data/index.js';
import { define, get, names, register, type Segment } from '../../../src/prepare/templates/index.js';

const text = (segments: Segment[]) => segments.map(s => s.text).join('');
const trained = (segments: Segment[]) => segments.filter(s => s.trained).map(s => s.text);
const user = (content: string, input?: string): Message =>
  input === undefined ? { role: 'user', content } : { role: 'user', content, input };
const assistant = (content: string): Message => ({ role: 'assistant', content });
const system = (content: string): Message => ({ role: 'system', content });

describe('alpaca', () => {
  // stanford_alpaca/train.py@761dc5b
  const withInput =
    'Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes the request.\n\n### Instruction:\nTranslate.\n\n### Input:\ncat\n\n### Response:';
  const without =
    'Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\nName a colour.\n\n### Response:';

  test('both forms, exactly as published', () => {
    expect(text(get('alpaca').render([user('Translate.', 'cat')], { addGenerationPrompt: true }))).toBe(withInput);
    expect(text(get('alpaca').render([user('Name a colour.')], { addGenerationPrompt: true }))).toBe(without);
    expect(text(get('alpaca').render([user('Name a colour.', '')]))).toBe(without);
  });

  test('the answer follows at once, then EOS; both are trained and nothing else', () => {
    const segments = get('alpaca').render([user('Name a colour.'), assistant('red')], { eosToken: '</s>' });
    expect(text(segments)).toBe(`${without}red</s>`);
    expect(trained(segments)).toEqual(['red', '</s>']);
    expect(segments.at(-1)).toMatchObject({ control: true, role: 'assistant', message: 1 });
  });

  test('a system message goes in front of the instruction', () => {
    expect(text(get('alpaca').render([system('Be kind.'), user('Name a colour.'), assistant('red')]))).toContain(
      '### Instruction:\nBe kind.\n\nName a colour.\n\n### Response:red',
    );
  });

  test('several turns are refused with a remedy', () => {
    const many = [user('a'), assistant('b'), user('c'), assistant('d')];
    expect(() => get('alpaca').render(many)).toThrow(
      /holds one instruction and one response\. Expected \[system\] user \[assistant\], found user, assistant, user, assistant\. Fix: use a chat template such as chatml/,
    );
    expect(() => get('alpaca').render([assistant('b')])).toThrow(BadInput);
    expect(() => get('alpaca').render([user('a'), { role: 'tool', content: 'x' }])).toThrow(BadInput);
  });
});

describe('chatml', () => {
  const messages = [system('S'), user('U'), assistant('A'), user('V', 'context'), assistant('B')];

  test('the exact published string', () => {
    const segments = get('chatml').render(messages);
    expect(text(segments)).toBe(
      '<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n<|im_start|>user\nV\ncontext<|im_end|>\n<|im_start|>assistant\nB<|im_end|>\n',
    );
    expect(trained(segments)).toEqual(['A', '<|im_end|>', 'B', '<|im_end|>']);
    expect(get('chatml').stop).toEqual(['<|im_end|>']);
  });

  test('the generation prompt is the beginning of the full rendering', () => {
    const prompt = text(get('chatml').render(messages.slice(0, -1), { addGenerationPrompt: true }));
    expect(text(get('chatml').render(messages)).startsWith(prompt)).toBe(true);
    expect(prompt.endsWith('<|im_start|>assistant\n')).toBe(true);
  });

  test('tool messages and consecutive assistant turns keep to their own segments', () => {
    const segments = get('chatml').render([
      user('u'),
      assistant('a'),
      { role: 'tool', content: 't' },
      assistant('b'),
      assistant('c'),
    ]);
    expect(trained(segments)).toEqual(['a', '<|im_end|>', 'b', '<|im_end|>', 'c', '<|im_end|>']);
    expect(segments.filter(s => s.role === 'tool' && !s.control).map(s => s.text)).toEqual(['t']);
  });
});

test('plain trains everything, with EOS where there is one', () => {
  expect(text(get('plain').render([assistant('once')], { eosToken: '</s>' }))).toBe('once</s>');
  expect(
    get('plain')
      .render([assistant('once')])
      .every(s => s.trained),
  ).toBe(true);
});

describe('conversations that are none', () => {
  test.each([
    ['no messages', []],
    ['not an array', 'hello' as unknown as Message[]],
    ['an unknown role', [{ role: 'robot', content: 'x' } as unknown as Message]],
    ['content that is no string', [{ role: 'user', content: 3 } as unknown as Message]],
    ['a late system message', [user('a'), system('b')]],
    ['only a system message', [system('b')]],
  ])('%s', (_, messages) => {
    expect(() => get('chatml').render(messages)).toThrow(BadInput);
  });

  test('a prompt for generation that ends with an answer', () => {
    expect(() => get('chatml').render([user('a'), assistant('b')], { addGenerationPrompt: true })).toThrow(
      /ends with an assistant message/,
    );
  });
});

describe('get, define, register', () => {
  test('an unknown name lists those there are', () => {
    expect(() => get('llama-9')).toThrow(/no template "llama-9"\. Expected one of alpaca, chatml, .*plain/);
  });

  test('what is misspelt or left out is said', () => {
    const turn = { before: '', end: '\n' };
    const bad = (format: object) => () => define(format as never);
    expect(bad({ name: 'x', user: turn })).toThrow(/"assistant": it is not said what stands before/);
    expect(bad({ name: 'x', user: turn, assistant: { ...turn, ennd: 'y' } })).toThrow(/"ennd".*did you mean "end"/);
    expect(bad({ name: 'x', user: turn, assistant: turn, sytem: 'fold' })).toThrow(/did you mean "system"\?/);
    expect(bad({ name: 'x', user: turn, assistant: turn, system: { fold: { befor: '' } } })).toThrow(/"system": it is not said/);
    expect(bad({ user: turn, assistant: turn })).toThrow(/needs a name/);
  });

  test('a template of one’s own in a few strings', () => {
    const mine = register(
      define({
        name: 'mine',
        system: 'fold',
        user: { before: '[U]', end: '\n' },
        assistant: { before: '[A]', end: '{eos}' },
        bos: true,
      }),
    );
    expect(names()).toContain('mine');
    expect(get('mine')).toBe(mine);
    const segments = mine.render([system('s'), user('u'), assistant('a')], { bosToken: '<s>', eosToken: '</s>' });
    expect(text(segments)).toBe('<s>[U]s\n\nu\n[A]a</s>');
    expect(trained(segments)).toEqual(['a', '</s>']);
    expect(mine.stop).toEqual(['eos']);
    expect(() => mine.render([user('u'), { role: 'tool', content: 't' }])).toThrow(/no place for message 1/);
  });

  test('a template whose turns never end is refused', () => {
    expect(() => define({ name: 'endless', user: { before: '' }, assistant: { before: '' } })).toThrow(/never stop/);
    expect(() => register({} as never)).toThrow(/this is no template/);
  });
});

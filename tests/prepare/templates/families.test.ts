import { describe, expect, test } from 'vitest';
import type { Message } from '../../../src/prepare/data/index.js';
import { get, names, type RenderOptions, type Segment } from '../../../src/prepare/templates/index.js';

// Exact strings as published. Those of transformers' own chat templates were compared with its rendering of the same messages.
const user = (content: string): Message => ({ role: 'user', content });
const assistant = (content: string): Message => ({ role: 'assistant', content });
const system: Message = { role: 'system', content: 'S' };
const join = (segments: Segment[]) => segments.map(s => s.text).join('');
const render = (name: string, messages: Message[], options: RenderOptions = {}) => join(get(name).render(messages, options));
const trained = (name: string, messages: Message[], options: RenderOptions = {}) =>
  join(
    get(name)
      .render(messages, options)
      .filter(s => s.trained),
  );

const CHAT = [system, user('U'), assistant('A'), user('V'), assistant('B')];
const VICUNA =
  "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite answers to the user's questions.";

describe.each<[string, string, string]>([
  ['llama-2', '<s>[INST] <<SYS>>\nS\n<</SYS>>\n\nU [/INST] A </s><s>[INST] V [/INST] B </s>', ' A </s> B </s>'],
  [
    'llama-3',
    '<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nS<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nU<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nA<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nV<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nB<|eot_id|>',
    'A<|eot_id|>B<|eot_id|>',
  ],
  ['mistral-v1', '<s> [INST] S\n\nU [/INST] A</s> [INST] V [/INST] B</s>', ' A</s> B</s>'],
  ['mistral-v3', '<s>[INST] S\n\nU[/INST] A</s>[INST] V[/INST] B</s>', ' A</s> B</s>'],
  ['mistral-tekken', '<s>[INST]S\n\nU[/INST]A</s>[INST]V[/INST]B</s>', 'A</s>B</s>'],
  ['vicuna', 'S USER: U ASSISTANT: A</s>USER: V ASSISTANT: B</s>', ' A</s> B</s>'],
  ['zephyr', '<|system|>\nS</s>\n<|user|>\nU</s>\n<|assistant|>\nA</s>\n<|user|>\nV</s>\n<|assistant|>\nB</s>\n', 'A</s>B</s>'],
  ['tulu', '<|system|>\nS\n<|user|>\nU\n<|assistant|>\nA</s>\n<|user|>\nV\n<|assistant|>\nB</s>', 'A</s>B</s>'],
  [
    'gemma',
    '<bos><start_of_turn>user\nS\n\nU<end_of_turn>\n<start_of_turn>model\nA<end_of_turn>\n<start_of_turn>user\nV<end_of_turn>\n<start_of_turn>model\nB<end_of_turn>\n',
    'A<end_of_turn>B<end_of_turn>',
  ],
  [
    'phi-3',
    '<|system|>\nS<|end|>\n<|user|>\nU<|end|>\n<|assistant|>\nA<|end|>\n<|user|>\nV<|end|>\n<|assistant|>\nB<|end|>\n',
    'A<|end|>B<|end|>',
  ],
  [
    'phi-4',
    '<|im_start|>system<|im_sep|>S<|im_end|><|im_start|>user<|im_sep|>U<|im_end|><|im_start|>assistant<|im_sep|>A<|im_end|><|im_start|>user<|im_sep|>V<|im_end|><|im_start|>assistant<|im_sep|>B<|im_end|>',
    'A<|im_end|>B<|im_end|>',
  ],
  [
    'qwen2.5',
    '<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n<|im_start|>user\nV<|im_end|>\n<|im_start|>assistant\nB<|im_end|>\n',
    'A<|im_end|>B<|im_end|>',
  ],
  [
    'qwen3',
    '<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\nA<|im_end|>\n<|im_start|>user\nV<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\nB<|im_end|>\n',
    'A<|im_end|>B<|im_end|>',
  ],
])('%s', (name, text, answers) => {
  test('a chat with a system message, exactly as published', () => expect(render(name, CHAT)).toBe(text));

  test('the answers with the ends of their turns are trained and nothing else', () => expect(trained(name, CHAT)).toBe(answers));

  test('the prompt for generation is the beginning of the row', () => {
    for (const n of [2, 4])
      expect(text.startsWith(render(name, CHAT.slice(0, n), { addGenerationPrompt: true })) || name === 'qwen3').toBe(true);
    expect(text.startsWith(render(name, CHAT.slice(0, 4), { addGenerationPrompt: true }))).toBe(true);
  });

  test('text from the data is never control text', () => {
    for (const segment of get(name).render(CHAT)) {
      if (!segment.control) expect(['S', 'U', 'A', 'V', 'B']).toContain(segment.text);
    }
  });

  test('an answer goes on from where it stops', () => {
    const open = render(name, CHAT, { continueFinalMessage: true });
    expect(open.endsWith('B')).toBe(true);
    expect(text.startsWith(open)).toBe(true);
  });
});

test('default system texts', () => {
  expect(render('vicuna', [user('U')], { addGenerationPrompt: true })).toBe(`${VICUNA} USER: U ASSISTANT:`);
  expect(render('qwen2.5', [user('U')])).toBe(
    '<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n<|im_start|>user\nU<|im_end|>\n',
  );
  expect(render('qwen2', [user('U')])).toContain('system\nYou are a helpful assistant.<');
  for (const name of ['qwen3', 'chatml', 'llama-3', 'zephyr']) expect(render(name, [user('U')])).not.toContain('system');
});

test('content is trimmed where the published template trims it', () => {
  const loose = [user(' U\n'), assistant('\n A ')];
  expect(render('llama-3', loose)).toContain('\n\nU<|eot_id|>');
  expect(render('llama-2', loose)).toBe('<s>[INST] U [/INST] A </s>');
  expect(render('gemma', loose)).toContain('model\nA<end_of_turn>');
  expect(render('phi-4', loose)).toContain('<|im_sep|> U\n<|im_end|>');
  const parts: Message = {
    role: 'assistant',
    content: [{ text: ' ' }, { text: ' A ', weight: 0 }, { text: ' B ' }, { text: '\n' }],
  };
  expect(render('gemma', [user('U'), parts])).toContain('model\nA  B<end_of_turn>');
});

test('a name is found however it is spelt', () => {
  for (const [spelt, name] of [
    ['llama3', 'llama-3'],
    ['Qwen-2.5', 'qwen2.5'],
    ['phi3', 'phi-3'],
    ['Mistral_V3', 'mistral-v3'],
  ] as const)
    expect(get(spelt).name).toBe(name);
  expect(names()).toEqual([...names()].sort());
  expect(names()).toEqual(expect.arrayContaining(['flan', 't0', 't5', 'tulu', 'vicuna', 'zephyr']));
});

test('what a template cannot express is refused with a remedy, never dropped', () => {
  const tool: Message = { role: 'tool', content: 'r' };
  const calling: Message = { role: 'assistant', content: '', toolCalls: [{ name: 'f', arguments: {} }] };
  for (const name of ['gemma', 'vicuna', 'zephyr', 'llama-2', 'mistral-v1', 'phi-3', 'tulu']) {
    expect(() => render(name, [user('U'), assistant('A'), tool])).toThrow(/no place for message 2/);
    expect(() => render(name, [user('U'), calling])).toThrow(/no place for the tool calls of message 1\. Fix: use/);
    expect(() => render(name, [user('U')], { tools: [{}] })).toThrow(/no place for tool descriptions\. Fix: /);
  }
  expect(() => render('qwen3', [user('U')], { documents: [{}] })).toThrow(/no place for documents.*input/);
  expect(() => render('gemma', [system, assistant('A')])).toThrow(/system without a user message/);
  expect(() => render('mistral-v3', [system, assistant('A')])).toThrow(/a system message without a user message/);
  expect(() => render('llama-3', [user('U'), { ...calling, content: 'text' }])).toThrow(/one tool call in a message/);
  expect(() => render('chatml', [user('U')], { continueFinalMessage: true })).toThrow(/no assistant message to continue/);
});

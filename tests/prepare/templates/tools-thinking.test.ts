import { describe, expect, test } from 'vitest';
import type { Message } from '../../../src/prepare/data/index.js';
import { get, type RenderOptions, type Segment } from '../../../src/prepare/templates/index.js';

const user = (content: string): Message => ({ role: 'user', content });
const assistant = (content: string, thinking?: string): Message =>
  thinking === undefined ? { role: 'assistant', content } : { role: 'assistant', content, thinking };
const join = (segments: Segment[]) => segments.map(s => s.text).join('');
const render = (name: string, messages: Message[], options: RenderOptions = {}) => join(get(name).render(messages, options));

const tools = [{ type: 'function', function: { name: 'weather', parameters: { type: 'object', properties: {} } } }];
const TOOL = '{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}';
const call: Message = {
  role: 'assistant',
  content: 'I look.',
  toolCalls: [
    { id: 'abcdefghi', name: 'weather', arguments: { city: 'Łódź', days: [1, 2], unit: null } },
    { id: 'abcdefghj', name: 'weather', arguments: '{"raw":1}' },
  ],
};
const results: Message[] = [
  { role: 'tool', content: 'sun', toolCallId: 'abcdefghi' },
  { role: 'tool', content: 'rain', toolCallId: 'abcdefghj' },
];

describe('tools', () => {
  // The same as transformers renders with the templates of Qwen2.5 and Qwen3.
  const calls =
    '<tool_call>\n{"name": "weather", "arguments": {"city": "Łódź", "days": [1, 2], "unit": null}}\n</tool_call>\n<tool_call>\n{"name": "weather", "arguments": {"raw":1}}\n</tool_call>';
  const about = (first: string) =>
    `<|im_start|>system\n${first}# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are provided with function signatures within <tools></tools> XML tags:\n<tools>\n${TOOL}\n</tools>\n\nFor each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:\n<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call><|im_end|>\n`;

  test.each([
    ['qwen3', '', ''],
    ['qwen2.5', 'You are Qwen, created by Alibaba Cloud. You are a helpful assistant.\n\n', ''],
  ])('%s', (name, first) => {
    const text = render(name, [user('U'), call, ...results, assistant('Both.')], { tools });
    const last = name === 'qwen3' ? '<think>\n\n</think>\n\n' : '';
    expect(text).toBe(
      `${about(first)}<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\nI look.\n${calls}<|im_end|>\n<|im_start|>user\n<tool_response>\nsun\n</tool_response>\n<tool_response>\nrain\n</tool_response><|im_end|>\n<|im_start|>assistant\n${last}Both.<|im_end|>\n`,
    );
  });

  test('calls are trained, results are not; names and arguments are data', () => {
    const segments = get('qwen3').render([user('U'), call, ...results, assistant('Both.')], { tools });
    expect(join(segments.filter(s => s.trained))).toBe(`I look.\n${calls}<|im_end|>Both.<|im_end|>`);
    for (const text of ['weather', '{"raw":1}', 'sun', TOOL]) {
      const found = segments.filter(s => s.text === text);
      expect(found.length, text).toBeGreaterThan(0);
      for (const segment of found) expect(segment.control).toBe(false);
    }
    expect(new Set(segments.filter(s => s.text === 'rain').map(s => s.role))).toEqual(new Set(['tool']));
  });

  test('a call without text begins on the header’s line end', () => {
    const silent = { ...call, content: '', toolCalls: call.toolCalls!.slice(1) };
    for (const name of ['qwen2.5', 'chatml'])
      expect(render(name, [user('U'), silent])).toContain('assistant\n<tool_call>\n{"name": "weather"');
  });

  test('mistral', () => {
    const silent = { ...call, content: '' };
    const chat = [user('U'), silent, ...results, assistant('Both.')];
    expect(render('mistral-v3', chat, { tools })).toBe(
      `<s>[AVAILABLE_TOOLS] [${TOOL}][/AVAILABLE_TOOLS][INST] U[/INST][TOOL_CALLS] [{"name": "weather", "arguments": {"city": "Łódź", "days": [1, 2], "unit": null}, "id": "abcdefghi"}, {"name": "weather", "arguments": {"raw":1}, "id": "abcdefghj"}]</s>[TOOL_RESULTS] {"content": sun, "call_id": "abcdefghi"}[/TOOL_RESULTS][TOOL_RESULTS] {"content": rain, "call_id": "abcdefghj"}[/TOOL_RESULTS] Both.</s>`,
    );
    expect(render('mistral-tekken', chat, { tools })).toContain('[INST]U[/INST][TOOL_CALLS][{"name"');
    expect(() => render('mistral-v3', [user('U'), call])).toThrow(/both text and tool calls/);
    // Ids of other services become nine characters, the same for call and result.
    const foreign = render('mistral-v3', [
      user('U'),
      {
        role: 'assistant',
        content: '',
        toolCalls: [
          { id: 'call_123', name: 'f', arguments: {} },
          { name: 'g', arguments: {} },
        ],
      },
      { role: 'tool', content: '1', toolCallId: 'call_123' },
      { role: 'tool', content: '2' },
    ]);
    const ids = [...foreign.matchAll(/id": "(\w+)"/g)].map(m => m[1]!);
    expect(ids).toHaveLength(4);
    for (const id of ids) expect(id).toMatch(/^[a-z0-9]{9}$/);
    expect(ids.slice(2)).toEqual(ids.slice(0, 2));
    expect(ids[0]).not.toBe(ids[1]);
  });

  test('llama-3', () => {
    const one: Message = { role: 'assistant', content: '', toolCalls: [{ name: 'f', arguments: { x: 1 } }] };
    expect(render('llama-3', [user('U'), one, { role: 'tool', content: '2' }])).toContain(
      '\n\n{"name": "f", "parameters": {"x": 1}}<|eot_id|><|start_header_id|>ipython<|end_header_id|>\n\n2<|eot_id|>',
    );
  });
});

describe('thinking', () => {
  const chat = [user('U'), assistant('A', 'old'), user('V'), assistant('B', 'new')];
  const block = (text: string) => `<think>\n${text}\n</think>\n\n`;

  test('qwen3 by default keeps the reasoning of the present answer and drops that of the history', () => {
    const text = render('qwen3', chat);
    expect(text).toContain(`assistant\nA<|im_end|>`);
    expect(text).toContain(`assistant\n${block('new')}B<|im_end|>`);
    expect(render('qwen3', chat, { thinking: 'last' })).toBe(text);
  });

  test('keep and drop', () => {
    for (const name of ['qwen3', 'chatml', 'llama-3', 'qwen2.5', 'mistral-v1', 'zephyr']) {
      const kept = render(name, chat, { thinking: 'keep' });
      expect(kept).toContain(`${block('old')}A`);
      expect(kept).toContain(`${block('new')}B`);
      const dropped = render(name, chat, { thinking: 'drop' });
      expect(dropped).not.toMatch(/old|new/);
      expect(dropped.includes('<think>')).toBe(name === 'qwen3');
      const last = render(name, chat, { thinking: 'last' });
      expect(last).not.toContain('old');
      expect(last).toContain(block('new'));
    }
    for (const name of ['alpaca', 'flan']) {
      expect(render(name, chat.slice(0, 2), { eosToken: '</s>' })).toContain(`${block('old')}A</s>`);
      expect(render(name, chat.slice(0, 2), { thinking: 'drop' })).not.toContain('old');
    }
  });

  test('an empty block is never trained, and stands in the prompt when thinking is off', () => {
    const segments = get('qwen3').render([user('U'), assistant('A')]);
    expect(join(segments.filter(s => s.thinking))).toBe('<think>\n\n</think>\n\n');
    expect(segments.filter(s => s.thinking && s.trained)).toEqual([]);
    const prompt = render('qwen3', [user('U')], { addGenerationPrompt: true, thinking: 'drop' });
    expect(join(segments).startsWith(prompt)).toBe(true);
    expect(prompt.endsWith('assistant\n<think>\n\n</think>\n\n')).toBe(true);
    expect(render('qwen3', [user('U')], { addGenerationPrompt: true }).endsWith('assistant\n')).toBe(true);
  });

  test('reasoning written into the content is found at its beginning, and only there', () => {
    const inline = [user('U'), assistant('<think>\nold\n</think>\n\nA'), user('V'), assistant('<think>new</think>B')];
    expect(render('qwen3', inline)).toBe(render('qwen3', chat));
    const quoted = [user('U'), assistant('say <think>x</think>')];
    expect(render('qwen3', quoted)).toContain('<think>\n\n</think>\n\nsay <think>x</think><|im_end|>');
  });

  test('all of a tool conversation since the question is present, not history', () => {
    const steps = [user('U'), { ...call, thinking: 'first' }, ...results, assistant('B', 'second')];
    const text = render('qwen3', steps);
    expect(text).toContain(`assistant\n${block('first')}I look.\n<tool_call>`);
    expect(text).toContain(`assistant\n${block('second')}B<|im_end|>`);
  });
});

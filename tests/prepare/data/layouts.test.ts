import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readPreferences, readRows, readUnary } from '../../../src/prepare/data/index.js';

const talk = (rows: readonly { messages: { role: string; content: unknown }[] }[]) =>
  rows.map(row => row.messages.map(m => `${m.role}: ${m.content}`));

test('Dolly: the category is the task', async () => {
  const [row] = await readRows([{ instruction: 'q', context: 'c', response: 'a', category: 'open_qa', id: 1 }]);
  expect(row).toEqual({
    messages: [
      { role: 'user', content: 'q', input: 'c' },
      { role: 'assistant', content: 'a' },
    ],
    task: 'open_qa',
    meta: { id: 1 },
    source: 'memory',
  });
});

test("Alpaca with LLaMA-Factory's history: the earlier turns are part of the conversation; what is no history is kept as it is", async () => {
  const rows = await readRows([
    {
      system: 's',
      instruction: 'q3',
      input: '',
      output: 'a3',
      history: [
        ['q1', 'a1'],
        ['q2', 'a2'],
      ],
    },
    { instruction: 'q', output: 'a', history: [] },
    { instruction: 'q', output: 'a', history: 'of the town' },
  ]);
  expect(talk(rows)).toEqual([
    ['system: s', 'user: q1', 'assistant: a1', 'user: q2', 'assistant: a2', 'user: q3', 'assistant: a3'],
    ['user: q', 'assistant: a'],
    ['user: q', 'assistant: a'],
  ]);
  expect(rows.map(row => row.meta)).toEqual([undefined, undefined, { history: 'of the town' }]);
});

test('messages as JSON text, as tables have them', async () => {
  const turns = [
    { from: 'human', value: 'q' },
    { from: 'gpt', value: 'a' },
  ];
  expect(talk(await readRows([{ conversations: JSON.stringify(turns) }]))).toEqual([['user: q', 'assistant: a']]);
  await expect(readRows([{ messages: "[{'role': 'user'}]" }])).rejects.toThrow(/messages is not a list/);
});

test('columns: the names of the file for those of a layout', async () => {
  const orca = [{ system_prompt: 's', question: 'q', response: 'a', output: 'another', id: 1 }];
  await expect(readRows(orca)).rejects.toThrow(/no "instruction"/);
  const columns = { system: 'system_prompt', instruction: 'question', output: 'response' };
  const rows = await readRows(orca, { columns });
  expect([talk(rows), rows[0]!.meta]).toEqual([[['system: s', 'user: q', 'assistant: a']], { id: 1 }]);
  await expect(readRows([{ question: 'q', answer: 'a' }])).rejects.toThrow(
    /columns: \{instruction: 'question', output: 'answer'\}/,
  );
  await expect(readRows(orca, { columns: ['question'] as never })).rejects.toThrow(/"columns"/);
  await expect(readRows(orca, { colums: columns } as never)).rejects.toThrow(/did you mean "columns"\?/);
});

test('OpenAI: tool calls, tool results, parts, developer, legacy function calls', async () => {
  const rows = await readRows([
    {
      messages: [
        { role: 'developer', content: 's' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'a' },
            { type: 'text', text: 'b' },
          ],
        },
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'c1', type: 'function', function: { name: 'f', arguments: '{"x": 1}' } }],
        },
        { role: 'tool', tool_call_id: 'c1', content: '2' },
        { role: 'assistant', content: 'done', reasoning_content: 'hm' },
      ],
      tools: '[{"type": "function", "function": {"name": "f"}}]',
    },
    {
      messages: [
        { role: 'user', content: 'u' },
        { role: 'assistant', content: null, function_call: { name: 'g', arguments: 'oops' } },
      ],
    },
    {
      messages: [
        { role: 'user', content: [{ type: 'image_url', image_url: {} }] },
        { role: 'assistant', content: 'x' },
      ],
    },
  ]);
  expect(rows[0]!.messages).toEqual([
    { role: 'system', content: 's' },
    { role: 'user', content: 'ab' },
    { role: 'assistant', content: '', toolCalls: [{ id: 'c1', name: 'f', arguments: { x: 1 } }] },
    { role: 'tool', content: '2', toolCallId: 'c1' },
    { role: 'assistant', content: 'done', thinking: 'hm' },
  ]);
  expect(rows[0]!.tools).toEqual([{ type: 'function', function: { name: 'f' } }]);
  expect(rows[1]!.messages[1]!.toolCalls).toEqual([{ name: 'g', arguments: 'oops' }]);
  expect(rows.report.skipped).toEqual([
    { index: 2, line: undefined, reason: 'a content part of type "image_url": only text can be trained on' },
  ]);
});

test('ShareGPT: system beside the turns, calls and observations, both spellings', async () => {
  const rows = await readRows([
    {
      conversations: [
        { from: 'human', value: 'u' },
        { from: 'function_call', value: '{"name": "f", "arguments": {"x": 1}}' },
        { from: 'observation', value: 'o' },
        { from: 'gpt', value: 'a' },
      ],
      system: 's',
      id: 'i',
    },
    {
      conversations: [
        { role: 'user', content: 'u' },
        { role: 'assistant', content: 'a' },
      ],
    },
  ]);
  expect(talk(rows)).toEqual([
    ['system: s', 'user: u', 'assistant: ', 'tool: o', 'assistant: a'],
    ['user: u', 'assistant: a'],
  ]);
  expect(rows[0]).toMatchObject({
    meta: { id: 'i' },
    messages: [{}, {}, { toolCalls: [{ name: 'f', arguments: { x: 1 } }] }, {}, {}],
  });
  expect(rows[0]!.meta).toEqual({ id: 'i' });
  await expect(readRows([{ conversations: [{ from: 'alien', value: 'x' }] }])).rejects.toThrow(
    /conversations\[0\]\.from.*unknown role/,
  );
});

describe('OASST', () => {
  const node = (text: string, role: string, rank?: number, ...replies: object[]) => ({
    message_id: text,
    text,
    role,
    rank,
    lang: 'en',
    replies,
  });
  const tree = {
    message_tree_id: 't',
    prompt: node(
      'q',
      'prompter',
      undefined,
      node('worse', 'assistant', 1),
      node(
        'better',
        'assistant',
        0,
        node('more?', 'prompter', 0, node('yes', 'assistant', 0)),
        node('unanswered', 'prompter', 1),
      ),
      { ...node('gone', 'assistant', 2), deleted: true },
    ),
  };
  interface Tree {
    message_id: string;
    replies: Tree[];
  }
  const flat = ({ replies, ...own }: Tree, parent_id: string | null): object[] => [
    { ...own, parent_id, message_tree_id: 't' },
    ...replies.flatMap(reply => flat(reply, own.message_id)),
  ];
  const best = ['user: q', 'assistant: better', 'user: more?', 'assistant: yes'];

  test('the best way, or all', async () => {
    const rows = await readRows([tree]);
    expect(talk(rows)).toEqual([best]);
    expect(rows[0]!.meta).toEqual({ message_tree_id: 't', lang: 'en' });
    expect(talk(await readRows([tree], { oasst: { paths: 'all' } }))).toEqual([best, ['user: q', 'assistant: worse']]);
  });

  test('flat messages, in any order; orphans are listed', async () => {
    const messages = flat(tree.prompt as unknown as Tree, null);
    for (const order of [messages, [...messages].reverse()]) expect(talk(await readRows(order))).toEqual([best]);
    const orphan = { message_id: 'o', parent_id: 'nobody', message_tree_id: 't', text: 'x', role: 'assistant' };
    const rows = await readRows([...messages, orphan]);
    expect(rows.report.skipped).toMatchObject([{ reason: 'its parent nobody is not in the file' }]);
  });

  test('a tree deeper than any stack', async () => {
    let deep: object = node('end', 'assistant');
    for (let i = 0; i < 20_000; i++) deep = { text: `${i}`, role: i % 2 ? 'assistant' : 'prompter', replies: [deep] };
    const rows = await readRows([
      {
        message_tree_id: 'd',
        prompt: { text: 'q', role: 'prompter', replies: [{ text: 'a', role: 'assistant', replies: [deep] }] },
      },
    ]);
    expect(rows.length).toBeLessThanOrEqual(1);
  });
});

test('SuperNI: examples by option, all answers as references', async () => {
  const file = {
    Definition: ['Do it.'],
    'Positive Examples': [{ input: 'p', output: 'P', explanation: 'because' }],
    'Negative Examples': [{ input: 'n', output: 'N' }],
    Instances: [{ id: 'i', input: 'x', output: ['X', 'XX'] }],
  };
  const [row] = await readRows([file]);
  expect(row).toMatchObject({
    messages: [{ content: 'Do it.', input: 'x' }, { content: 'X' }],
    meta: { references: ['X', 'XX'], id: 'i' },
  });
  const [shots] = await readRows([file], { superni: { positive: 1, negative: 1, explanations: true } });
  expect(shots!.messages[0]!.content).toBe(
    'Do it.\n\nPositive Example 1 -\nInput: p\nOutput: P\nExplanation: because\n\nNegative Example 1 -\nInput: n\nOutput: N',
  );
});

test('FLAN, P3, prompt and completion', async () => {
  expect(talk(await readRows([{ inputs: 'a', targets: 'b', task: 't' }]))).toEqual([['user: a', 'assistant: b']]);
  const p3 = await readRows([{ inputs: [1, 2], targets: [3], inputs_pretokenized: 'a', targets_pretokenized: 'b' }]);
  expect(p3[0]).toEqual({
    messages: [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b' },
    ],
    source: 'memory',
  });
  const lists = await readRows([
    {
      prompt: [
        { role: 'system', content: 's' },
        { role: 'user', content: 'a' },
      ],
      completion: 'b',
    },
  ]);
  expect(talk(lists)).toEqual([['system: s', 'user: a', 'assistant: b']]);
});

test('preferences: texts, shared beginnings, one message each, HH, OpenAI', async () => {
  const [u, a, b] = [
    { role: 'user', content: 'q' },
    { role: 'assistant', content: 'a' },
    { role: 'assistant', content: 'b' },
  ];
  const forms = [
    { prompt: 'q', chosen: 'a', rejected: 'b' },
    { prompt: 'q', chosen: [u, a], rejected: [u, b] },
    { chosen: [u, a], rejected: [u, b] },
    { prompt: [u], chosen: [a], rejected: [b] },
    { messages: [u], chosen: a, rejected: b },
    {
      conversations: [{ from: 'human', value: 'q' }],
      chosen: { from: 'gpt', value: 'a' },
      rejected: { from: 'gpt', value: 'b' },
    },
    { chosen: '\n\nHuman: q\n\nAssistant: a', rejected: '\n\nHuman: q\n\nAssistant: b' },
    { input: { messages: [u] }, preferred_output: [a], non_preferred_output: [b] },
  ];
  for (const form of forms) {
    const [row] = await readPreferences([form]);
    expect(row, JSON.stringify(form)).toEqual({ prompt: [u], chosen: [a], rejected: [b], source: 'memory' });
  }
  const rows = await readPreferences([forms[0]!, { prompt: 'q', chosen: 'a', rejected: 'a' }]);
  expect(rows.report.skipped).toMatchObject([{ reason: '"chosen" and "rejected" are the same' }]);
  await expect(readPreferences([{ chosen: [u, a], rejected: [{ role: 'user', content: 'other' }, b] }])).rejects.toThrow(
    /different prompts/,
  );
  await expect(readPreferences([{ chosen: 'a', rejected: 'b' }])).rejects.toThrow(/has no "prompt"/);
  await expect(readRows(forms.slice(0, 1))).rejects.toThrow(/read it with data\.readPreferences/);
});

test('verdicts: texts or a conversation', async () => {
  const rows = await readUnary([
    { prompt: 'q', completion: 'a', label: true },
    { prompt: 'q', completion: 'b', label: 0 },
  ]);
  expect(rows.map(row => [row.completion[0]!.content, row.desirable])).toEqual([
    ['a', true],
    ['b', false],
  ]);
  const [row] = await readUnary([
    {
      messages: [
        { role: 'user', content: 'q' },
        { role: 'assistant', content: 'a' },
      ],
      label: false,
    },
  ]);
  expect(row).toMatchObject({ prompt: [{ content: 'q' }], completion: [{ content: 'a' }], desirable: false });
});

const SHARED = join(import.meta.dirname, '../../../../shared/data');
describe('real files', () => {
  const there = existsSync(SHARED);
  if (!there) console.log('skipped: the shared data sets are not on this machine');
  const list = (folder: string) =>
    readdirSync(join(SHARED, folder))
      .filter(name => name.includes('.'))
      .map(name => join(folder, name));
  const files = there ? [...list('.'), ...list('instruction_induction'), ...list('superni_sapt')] : [];
  test.skipIf(!there)('every one is read as what it is', async () => {
    const expected: [RegExp, string, number][] = [
      [/alpaca_en/, 'alpaca', 700],
      [/rasbt/, 'alpaca', 1100],
      [/fastchat/, 'sharegpt', 100],
      [/dpo/, 'preferences', 300],
      [/seed_tasks/, 'self-instruct', 175],
      [/t0_p3/, 'prompt-completion', 2445],
      [/scan/, 'text', 4000],
      [/shakespeare/, 'text', 7222],
      [/instruction_induction/, 'induction', 30],
      [/superni/, 'superni', 118],
    ];
    for (const file of files) {
      const [, format, least] = expected.find(([name]) => name.test(file))!;
      const read = format === 'preferences' ? readPreferences : readRows;
      const { report } = await read(join(SHARED, file));
      expect(report.format, file).toBe(format);
      expect(report.kept, file).toBeGreaterThanOrEqual(least);
    }
  });
});

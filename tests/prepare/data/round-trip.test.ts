import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Random } from '../../../src/base/core/index.js';
import {
  type Message,
  type PreferenceRow,
  type Row,
  readPreferences,
  readRows,
  readUnary,
  streamRows,
  type UnaryRow,
  type WriteOptions,
  writeRows,
} from '../../../src/prepare/data/index.js';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tunebook-round-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const random = new Random('round trip');
const ALPHABET = [
  'a',
  'b',
  ' ',
  '\n',
  '\r\n',
  '"',
  '""',
  ',',
  ';',
  '\t',
  '|',
  '\\',
  'é',
  '👍',
  '\u2028',
  '{',
  '[',
  ']',
  '\u0000',
  "'",
  '#',
  'null',
  '0',
  '\ufeff',
];
/** Text with everything that separates, quotes or escapes; never only white space. */
const words = () => `x${Array.from({ length: random.int(12) }, () => random.pick(ALPHABET)).join('')}`;
const maybe = <T>(make: () => T): T | undefined => (random.next() < 0.5 ? make() : undefined);
const clean = <T extends object>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

const meta = () => maybe(() => ({ id: random.int(100), note: words(), list: [1, { deep: words() }], constructor: 'c' }));
const flat = (system: boolean, input: boolean): Row => ({
  messages: [
    ...(system ? [{ role: 'system', content: words() } as Message] : []),
    clean({ role: 'user', content: words(), input: input ? maybe(words) : undefined } as Message),
    { role: 'assistant', content: words() },
  ],
  task: maybe(words),
  meta: meta(),
});
const rich = (): Row => ({
  messages: [
    { role: 'user', content: words(), input: maybe(words), name: maybe(words) },
    {
      role: 'assistant',
      content: maybe(words) ?? '',
      thinking: maybe(words),
      toolCalls: [
        { id: 'c1', name: words(), arguments: random.next() < 0.5 ? { a: words(), n: [1, null] } : `not JSON ${words()}` },
      ],
    },
    { role: 'tool', content: words(), toolCallId: 'c1', weight: maybe(() => 0) },
    { role: 'assistant', content: [{ text: words() }, { text: words(), weight: 0.25 }, { text: words(), train: false }] },
    { role: 'user', content: words(), train: true },
    { role: 'assistant', content: words(), weight: 0.5 },
  ],
  tools: maybe(() => [{ type: 'function', function: { name: 'f', parameters: { type: 'object', properties: {} } } }]),
  documents: maybe(() => [{ title: words(), text: words() }]),
  task: maybe(words),
  meta: meta(),
});
const simple = (): Row => ({
  messages: Array.from(
    { length: 2 * (1 + random.int(3)) },
    (_, i) => ({ role: i % 2 ? 'assistant' : 'user', content: words() }) as Message,
  ),
  meta: meta(),
});
const calls = (): Row => ({
  messages: [
    { role: 'user', content: words() },
    { role: 'assistant', content: '', toolCalls: [{ name: 'f', arguments: { x: words() } }] },
    { role: 'tool', content: words() },
    { role: 'assistant', content: words() },
  ],
});
const pair = (): PreferenceRow => ({
  prompt: simple().messages.slice(0, -1),
  chosen: [{ role: 'assistant', content: `a${words()}` }],
  rejected: [{ role: 'assistant', content: `b${words()}` }],
  task: maybe(words),
  meta: meta(),
});
const verdict = (): UnaryRow => ({
  prompt: simple().messages.slice(0, -1),
  completion: [{ role: 'assistant', content: words() }],
  desirable: random.next() < 0.5,
  meta: meta(),
});
const plainText = (): Row => ({ messages: [{ role: 'assistant', content: words() }], meta: meta() });

const LAYOUTS: [NonNullable<WriteOptions['layout']>, () => Row][] = [
  ['alpaca', () => flat(random.next() < 0.5, true)],
  ['dolly', () => flat(false, true)],
  ['messages', rich],
  ['messages', simple],
  ['sharegpt', simple],
  ['sharegpt', calls],
  ['inputs-targets', () => flat(false, false)],
  ['prompt-completion', () => flat(false, false)],
  ['text', plainText],
];
const FILES = [
  'rows.json',
  'rows.jsonl',
  'rows.csv',
  'rows.tsv',
  'rows.parquet',
  'rows.jsonl.gz',
  'rows.csv.gz',
  'rows.parquet.gz',
];
const bare = (rows: readonly object[]) => rows.map(row => ({ ...row, source: undefined, line: undefined }));

describe.each(FILES)('%s: what is written is read back', name => {
  test.each(LAYOUTS)('%s', async (layout, make) => {
    const path = join(dir, `${layout}-${name}`);
    const rows = Array.from({ length: 40 }, make).map(clean);
    await writeRows(path, rows, { layout });
    const back = await readRows(path);
    expect(back.report).toMatchObject({ format: layout, read: 40, kept: 40 });
    expect(bare(back)).toEqual(bare(rows));
    const streamed: Row[] = [];
    for await (const row of streamRows(path)) streamed.push(row);
    expect(streamed).toEqual([...back]);
  });

  test('preference pairs and verdicts', async () => {
    const pairs = Array.from({ length: 40 }, pair).map(clean);
    await writeRows(join(dir, `p-${name}`), pairs);
    expect(bare(await readPreferences(join(dir, `p-${name}`)))).toEqual(bare(pairs));
    const verdicts = Array.from({ length: 40 }, verdict).map(clean);
    await writeRows(join(dir, `u-${name}`), verdicts);
    expect(bare(await readUnary(join(dir, `u-${name}`)))).toEqual(bare(verdicts));
  });
});

test('plain text: paragraphs are read back; what is none is refused and the old file stays', async () => {
  const path = join(dir, 'base.txt');
  const rows: Row[] = ['one\ntwo', 'three', 'é 👍'].map(content => ({ messages: [{ role: 'assistant', content }] }));
  await writeRows(path, rows);
  expect(bare(await readRows(path))).toEqual(bare(rows));
  const before = await readFile(path, 'utf8');
  await expect(writeRows(path, [{ messages: [{ role: 'assistant', content: 'a\n\nb' }] }])).rejects.toThrow(
    /row 0 .*blank lines/,
  );
  await expect(writeRows(path, [{ ...rows[0]!, task: 't' }])).rejects.toThrow(/the fields task beside/);
  expect(await readFile(path, 'utf8')).toBe(before);
});

test('rows flow from a stream into a file without being held', async () => {
  let alive = 0;
  async function* make(): AsyncGenerator<Row> {
    for (let i = 0; i < 300; i++) {
      alive = i;
      yield {
        messages: [
          { role: 'user', content: `${i}` },
          { role: 'assistant', content: 'x'.repeat(1000) },
        ],
      };
    }
  }
  const path = join(dir, 'flow.jsonl.gz');
  await writeRows(path, make());
  expect(alive).toBe(299);
  expect((await readRows(path)).map(row => row.messages[0]!.content)).toEqual(Array.from({ length: 300 }, (_, i) => `${i}`));
});

test('a row that would be read as something else is refused', async () => {
  const row: Row = {
    messages: [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b' },
    ],
  };
  const path = join(dir, 'refused.jsonl');
  const write = (meta: Record<string, unknown>, layout: WriteOptions['layout']) =>
    writeRows(path, [{ ...row, meta }], { layout });
  await expect(write({ output: 'c' }, 'alpaca')).rejects.toThrow(/its meta has a field "output"/);
  await expect(write({ chosen: 1, rejected: 2 }, 'messages')).rejects.toThrow(/would be read as preferences/);
  await expect(write({}, 'superni' as 'alpaca')).rejects.toThrow(/cannot be written in the layout "superni"/);
  await expect(writeRows(path, [row], { container: 'xls' as 'csv' })).rejects.toThrow(/unknown container "xls"/);
  await expect(
    writeRows(join(dir, 's.csv'), [{ messages: [row.messages[0]!, { role: 'assistant', content: '\ud800' }] }]),
  ).rejects.toThrow(/"output": row 0 holds half a character/);
  expect((await readdir(dir)).filter(name => name.startsWith('refused') || name.endsWith('.tmp'))).toEqual([]);
});

test('a conversation with half a character survives where JSON carries it', async () => {
  const rows: Row[] = [
    {
      messages: [
        { role: 'user', content: '\ud83d' },
        { role: 'assistant', content: 'b\udc4d' },
      ],
    },
  ];
  for (const name of ['half.jsonl', 'half.csv', 'half.parquet']) {
    await writeRows(join(dir, name), rows, { layout: 'messages' });
    expect(bare(await readRows(join(dir, name)))).toEqual(bare(rows));
  }
});

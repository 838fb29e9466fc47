import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Row, readRows, rowsToTable, split, toDataFrame, writeRows } from '../../../src/prepare/data/index.js';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tunebook-write-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const alpaca: Row[] = [
  {
    messages: [
      { role: 'user', content: 'a "q" \u2028', input: 'i' },
      { role: 'assistant', content: 'é👍' },
    ],
    task: 't',
    meta: { id: 3 },
  },
  {
    messages: [
      { role: 'system', content: 's' },
      { role: 'user', content: 'b' },
      { role: 'assistant', content: 'x\ny' },
    ],
  },
];
const chat: Row[] = [
  ...alpaca,
  {
    messages: [
      { role: 'user', content: 'u' },
      { role: 'assistant', content: 'v' },
      { role: 'user', content: 'w' },
      { role: 'assistant', content: 'z' },
    ],
  },
];
const bare = (rows: Row[]) => rows.map(({ source: _s, line: _l, ...rest }) => rest);

test.each(['rows.jsonl', 'rows.json'])('%s: what is written is read back', async name => {
  for (const rows of [alpaca, chat]) {
    const path = join(dir, name);
    await writeRows(path, rows);
    expect(bare(await readRows(path))).toEqual(rows);
  }
  expect((await readdir(dir)).filter(f => f.endsWith('.tmp'))).toEqual([]);
});

test('Alpaca rows are written as Alpaca, conversations as messages, and a layout that cannot hold them is refused before the file changes', async () => {
  const path = join(dir, 'layout.jsonl');
  await writeRows(path, alpaca);
  const before = await readFile(path, 'utf8');
  expect(JSON.parse(before.split('\n')[0]!)).toEqual({
    instruction: 'a "q" \u2028',
    input: 'i',
    output: 'é👍',
    task: 't',
    id: 3,
  });
  await expect(writeRows(path, chat, { layout: 'alpaca' })).rejects.toThrow(
    /row 2 does not fit the Alpaca layout.*Fix: write with/,
  );
  expect(await readFile(path, 'utf8')).toBe(before);
});

test('split: deterministic in the seed, disjoint, complete, in order', () => {
  const rows = Array.from({ length: 100 }, (_, i) => i);
  const a = split(rows, { heldOut: 0.2, seed: 1 });
  expect(a.heldOut).toHaveLength(20);
  expect([...a.train, ...a.heldOut].sort((x, y) => x - y)).toEqual(rows);
  expect(a.train).toEqual([...a.train].sort((x, y) => x - y));
  expect(split(rows, { heldOut: 20, seed: 1 })).toEqual(a);
  expect(split(rows, { heldOut: 20, seed: 2 })).not.toEqual(a);
  for (const heldOut of [100, -1, 2.5, Number.NaN]) expect(() => split(rows, { heldOut })).toThrow(/cannot hold out/);
});

test('rows become an arquero table and come back', async () => {
  const table = await rowsToTable(alpaca);
  expect(table.columnNames()).toEqual(['instruction', 'input', 'output', 'system', 'turns', 'task', 'source', 'line']);
  expect(table.array('output')).toEqual(['é👍', 'x\ny']);
  expect((await readRows(table)).map(r => r.messages)).toEqual(alpaca.map(r => r.messages));
});

test('rows become a danfo DataFrame and come back', async () => {
  const frame = await toDataFrame(alpaca);
  expect(frame.columns).toContain('instruction');
  const rows = await readRows(frame);
  expect(rows.map(r => r.messages)).toEqual(alpaca.map(r => r.messages));
  expect(rows.report.source).toBe('danfo');
});

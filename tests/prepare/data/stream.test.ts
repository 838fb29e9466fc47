import { expect, test } from 'vitest';
import { readRows, streamRows } from '../../../src/prepare/data/index.js';
import { heapMB } from '../../helpers/heap.js';

const GIB = 2 ** 30;

/** Megabytes that are held now, when all that can be freed was, beyond those of the beginning; and the most of them seen. */
function watch() {
  const held = () => heapMB() + process.memoryUsage().arrayBuffers / 1e6;
  const start = held();
  let most = 0;
  return { look: () => (most = Math.max(most, held() - start)), most: () => most };
}

/** JSONL of so many bytes that nobody stores: a megabyte of rows, again and again, cut where no row ends. */
async function* jsonlOf(bytes: number, count: { bytes: number }): AsyncGenerator<Uint8Array> {
  const row = `${JSON.stringify({ instruction: 'Say it again.', output: `answer ${'word '.repeat(13_000)}` })}\n`;
  const block = new TextEncoder().encode(row.repeat(16));
  const cut = 12_345;
  yield block.subarray(0, cut);
  count.bytes = cut;
  const again = new Uint8Array([...block.subarray(cut), ...block.subarray(0, cut)]);
  while (count.bytes < bytes) {
    count.bytes += again.length;
    yield again;
  }
  yield block.subarray(cut);
  count.bytes += block.length - cut;
}

test('5 GB of JSONL flow through bounded memory', async () => {
  const count = { bytes: 0 };
  const memory = watch();
  const rows = streamRows(jsonlOf(5 * GIB, count), { container: 'jsonl' });
  let seen = 0;
  for await (const row of rows) {
    if (row.messages.length === 2) seen++;
    if (seen % 2048 === 0) memory.look();
  }
  expect(count.bytes).toBeGreaterThanOrEqual(5 * GIB);
  expect(seen).toBe(rows.report.kept);
  expect(seen).toBeGreaterThan(80_000);
  expect(memory.most()).toBeLessThan(100);
});

test('rows made one by one are asked for one by one', async () => {
  let made = 0;
  let ended = false;
  function* make() {
    try {
      for (;;) yield { instruction: `Say ${made}.`, output: `${made++}` };
    } finally {
      ended = true;
    }
  }
  for await (const row of streamRows(make())) if (row.messages[1]!.content === '9') break;
  expect(made).toBeLessThanOrEqual(12);
  expect(ended).toBe(true);
  expect(await readRows(make(), { limit: 7 })).toHaveLength(7);
});

test('the account grows with the stream, and is judged at its end', async () => {
  const rows = streamRows([{ text: 'a' }, { text: '' }, { text: 'b' }, { text: ' ' }, { text: '' }]);
  const seen: unknown[] = [];
  await expect(
    (async () => {
      for await (const row of rows) seen.push(row.messages[0]!.content);
    })(),
  ).rejects.toThrow(/3 of 5 rows cannot be used/);
  expect(seen).toEqual(['a', 'b']);
  expect(rows.report).toMatchObject({ format: 'text', read: 5, kept: 2 });
});

test('an aborted signal ends the stream', async () => {
  const control = new AbortController();
  const rows = streamRows(
    Array.from({ length: 5000 }, (_, i) => ({ text: `${i}` })),
    { signal: control.signal },
  );
  let seen = 0;
  await expect(
    (async () => {
      for await (const _ of rows) if (++seen === 3) control.abort();
    })(),
  ).rejects.toThrow(/was stopped/);
  expect(seen).toBeLessThan(5000);
});

test('pieces of text make a file too', async () => {
  expect((await readRows(['{"text": "a"}\n{"te', 'xt": "b"}'].values())).map(r => r.messages[0]!.content)).toEqual(['a', 'b']);
  const blob = new File(['instruction,output\na,b\n'], 'chosen.csv');
  const rows = await readRows(blob);
  expect(rows.report).toMatchObject({ source: 'chosen.csv', format: 'alpaca', kept: 1 });
});

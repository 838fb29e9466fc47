import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { table } from 'arquero';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BadInput } from '../../../src/base/core/index.js';
import { readRows } from '../../../src/prepare/data/index.js';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tunebook-data-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, content);
  return path;
}

/** The error of reading `source`; it must be a BadInput of one paragraph with a fix. */
async function failure(source: Parameters<typeof readRows>[0], options?: Parameters<typeof readRows>[1]): Promise<BadInput> {
  const error = await readRows(source, options).then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(BadInput);
  const bad = error as BadInput;
  expect(bad.message).not.toMatch(/\n/);
  expect(bad.message).toMatch(/Fix: /);
  expect(bad.exitCode).toBe(2);
  return bad;
}

const row = (i: number) => ({ instruction: `Say ${i}.`, input: '', output: `${i}` });

describe('files that are fine', () => {
  test('an Alpaca JSON array, pretty-printed: rows keep the line they begin on', async () => {
    const path = await file(
      'pretty.json',
      JSON.stringify([row(1), { ...row(2), input: 'with "quotes" and \\ [brackets] {too}' }, row(3)], null, 2),
    );
    const rows = await readRows(path);
    expect(rows.map(r => r.line)).toEqual([2, 7, 12]);
    expect(rows[0]).toEqual({
      messages: [
        { role: 'user', content: 'Say 1.' },
        { role: 'assistant', content: '1' },
      ],
      source: path,
      line: 2,
    });
    expect(rows[1]!.messages[0]).toEqual({ role: 'user', content: 'Say 2.', input: 'with "quotes" and \\ [brackets] {too}' });
    expect(rows.report).toEqual({ source: path, format: 'alpaca', read: 3, kept: 3, skipped: [] });
  });

  test('JSONL with a byte order mark, CRLF, blank lines and no newline at the end', async () => {
    const path = await file('a.jsonl', `\ufeff${JSON.stringify(row(1))}\r\n\r\n   \n${JSON.stringify(row(2))}`);
    const rows = await readRows(path);
    expect(rows.map(r => [r.line, r.messages[1]!.content])).toEqual([
      [1, '1'],
      [4, '2'],
    ]);
  });

  test('JSON with a byte order mark, and a .json file that is JSONL', async () => {
    expect(await readRows(await file('bom.json', `\ufeff[${JSON.stringify(row(1))}]`))).toHaveLength(1);
    const lines = await readRows(await file('lines.json', `${JSON.stringify(row(1))}\n${JSON.stringify(row(2))}\n`));
    expect(lines.map(r => r.line)).toEqual([1, 2]);
  });

  test('messages rows, task, meta fields and weights', async () => {
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hi', input: 'context' },
      { role: 'assistant', content: 'Hello', weight: 0 },
      { role: 'user', content: 'Bye' },
      { role: 'assistant', content: 'Goodbye' },
    ];
    const path = await file('chat.jsonl', JSON.stringify({ messages, task: 'greet', id: 7 }));
    const rows = await readRows(path);
    expect(rows.report.format).toBe('messages');
    expect(rows[0]).toEqual({ messages, task: 'greet', meta: { id: 7 }, source: path, line: 1 });
  });

  test('text rows', async () => {
    const rows = await readRows([{ text: 'once upon a time' }]);
    expect(rows[0]).toEqual({ messages: [{ role: 'assistant', content: 'once upon a time' }], source: 'memory' });
    expect(rows.report.format).toBe('text');
  });

  test('a line longer than a read chunk, split inside a character', async () => {
    const output = `${'x'.repeat((1 << 20) - 40)}${'é👍'.repeat(50_000)}`;
    const rows = await readRows(
      await file('long.jsonl', `${JSON.stringify({ instruction: 'i', output })}\n${JSON.stringify(row(2))}\n`),
    );
    expect(rows[0]!.messages[1]!.content).toBe(output);
    expect(rows[1]!.line).toBe(2);
  });

  test('limit stops early', async () => {
    expect(await readRows([row(1), row(2), row(3)], { limit: 2 })).toHaveLength(2);
  });

  test('arquero tables and danfo-shaped frames; a missing input is no input', async () => {
    const t = table({ instruction: ['a', 'b'], input: [null, 'x'], output: ['1', '2'] });
    const fromTable = await readRows(t);
    expect(fromTable.map(r => r.messages[0])).toEqual([
      { role: 'user', content: 'a' },
      { role: 'user', content: 'b', input: 'x' },
    ]);
    expect(fromTable.report.source).toBe('arquero');
    const frame = { columns: ['instruction', 'input', 'output'], values: [['a', Number.NaN, '1']] };
    const fromFrame = await readRows(frame);
    expect(fromFrame[0]!.messages[0]).toEqual({ role: 'user', content: 'a' });
    expect(fromFrame.report.source).toBe('danfo');
  });
});

describe('rows that are left out are listed', () => {
  test('empty output and empty instruction', async () => {
    const path = await file(
      'empty-output.jsonl',
      [row(1), { ...row(2), output: ' \n' }, { ...row(3), instruction: '' }, row(4)].map(r => JSON.stringify(r)).join('\n'),
    );
    const rows = await readRows(path);
    expect(rows).toHaveLength(2);
    expect(rows.report).toMatchObject({ read: 4, kept: 2 });
    expect(rows.report.skipped).toEqual([
      { index: 1, line: 2, reason: '"output" is empty' },
      { index: 2, line: 3, reason: '"instruction" is empty' },
    ]);
  });

  test('too many of them throw, and so does a file with none usable', async () => {
    const bad = await failure([row(1), { ...row(2), output: '' }, { ...row(3), output: '' }]);
    expect(bad.message).toMatch(/2 of 3 rows cannot be used/);
    expect(bad.message).toMatch(/row 1: "output" is empty; row 2/);
    expect(
      (await readRows([row(1), { ...row(2), output: '' }, { ...row(3), output: '' }], { maxSkipped: 0.7 })).report.kept,
    ).toBe(1);
    expect((await failure([{ ...row(1), output: '' }], { maxSkipped: 1 })).message).toMatch(/at least one usable row/);
  });

  test("onBad: 'skip' lists malformed rows too", async () => {
    const path = await file(
      'mixed.jsonl',
      `${JSON.stringify(row(1))}\n{"instruction": "no output"}\n{broken\n${JSON.stringify(row(4))}\n${JSON.stringify(row(5))}`,
    );
    const rows = await readRows(path, { onBad: 'skip' });
    expect(rows.report).toMatchObject({ read: 5, kept: 3 });
    expect(rows.report.skipped.map(s => s.line)).toEqual([2, 3]);
    expect(rows.report.skipped[0]!.reason).toMatch(/no "output"/);
    expect(rows.report.skipped[1]!.reason).toMatch(/invalid JSON/);
  });
});

describe('bad input is one paragraph with file, line, expectation and fix', () => {
  test('a missing file', async () => {
    const bad = await failure(join(dir, 'nowhere.json'));
    expect(bad.message).toMatch(/nowhere\.json: there is no such file/);
  });

  test('a directory', async () => {
    expect((await failure(dir)).message).toMatch(/this is a directory/);
  });

  test('an unreadable file', async () => {
    // Root may read what has no permissions, but not this.
    const root = process.getuid?.() === 0;
    const path = root ? '/proc/self/mem' : await file('secret.json', '[]');
    if (!root) await chmod(path, 0);
    expect((await failure(path)).message).toMatch(root ? /the file cannot be read \(EIO\)/ : /may not be read/);
  });

  test('an empty file, one of white space, an empty array', async () => {
    expect((await failure(await file('empty.json', ''))).message).toMatch(/empty\.json: the file is empty/);
    expect((await failure(await file('blank.jsonl', ' \n\n'))).message).toMatch(/the file is empty/);
    expect((await failure(await file('none.json', '[]'))).message).toMatch(/the file is empty/);
  });

  test('invalid JSON on line 812 of a JSONL file', async () => {
    const lines = Array.from({ length: 1000 }, (_, i) => JSON.stringify(row(i)));
    lines[811] = '{"instruction": "Say 811.", "output": "811"';
    const bad = await failure(await file('broken.jsonl', lines.join('\n')));
    expect(bad.message).toMatch(
      /broken\.jsonl:812: invalid JSON at column 44\. Expected "," or "}" after a value, found the end of the text/,
    );
    expect(bad.parts.where).toMatchObject({ line: 812 });
  });

  test('a syntax error in a .json file: line and column', async () => {
    const bad = await failure(await file('syntax.json', '[\n  {"instruction": "a",\n   "output": "b",}\n]'));
    expect(bad.message).toMatch(/syntax\.json:3: invalid JSON at line 3, column 18\. Expected a key in double quotes, found "}"/);
  });

  test('a row without output, with its line and key', async () => {
    const bad = await failure(await file('missing.json', JSON.stringify([row(1), { instruction: 'a', response: 'b' }], null, 1)));
    expect(bad.message).toMatch(
      /missing\.json:7, "output": the row has no "output"\. Expected a string in "output", found only the keys "instruction", "response"/,
    );
  });

  test('wrong types', async () => {
    expect((await failure([{ instruction: 'a', output: 3 }])).message).toMatch(
      /row 0: "output" is not text\. Expected a string, found a number \(3\)/,
    );
    expect((await failure([{ instruction: 'a', output: 'b', input: ['c'] }])).message).toMatch(/"input": .*found an array of 1/);
    expect((await failure(['text' as unknown as object])).message).toMatch(/a row is not an object/);
    expect((await failure([{ messages: 'hello' }])).message).toMatch(/messages is not a list/);
    expect((await failure([{ messages: [{ role: 'robot', content: 'x' }] }])).message).toMatch(
      /"messages\[0\]\.role".*system, user, assistant, tool, found "robot"/,
    );
    expect((await failure([{ messages: [{ role: 'user', content: null }] }])).message).toMatch(/content is not text/);
    expect((await failure([{ question: 'a' }])).message).toMatch(/layout of the row is not known/);
    expect((await failure(42 as unknown as string)).message).toMatch(/no source of rows/);
  });

  test('a top level that is not an array', async () => {
    const bad = await failure(await file('object.json', JSON.stringify({ data: [row(1)], version: 1 }, null, 1)));
    expect(bad.message).toMatch(/top level is not an array of rows/);
    expect(bad.message).toMatch(/jq \.data FILE/);
    expect((await failure(await file('scalar.json', '"hello"'))).message).toMatch(/scalar\.json:1/);
  });

  test("Python's NaN, NUL bytes, invalid UTF-8, UTF-16, gzip", async () => {
    expect((await failure(await file('nan.jsonl', '{"instruction": "a", "output": NaN}'))).message).toMatch(
      /NaN, which Python writes but JSON does not have/,
    );
    expect((await failure(await file('nul.jsonl', '{"instruction": "a\u0000b", "output": "c"}'))).message).toMatch(/U\+0000/);
    const latin1 = Buffer.concat([
      Buffer.from(`${JSON.stringify(row(1))}\n`),
      Buffer.from('{"instruction": "caf\xe9", "output": "c"}', 'latin1'),
    ]);
    expect((await failure(await file('latin1.jsonl', latin1))).message).toMatch(/latin1\.jsonl:2: the line is not valid UTF-8/);
    expect((await failure(await file('latin1.json', Buffer.from('[\n{"instruction": "caf\xe9"}]', 'latin1')))).message).toMatch(
      /latin1\.json:2/,
    );
    expect((await failure(await file('utf16.json', Buffer.from('\ufeff[]', 'utf16le')))).message).toMatch(/UTF-16/);
    expect((await failure(await file('rows.json.gz', Buffer.from([0x1f, 0x8b, 8, 0])))).message).toMatch(/gzip/);
  });

  test('unknown format option', async () => {
    expect((await failure([row(1)], { format: 'csv' as 'alpaca' })).message).toMatch(/unknown format "csv"/);
    expect((await failure([row(1)], { format: 'messages' })).message).toMatch(/messages is not a list/);
  });
});

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { ByteWriter, parquetWrite } from 'hyparquet-writer';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BadInput, Random } from '../../../src/base/core/index.js';
import { readRows, type Source, writeRows } from '../../../src/prepare/data/index.js';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tunebook-containers-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, content);
  return path;
}

async function failure(source: Source, options?: Parameters<typeof readRows>[1]): Promise<string> {
  const error = await readRows(source, options).then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(BadInput);
  expect((error as Error).message).toMatch(/^[^\n]*Fix: [^\n]*$/);
  return (error as Error).message;
}

const answers = (rows: { messages: { content: unknown }[] }[]) => rows.map(row => row.messages.at(-1)!.content);
const row = (i: number) => ({ instruction: `Say ${i}.`, output: `${i}` });
const jsonl = (n: number) => Array.from({ length: n }, (_, i) => `${JSON.stringify(row(i))}\n`).join('');

describe('CSV', () => {
  test('quotes, separators and line breaks in cells; rows know the line they begin on; empty cells are no value', async () => {
    const path = await file(
      'a.csv',
      '\ufeffinstruction,input,output,note\r\n"say ""a"",\nplease",,A,1\r\n\r\nb,"in",B,\r\n"c\n\nc", ,"C\n",x\n',
    );
    const rows = await readRows(path);
    expect([...rows]).toMatchObject([
      { messages: [{ content: 'say "a",\nplease' }, { content: 'A' }], line: 2, meta: { note: '1' } },
      { messages: [{ content: 'b', input: 'in' }, { content: 'B' }], line: 5 },
      { messages: [{ content: 'c\n\nc', input: ' ' }, { content: 'C\n' }], line: 6, meta: { note: 'x' } },
    ]);
    expect(rows[0]!.messages[0]).not.toHaveProperty('input');
    expect(rows[1]).not.toHaveProperty('meta');
  });

  test.each([
    [';', 'x.csv'],
    ['\t', 'x.tsv'],
    ['|', 'y.csv'],
  ])('separator %j is found', async (separator, name) => {
    const text = ['instruction,output', '"a, b; c|d",e'].map(l => l.replace(/,(?! )/g, separator)).join('\n');
    expect(answers(await readRows(await file(name, text)))).toEqual(['e']);
  });

  test('conversations in cells', async () => {
    const messages = JSON.stringify([
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b, "c"' },
    ]);
    const rows = await readRows(await file('m.csv', `messages,task\n"${messages.replaceAll('"', '""')}",t\n`));
    expect(rows[0]).toMatchObject({ messages: [{ content: 'a' }, { content: 'b, "c"' }], task: 't' });
    // A text that happens to be JSON stays a text.
    const sides = await readRows(await file('p.csv', 'prompt,completion\ngive JSON,"{""a"": [1]}"\n"[1, 2]",sum\n'));
    expect(sides.map(r => r.messages.map(m => m.content))).toEqual([
      ['give JSON', '{"a": [1]}'],
      ['[1, 2]', 'sum'],
    ]);
  });

  test('a cell of 1 MB, over many chunks', async () => {
    const big = `${'é"\n,'.repeat(250_000)}end`;
    const rows = await readRows(await file('big.csv', `instruction,output\ni,"${big.replaceAll('"', '""')}"\nj,k\n`));
    expect(answers(rows)).toEqual([big, 'k']);
    expect(rows[1]!.line).toBe(250_003);
  });

  test('what is wrong is said with the line', async () => {
    expect(await failure(await file('few.csv', 'instruction,output\na,b\n"c\nd"\ne,f\n'))).toMatch(
      /few\.csv:3: the record has 1 cells\. Expected 2 cells/,
    );
    const skipped = await readRows(await file('few2.csv', 'instruction,output\na,b\nc\ne,f\n'), { onBad: 'skip' });
    expect(skipped.report).toMatchObject({ read: 3, kept: 2, skipped: [{ line: 3 }] });
    expect(await failure(await file('open.csv', 'instruction,output\na,b\nc,"d\ne,f\n'))).toMatch(
      /open\.csv:3: a quote that is opened/,
    );
    expect(await failure(await file('stray.csv', 'instruction,output\na,b\nc,d"e\n'))).toMatch(
      /stray\.csv:3: the record is not valid CSV/,
    );
    expect(await failure(await file('twice.csv', 'output,output\na,b\n'))).toMatch(
      /twice\.csv:1: two columns are named "output"/,
    );
    expect(await failure(await file('only.csv', 'instruction,output\n'))).toMatch(/the file is empty/);
    expect(await failure(await file('latin.csv', Buffer.from('instruction,output\na,b\nc,caf\xe9\n', 'latin1')))).toMatch(
      /latin\.csv:3: the line is not valid UTF-8/,
    );
    expect(await failure(await file('what.csv', 'question,reply\na,b\n'))).toMatch(
      /what\.csv:2: the layout of the row is not known/,
    );
  });
});

describe('gzip', () => {
  test('is known by its first bytes, whatever the name; several members are one file', async () => {
    const packed = Buffer.concat([gzipSync(jsonl(3)), gzipSync(jsonl(2))]);
    for (const name of ['a.jsonl.gz', 'a.jsonl', 'a.bin', 'a.json.gz'])
      expect(await readRows(await file(name, packed))).toHaveLength(5);
    expect(await readRows(await file('b.csv.gz', gzipSync('instruction,output\na,b\n')))).toHaveLength(1);
    expect((await readRows(await file('c.txt.gz', gzipSync('one\n\ntwo\n')))).report.format).toBe('text');
    expect(await readRows(packed)).toHaveLength(5);
  });

  test('cut short or damaged', async () => {
    const whole = gzipSync(jsonl(2000));
    expect(await failure(await file('cut.jsonl.gz', whole.subarray(0, -50)))).toMatch(
      /cut\.jsonl\.gz: the gzip data is cut short or damaged/,
    );
    const damaged = Buffer.from(whole);
    damaged[whole.length >> 1]! ^= 0xff;
    expect(await failure(await file('hurt.jsonl.gz', damaged))).toMatch(/damaged|invalid JSON/);
  });

  test('a bomb is refused at the limit, not unpacked', async () => {
    const bomb = gzipSync(Buffer.alloc(64 << 20, ' '));
    expect(bomb.length).toBeLessThan(100_000);
    const before = process.memoryUsage().arrayBuffers;
    expect(await failure(await file('bomb.json.gz', bomb), { maxBytes: 1 << 20 })).toMatch(
      /unpacks to more than 1048576 bytes.*maxBytes/,
    );
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 << 20);
    // The limit is for what is unpacked, not for plain files.
    expect(await readRows(await file('plain.jsonl', jsonl(100)), { maxBytes: 10 })).toHaveLength(100);
  });
});

describe('Parquet', () => {
  /** A small file with structs, lists, numbers and nulls, in several row groups. */
  function sample(rows = 25, rowGroupSize = 10): Uint8Array {
    const writer = new ByteWriter();
    const columnData = [
      { name: 'instruction', data: Array.from({ length: rows }, (_, i) => `Say ${i}.`) },
      { name: 'output', data: Array.from({ length: rows }, (_, i) => (i === 3 ? null : `${i}`)) },
      { name: 'big', data: Array.from({ length: rows }, (_, i) => BigInt(i)), type: 'INT64' as const },
    ];
    parquetWrite({ writer, columnData, rowGroupSize });
    return writer.getBytes();
  }

  test('row groups, nulls and 64-bit numbers; the row number where there are no lines', async () => {
    const rows = await readRows(await file('a.parquet', sample()));
    expect(rows.report).toMatchObject({
      format: 'alpaca',
      read: 25,
      kept: 24,
      skipped: [{ index: 3, reason: '"output" is empty' }],
    });
    expect(rows[0]!.meta).toEqual({ big: 0 });
    expect(await readRows(sample())).toHaveLength(24);
    expect(await readRows(await file('a.bin.gz', gzipSync(sample())))).toHaveLength(24);
    const writer = new ByteWriter();
    parquetWrite({
      writer,
      columnData: [
        { name: 'instruction', data: ['a', 'b'] },
        { name: 'output', data: ['c', 7] as unknown[], type: 'JSON' },
      ],
    });
    expect(await failure(await file('typed.parquet', writer.getBytes()))).toMatch(
      /typed\.parquet, "output": row 1: "output" is not text.*a number \(7\)/,
    );
  });

  // Written with pyarrow 26 by fixtures/make_parquet.py.
  test.each(['snappy', 'gzip', 'zstd', 'brotli', 'lz4', 'none'])(
    '%s: as pyarrow writes it, lists of structs and dictionaries',
    async codec => {
      const rows = await readRows(join(import.meta.dirname, 'fixtures/parquet', `${codec}.parquet`));
      expect(rows.report).toMatchObject({ format: 'messages', read: 120, kept: 120 });
      expect(rows[119]).toMatchObject({
        messages: [
          { role: 'user', content: 'Frage 119 – é👍' },
          { role: 'assistant', content: 'antwort 119 '.repeat(5) },
        ],
        task: 't3',
        meta: { score: 59.5, tags: ['x', 'y119'] },
      });
    },
  );

  test('footers that lie are refused before anything is allocated', async () => {
    const good = Buffer.from(sample());
    expect(await failure(await file('short.parquet', good.subarray(0, 20)))).toMatch(/short\.parquet: its footer cannot be read/);
    const long = Buffer.from(good);
    long.writeUInt32LE(0xfffffff0, long.length - 8);
    expect(await failure(await file('long.parquet', long))).toMatch(
      /its footer cannot be read.*metadata length 4294967280 exceeds/,
    );
    expect(await failure(await file('lfs.parquet', 'version https://git-lfs.github.com/spec/v1\n'))).toMatch(
      /no Parquet file.*git lfs pull/,
    );
  });

  test('damage anywhere is an error of ours, or does not reach the rows', async () => {
    const good = Buffer.from(sample());
    const random = new Random('damage');
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 300; i++) {
      const bad = Buffer.from(good);
      for (let k = 0; k < 3; k++) bad[4 + random.int(bad.length - 8)] = random.int(256);
      const outcome = await readRows(bad, { container: 'parquet', onBad: 'skip', maxSkipped: 1 }).catch(
        (error: unknown) => error,
      );
      if (outcome instanceof Error) expect(outcome).toBeInstanceOf(BadInput);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(256 << 20);
  });

  test('a column that is not UTF-8 is named', async () => {
    const writer = new ByteWriter();
    parquetWrite({
      writer,
      columnData: [
        { name: 'instruction', data: ['a', 'b'] },
        { name: 'output', data: [new Uint8Array([0x63]), new Uint8Array([0xff, 0xfe])] },
      ],
      schema: [
        { name: 'root', num_children: 2 },
        { name: 'instruction', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
        { name: 'output', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
      ],
      statistics: false,
    });
    expect(await failure(await file('utf8.parquet', writer.getBytes()))).toMatch(
      /utf8\.parquet, "output": rows 0 to 1 cannot be read from the Parquet file.*not valid UTF-8/,
    );
  });
});

describe('several files, plain text, hostile keys', () => {
  test('a pattern reads all shards in order', async () => {
    for (const i of [2, 1]) await file(`shard-${i}.jsonl`, `${JSON.stringify(row(i))}\n`);
    const rows = await readRows(join(dir, 'shard-*.jsonl'));
    expect(rows.map(r => [r.source, r.line])).toEqual([1, 2].map(i => [join(dir, `shard-${i}.jsonl`), 1]));
    expect(rows.report.source).toBe(join(dir, 'shard-*.jsonl'));
    expect(await failure(join(dir, 'nothing-*.jsonl'))).toMatch(/no file matches/);
    await file('shard-3.jsonl', '{"instruction": 1}');
    expect(await failure(join(dir, 'shard-?.jsonl'))).toMatch(/shard-3\.jsonl:1, "instruction"/);
  });

  test('paragraphs, lines or the whole', async () => {
    const path = await file('t.txt', 'one\ntwo\n\n\nthree\r\n');
    expect((await readRows(path)).map(r => [r.line, r.messages[0]!.content])).toEqual([
      [1, 'one\ntwo'],
      [5, 'three'],
    ]);
    expect(answers(await readRows(path, { textBy: 'line' }))).toEqual(['one', 'two', 'three']);
    expect(answers(await readRows(path, { textBy: 'whole' }))).toEqual(['one\ntwo\n\n\nthree\r\n']);
    expect(answers(await readRows(await file('l.txt', 'one\ntwo')))).toEqual(['one', 'two']);
    expect(await failure(await file('blank.txt', '\n \n'))).toMatch(/the file is empty/);
  });

  test('keys of the prototype are data', async () => {
    const hostile = '{"instruction": "a", "output": "b", "__proto__": {"task": "polluted", "isAdmin": true}, "constructor": "c"}';
    const rows = await readRows(await file('proto.jsonl', hostile));
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
    expect(rows[0]!.task).toBeUndefined();
    expect(Object.keys(rows[0]!.meta!)).toEqual(['__proto__', 'constructor']);
    expect(Object.getPrototypeOf(rows[0]!.meta)).toBe(Object.prototype);
    for (const name of ['proto2.jsonl', 'proto2.csv', 'proto2.parquet']) {
      await writeRows(join(dir, name), rows);
      const [back] = await readRows(join(dir, name));
      expect(JSON.stringify(back!.meta)).toBe(JSON.stringify(rows[0]!.meta));
      expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
    }
    const cells = await readRows(await file('proto.csv', 'instruction,output,__proto__\na,b,c\n'));
    expect(Object.entries(cells[0]!.meta!)).toEqual([['__proto__', 'c']]);
    const inherited = await failure([Object.create({ instruction: 'a', output: 'b' }) as object]);
    expect(inherited).toMatch(/the row has no "instruction"/);
    const message = '{"messages": [{"role": "__proto__", "content": "x"}]}';
    expect(await failure(await file('role.jsonl', message))).toMatch(/unknown role/);
  });

  test('what is no file of rows is called by its name; a plain text may begin as it likes', async () => {
    const zip = Buffer.from('504b0304140000000000', 'hex');
    expect(await failure(await file('rows.zip', zip))).toMatch(/ZIP archive.*unzip/);
    expect(await failure(await file('rows.jsonl.zst', Buffer.from('28b52ffd2009490000', 'hex')))).toMatch(/Zstandard.*unzstd/);
    expect(await failure(await file('rows.jsonl.bz2', Buffer.from('BZh91AY&SY')))).toMatch(/bzip2/);
    expect(await failure(await file('lfs.json', 'version https://git-lfs.github.com/spec/v1\noid sha256:0\n'))).toMatch(
      /git lfs pull/,
    );
    expect(await failure(await file('page.json', '<!DOCTYPE html><html></html>'))).toMatch(/web page/);
    const rows = await readRows(await file('page.txt', '<html> is how pages begin'));
    expect(rows[0]!.messages[0]!.content).toBe('<html> is how pages begin');
  });

  test('the container can be named, and only a known one', async () => {
    const path = await file('rows.dat', 'instruction;output\na;b\n');
    expect(await readRows(path, { container: 'csv' })).toHaveLength(1);
    expect(await failure(path, { container: 'xls' as 'csv' })).toMatch(/unknown container "xls"/);
    expect(await readFile(path, 'utf8')).toMatch(/^instruction/);
  });
});

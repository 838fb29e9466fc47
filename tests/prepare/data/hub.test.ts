import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type HubSource, readRows, writeRows } from '../../../src/prepare/data/index.js';
import { parseHub } from '../../../src/prepare/data/sources/hub.js';
import { type FakeHub, fakeHub, sha1 } from './hub-server.js';

const REPO = 'someone/some-data';
const line = (i: number) => `${JSON.stringify({ instruction: `Say ${i}.`, output: `${i}`.repeat(50) })}\n`;
const lines = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => line(from + i)).join('');

let cacheDir: string;
let hub: FakeHub | undefined;
beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'tunebook-hub-'));
});
afterEach(async () => {
  await hub?.close();
  hub = undefined;
  await rm(cacheDir, { recursive: true, force: true });
});

const source = (more: Partial<HubSource> = {}): HubSource => ({ hub: REPO, hubUrl: hub!.url, cacheDir, ...more });
const downloads = () => hub!.log.filter(entry => entry.includes('/resolve/') && !entry.endsWith('bytes=0-0'));
const cached = async () =>
  (await readdir(cacheDir, { recursive: true, withFileTypes: true })).filter(f => f.isFile()).map(f => f.name);

const FILES = {
  'README.md': '# A data set',
  'dataset_infos.json': '{}',
  'data/train-00000.jsonl': lines(0, 10),
  'data/train-00001.jsonl.gz': gzipSync(lines(10, 20)),
  'data/test-00000.jsonl': lines(100, 105),
};

test('the training split is all its shards in order, each row with its file; a second reading downloads nothing', async () => {
  hub = await fakeHub(REPO, FILES, { lfs: ['data/train-00001.jsonl.gz'] });
  const rows = await readRows(source());
  expect(rows.map(row => row.messages[0]!.content)).toEqual(Array.from({ length: 20 }, (_, i) => `Say ${i}.`));
  expect(rows[12]).toMatchObject({ source: `hf://datasets/${REPO}/data/train-00001.jsonl.gz`, line: 3 });
  expect(rows.report.source).toBe(`hf://datasets/${REPO}`);
  expect((await cached()).sort()).toEqual(['train-00000.jsonl', 'train-00001.jsonl.gz']);
  const before = downloads().length;
  expect(before).toBe(2);
  expect(await readRows(source())).toEqual(rows);
  expect(downloads().length).toBe(before);
});

test('split, path, folder, pattern and address', async () => {
  hub = await fakeHub(REPO, FILES);
  expect(await readRows(source({ split: 'test' }))).toHaveLength(5);
  expect(await readRows(source({ path: 'data/train-00000.jsonl' }))).toHaveLength(10);
  expect(await readRows(source({ path: 'data' }))).toHaveLength(25);
  expect(await readRows(source({ path: 'data/t*-00000.jsonl' }))).toHaveLength(15);
  await expect(readRows(source({ split: 'validation' }))).rejects.toThrow(
    /no file belongs to the split "validation".*test-00000\.jsonl/,
  );
  await expect(readRows(source({ path: 'nowhere.csv' }))).rejects.toThrow(/there is no file "nowhere\.csv"/);
  expect(parseHub('hf://datasets/a/b')).toEqual({ hub: 'a/b' });
  expect(parseHub('hf://datasets/a/b-c.d/x/y.parquet@v1')).toEqual({ hub: 'a/b-c.d', path: 'x/y.parquet', revision: 'v1' });
  expect(parseHub('hf://datasets/a/b@refs%2Fconvert/x')).toEqual({ hub: 'a/b', path: 'x', revision: 'refs/convert' });
  expect(() => parseHub('hf://a')).toThrow(/names no data set/);
});

test('an address finds hub and cache through the environment', async () => {
  hub = await fakeHub(REPO, FILES);
  const { HF_ENDPOINT, TUNEBOOK_CACHE } = process.env;
  Object.assign(process.env, { HF_ENDPOINT: hub.url, TUNEBOOK_CACHE: cacheDir });
  try {
    expect(await readRows(`hf://datasets/${REPO}/data/test-00000.jsonl`, { limit: 2 })).toHaveLength(2);
    expect(await cached()).toEqual(['test-00000.jsonl']);
  } finally {
    for (const [name, value] of Object.entries({ HF_ENDPOINT, TUNEBOOK_CACHE })) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
});

test('Parquet is preferred and read from the cache', async () => {
  const path = join(cacheDir, 'made.parquet');
  await writeRows(path, [
    {
      messages: [
        { role: 'user', content: 'a' },
        { role: 'assistant', content: 'b' },
      ],
    },
  ]);
  hub = await fakeHub(REPO, { ...FILES, 'default/train/0000.parquet': await readFile(path) });
  const rows = await readRows(source());
  expect(rows.map(row => row.messages[1]!.content)).toEqual(['b']);
});

test('a broken download is continued where it broke', async () => {
  hub = await fakeHub(REPO, { 'train.jsonl': lines(0, 2000) });
  hub.breakAfter = [70_000];
  expect(await readRows(source())).toHaveLength(2000);
  expect(downloads()).toHaveLength(2);
  const resumed = /bytes=(\d+)-/.exec(downloads()[1]!);
  expect(Number(resumed?.[1])).toBeGreaterThan(0);
  expect(await cached()).toEqual(['train.jsonl']);
});

test('what an earlier process left is continued, and wrong bytes are thrown away', async () => {
  hub = await fakeHub(REPO, { 'train.jsonl': lines(0, 100) });
  const bytes = hub.files.get('train.jsonl')!;
  await readRows(source(), { limit: 1 });
  const folder = join(cacheDir, 'someone--some-data', sha1(bytes));
  for (const [beginning, requests] of [
    [bytes.subarray(0, 1000), ['bytes=1000-']],
    [Buffer.alloc(1000, 'Y'), ['bytes=1000-', '/resolve/']],
  ] as const) {
    await rm(join(folder, 'train.jsonl'));
    await writeFile(join(folder, 'train.jsonl.partial'), beginning);
    hub.log.length = 0;
    expect(await readRows(source())).toHaveLength(100);
    expect(downloads()).toHaveLength(requests.length);
    for (const [i, part] of requests.entries()) expect(downloads()[i]).toContain(part);
    expect(await readFile(join(folder, 'train.jsonl'))).toEqual(bytes);
  }
});

test('bytes that are not the listed file never get its name', async () => {
  hub = await fakeHub(REPO, { 'train.jsonl': lines(0, 100) });
  hub.corrupt = 99;
  await expect(readRows(source())).rejects.toThrow(/the download is not the file that the hub lists.*Git hash/);
  expect(await cached()).toEqual([]);
  hub.corrupt = 1;
  expect(await readRows(source())).toHaveLength(100);
});

test('private, missing and unreachable data sets', async () => {
  hub = await fakeHub(REPO, FILES, { token: 'hf_secret' });
  await expect(readRows(source())).rejects.toThrow(/the hub refuses access.*token/);
  expect(await readRows(source({ token: 'hf_secret' }))).toHaveLength(20);
  await expect(readRows(source({ token: 'hf_secret', hub: 'someone/else' }))).rejects.toThrow(
    /no such data set or revision \(main\)/,
  );
  await expect(readRows(source({ token: 'hf_secret', revision: 'v9' }))).rejects.toThrow(/revision \(v9\)/);
  const { url } = hub;
  await hub.close();
  hub = undefined;
  await expect(readRows({ hub: REPO, hubUrl: url, cacheDir })).rejects.toThrow(/the hub cannot be reached/);
});

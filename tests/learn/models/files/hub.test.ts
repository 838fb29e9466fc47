import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { use } from '../../../../src/base/backend/index.js';
import { onProgress } from '../../../../src/base/core/index.js';
import { localFolder } from '../../../../src/learn/models/files/hub.js';
import { address } from '../../../../src/learn/models/files/repository.js';
import { init, type LoadOptions, load } from '../../../../src/learn/models/index.js';
import { COMMIT, type ModelHub, modelHub } from './model-hub.js';

const REPOSITORY = 'someone/some-model';

let files: Record<string, Buffer>;
let sharded: Record<string, Buffer>;
let folder: string;
let cacheDir: string;
let hub: ModelHub | undefined;

const read = async (dir: string) =>
  Object.fromEntries(await Promise.all((await readdir(dir)).map(async name => [name, await readFile(join(dir, name))])));

beforeAll(async () => {
  await use('cpu');
  folder = await mkdtemp(join(tmpdir(), 'tunebook-model-hub-'));
  const model = init('nano', { vocabSize: 64, hiddenSize: 32, intermediateSize: 64, seed: 1 });
  await model.save(join(folder, 'single'));
  await model.save(join(folder, 'sharded'), { maxShardSize: '60KB' });
  model.dispose();
  files = { ...(await read(join(folder, 'single'))), 'tokenizer.json': Buffer.from('{}'), 'README.md': Buffer.from('#') };
  sharded = await read(join(folder, 'sharded'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));
beforeEach(async () => {
  cacheDir = await mkdtemp(join(folder, 'cache-'));
});
afterEach(async () => {
  await hub?.close();
  hub = undefined;
});

const bring = (options: LoadOptions = {}, source = REPOSITORY) =>
  localFolder(source, { hubUrl: hub!.url, cacheDir, idleSeconds: 5, ...options });
const large = () => hub!.log.filter(entry => entry.startsWith('GET large:'));
const left = async () =>
  (await readdir(cacheDir, { recursive: true })).filter(name => /\.(partial|tmp)$/.test(name) || name.includes('.tmp'));

it('a model is downloaded once, only what is needed of it, and asked for by commit', async () => {
  hub = await modelHub(REPOSITORY, files);
  const seen = new Set<string>();
  const stop = onProgress(({ label }) => seen.add(label));
  const model = await load(REPOSITORY, { hubUrl: hub.url, cacheDir });
  stop();
  expect(model.config.hiddenSize).toBe(32);
  model.dispose();
  expect(seen).toContain(`downloading hf://${REPOSITORY}/model.safetensors`);
  const at = join(cacheDir, 'models--someone--some-model', 'snapshots', COMMIT);
  expect((await readdir(at)).sort()).toEqual(
    ['.complete', 'config.json', 'generation_config.json', 'model.safetensors', 'tokenizer.json'].sort(),
  );
  expect(await readFile(join(at, 'model.safetensors'))).toEqual(files['model.safetensors']);
  expect(hub.log.filter(entry => entry.startsWith('GET /')).every(entry => entry.includes(COMMIT))).toBe(true);
  hub.log.length = 0;
  expect(await bring()).toBe(at);
  expect(await bring({}, `hf://${REPOSITORY}@${COMMIT}`)).toBe(at);
  expect(hub.log).toEqual([`HEAD /${REPOSITORY}/resolve/main/config.json`, `HEAD /${REPOSITORY}/resolve/${COMMIT}/config.json`]);
  expect(await left()).toEqual([]);
});

it('shards are those of the index; one that is missing, and an index that leads elsewhere, are refused', async () => {
  hub = await modelHub(REPOSITORY, sharded);
  const model = await load(REPOSITORY, { hubUrl: hub.url, cacheDir });
  model.dispose();
  const shards = Object.keys(sharded).filter(name => /-of-/.test(name));
  expect(shards.length).toBeGreaterThan(1);
  expect(large()).toHaveLength(shards.length);
  hub.files.delete(shards[1]!);
  await expect(bring({ cacheDir: join(folder, 'other') })).rejects.toThrow(shards[1]);
  const index = { weight_map: { a: '../../x.safetensors' } };
  hub.files.set('model.safetensors.index.json', Buffer.from(JSON.stringify(index)));
  await expect(bring({ cacheDir: join(folder, 'another') })).rejects.toThrow(/cannot be a shard/);
});

it('broken and silent connections are taken up where they ended, whatever the server makes of ranges', async () => {
  hub = await modelHub(REPOSITORY, files);
  hub.breakAfter = [40_000, 30_000];
  let dir = await bring();
  expect(await readFile(join(dir, 'model.safetensors'))).toEqual(files['model.safetensors']);
  expect(large()).toHaveLength(3);
  expect(large()[1]).toMatch(/bytes=\d+-$/);
  for (const ignoreRanges of [false, true]) {
    Object.assign(hub, { stall: 1, ignoreRanges });
    dir = await bring({ cacheDir: await mkdtemp(join(folder, 'stall-')), idleSeconds: 1 });
    expect(await readFile(join(dir, 'model.safetensors'))).toEqual(files['model.safetensors']);
  }
});

it('wrong bytes never get a name: once they are fetched again, twice it is an error and nothing is left', async () => {
  hub = await modelHub(REPOSITORY, files);
  hub.corrupt = 1;
  await bring();
  expect(large()).toHaveLength(2);
  hub.corrupt = 2;
  const fresh = { cacheDir: await mkdtemp(join(folder, 'wrong-')) };
  await expect(bring(fresh)).rejects.toThrow(/not the file that the hub lists.*SHA-256/);
  expect((await readdir(fresh.cacheDir, { recursive: true })).filter(name => /safetensors|partial/.test(name))).toEqual([]);
  // A length that is not true: too long, and the connection ends before it; too short, and there is more.
  for (const lie of [1000, -1000]) {
    hub.lie = lie;
    await expect(bring({ cacheDir: await mkdtemp(join(folder, 'lie-')) })).rejects.toThrow(/broke off|not the file/);
  }
});

it('the token goes to the hub alone; without it the error says what to do', async () => {
  hub = await modelHub(REPOSITORY, files, { token: 'secret', gated: true });
  await expect(bring({ token: '' })).rejects.toThrow(/only some read it \(no token was sent\).*HF_TOKEN/);
  await bring({ token: 'secret' });
  expect(large()).toHaveLength(1);
  expect(hub.strayTokens).toEqual([]);
  await hub.close();
  hub = await modelHub(REPOSITORY, files, { token: 'secret' });
  await expect(bring({ token: 'wrong' })).rejects.toThrow(/refuses access, or there is no such model.*401/);
});

it('names that are not there, and models without safetensors, are refused with the reason', async () => {
  hub = await modelHub(REPOSITORY, files);
  await expect(bring({}, 'someone/else')).rejects.toThrow(/no such model on the hub.*a directory here/);
  await expect(bring({ revision: 'v9' })).rejects.toThrow(/no revision "v9"/);
  hub.files.delete('model.safetensors');
  hub.files.set('pytorch_model.bin', Buffer.from('x'));
  await expect(bring()).rejects.toThrow(/pickle.*save_pretrained/);
  hub.files.delete('config.json');
  await expect(bring()).rejects.toThrow(/no config\.json or adapter_config\.json/);
  expect(() => address('hf://nothing', {})).toThrow(/names no model/);
  expect([address('./a/b', {}), address('a/b/c', {}), address('a', {}), address('../a', {})]).toEqual(Array(4).fill(undefined));
  expect(address('a/b@refs/pr/1', {})).toMatchObject({ repository: 'a/b', revision: 'refs/pr/1' });
});

it('an adapter is its two files', async () => {
  hub = await modelHub(REPOSITORY, { 'adapter_config.json': Buffer.from('{}'), 'adapter_model.safetensors': Buffer.from('abc') });
  expect((await readdir(await bring())).sort()).toEqual(['.complete', 'adapter_config.json', 'adapter_model.safetensors']);
});

it('without a network what was downloaded is used, and else the error says what was tried', async () => {
  hub = await modelHub(REPOSITORY, files);
  const { url } = hub;
  const dir = await bring();
  await hub.close();
  hub = undefined;
  expect(await localFolder(REPOSITORY, { hubUrl: url, cacheDir })).toBe(dir);
  expect(await localFolder(REPOSITORY, { hubUrl: url, cacheDir, offline: true })).toBe(dir);
  await expect(localFolder('someone/new', { hubUrl: url, cacheDir })).rejects.toThrow(
    /no directory "someone\/new", and the hub cannot be reached/,
  );
  await expect(localFolder('someone/new', { cacheDir, offline: true })).rejects.toThrow(/not downloaded yet/);
  const { HF_ENDPOINT, TUNEBOOK_CACHE } = process.env;
  Object.assign(process.env, { HF_ENDPOINT: url, TUNEBOOK_CACHE: join(folder, 'own') });
  try {
    await expect(localFolder(REPOSITORY)).rejects.toThrow(/cannot be reached/);
  } finally {
    for (const [name, value] of Object.entries({ HF_ENDPOINT, TUNEBOOK_CACHE }))
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
  }
});

it('a path that is there is that path', async () => {
  await writeFile(join(folder, 'file'), 'x');
  expect(await localFolder(folder)).toBe(folder);
  await expect(load(join(folder, 'file'))).rejects.toThrow(/a file, not a model directory/);
});

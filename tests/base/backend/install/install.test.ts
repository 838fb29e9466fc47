import { spawnSync } from 'node:child_process';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { cacheRoot, inspect, verify } from '../../../../src/base/backend/install/cache.js';
import { install } from '../../../../src/base/backend/install/install.js';
import { recipeFor } from '../../../../src/base/backend/install/recipe.js';
import { Unavailable } from '../../../../src/base/core/index.js';
import { fakeRecipe, fakeSteps, scratch, WHEEL, zip } from './fakes.js';

/** A process id that existed and is gone. */
const deadPid = () => spawnSync(process.execPath, ['-e', '']).pid;

async function setUp() {
  const root = await scratch();
  return { root, recipe: fakeRecipe(root, zip(WHEEL)), steps: fakeSteps() };
}

describe('installing', () => {
  test('takes only what is needed, seals it with checksums, and the second call downloads nothing', async () => {
    const { root, recipe, steps } = await setUp();
    const said: string[] = [];
    const first = await install(recipe, { steps, onStep: line => said.push(line) });
    expect(first.fresh).toBe(true);
    expect(said[0]).toMatch(/tensorflow-fake 9\.9\.9 \(\d+ MB/);
    const manifest = inspect(recipe.folder);
    expect(typeof manifest === 'string' ? manifest : manifest.files.map(file => file.path)).toEqual([
      'tensorflow/lib_a.so',
      'tensorflow/lib_b.so',
      'tfjs_binding.node',
    ]);
    expect(await verify(recipe.folder)).toBeUndefined();
    expect((await install(recipe, { steps })).fresh).toBe(false);
    expect(steps.fetched).toBe(1);
    // Nothing else stays: no wheel, no lock, no temporary folder.
    expect((await readdir(root, { recursive: true })).filter(name => /\.(whl|lock|tmp|old)|include/.test(name))).toEqual([]);
  });

  test('two at once: one works, the other waits and finds it done', async () => {
    const { recipe, steps } = await setUp();
    const said: string[] = [];
    const { fetch } = steps;
    steps.fetch = async (...asked) => {
      // Not before the other has come.
      await vi.waitUntil(() => said.some(line => line.includes(`process ${process.pid}`)), { timeout: 60_000 });
      return fetch(...asked);
    };
    const results = await Promise.all([
      install(recipe, { steps, onStep: line => said.push(line) }),
      install(recipe, { steps, onStep: line => said.push(line) }),
    ]);
    expect(results.map(r => r.fresh).sort()).toEqual([false, true]);
    expect(steps.fetched).toBe(1);
    expect(said.join()).toContain(`process ${process.pid}`);
  });

  test('after a kill in the middle the next run takes over, completes and sweeps', async () => {
    const { root, recipe, steps } = await setUp();
    const left = `${recipe.folder}.0123abcd.tmp`;
    await mkdir(join(left, 'tensorflow'), { recursive: true });
    await writeFile(join(left, 'tensorflow/lib_a.so'), 'half');
    await writeFile(`${recipe.folder}.lock`, JSON.stringify({ pid: deadPid(), host: hostname(), token: 'gone' }));
    await mkdir(join(root, 'native-9.9.9x'));
    expect((await install(recipe, { steps })).fresh).toBe(true);
    expect(await verify(recipe.folder)).toBeUndefined();
    expect((await readdir(root)).sort()).toEqual(['native-9.9.9', 'native-9.9.9x', 'wheels']);
  });

  test('a folder without a manifest counts as absent and is replaced', async () => {
    const { recipe, steps } = await setUp();
    await mkdir(recipe.folder);
    await writeFile(join(recipe.folder, 'tfjs_binding.node'), 'from somewhere');
    expect(inspect(recipe.folder)).toBe('absent');
    expect((await install(recipe, { steps })).fresh).toBe(true);
    expect(await readFile(join(recipe.folder, 'tfjs_binding.node'), 'utf8')).toBe('binding');
  });

  test('a truncated library is seen at load and installed anew; a changed one is seen by the full check', async () => {
    const { recipe, steps } = await setUp();
    await install(recipe, { steps });
    const library = join(recipe.folder, 'tensorflow/lib_b.so');
    const right = await readFile(library);
    await writeFile(library, right.subarray(0, 100));
    expect(inspect(recipe.folder)).toMatch(/lib_b\.so has 100 bytes instead of 15000/);
    expect((await install(recipe, { steps })).fresh).toBe(true);

    right[7] = right[7]! ^ 1;
    await writeFile(library, right);
    expect(typeof inspect(recipe.folder)).toBe('object');
    expect(await verify(recipe.folder)).toMatch(/lib_b\.so has changed/);
    expect((await install(recipe, { steps, force: true })).fresh).toBe(true);
    expect(await verify(recipe.folder)).toBeUndefined();
  });

  test.each([
    ['garbage', 'not json'],
    ['another format', '{"format": 7}'],
  ])('a manifest with %s is not trusted', async (_, text) => {
    const { recipe, steps } = await setUp();
    await install(recipe, { steps });
    await writeFile(join(recipe.folder, 'manifest.json'), text);
    expect(typeof inspect(recipe.folder)).toBe('string');
    expect((await install(recipe, { steps })).fresh).toBe(true);
  });

  test('a failed build leaves nothing in place and keeps the verified wheel for the next time', async () => {
    const { root, recipe, steps } = await setUp();
    const failing = { ...steps, check: async () => ({ ok: false, problem: 'Illegal instruction' }) };
    await expect(install(recipe, { steps: failing })).rejects.toThrow(/does not run on this machine.*Illegal instruction.*wasm/);
    expect(await readdir(root)).toEqual(['wheels']);
    expect((await install(recipe, { steps })).fresh).toBe(true);
    expect(steps.fetched).toBe(1);
  });

  test('a failed reinstallation leaves the old one working', async () => {
    const { recipe, steps } = await setUp();
    await install(recipe, { steps });
    const failing = { ...steps, check: async () => ({ ok: false }) };
    await expect(install(recipe, { steps: failing, force: true })).rejects.toThrow(Unavailable);
    expect(await verify(recipe.folder)).toBeUndefined();
  });

  test('without a compiler nothing is downloaded', async () => {
    const { recipe, steps } = await setUp();
    const ready = async () => {
      throw new Unavailable({ problem: 'no C++ compiler was found' });
    };
    await expect(install(recipe, { steps: { ...steps, ready } })).rejects.toThrow('no C++ compiler');
    expect(steps.fetched).toBe(0);
  });

  test('too little disk is said before the download', async () => {
    const { recipe, steps } = await setUp();
    recipe.wheel.bytes = 1e17;
    await expect(install(recipe, { steps })).rejects.toThrow(/disk is too full.*TUNEBOOK_CACHE/);
    expect(steps.fetched).toBe(0);
  });

  test('a disk that fills up, or a cache that cannot be written, is explained', async () => {
    const { root, recipe, steps } = await setUp();
    const full = async () => {
      throw Object.assign(new Error('write'), { code: 'ENOSPC' });
    };
    await expect(install(recipe, { steps: { ...steps, compile: full } })).rejects.toThrow(/disk is full/);
    expect(await readdir(root)).toEqual(['wheels']);
    await writeFile(join(root, 'file'), '');
    const blocked = { ...recipe, folder: join(root, 'file', 'native') };
    await expect(install(blocked, { steps })).rejects.toThrow(/cannot be written.*TUNEBOOK_CACHE/);
  });

  test('a wheel without the libraries is refused', async () => {
    const { root, recipe, steps } = await setUp();
    steps.wheel = zip({ 'tensorflow/lib_a.so': 'x' });
    await expect(install(recipe, { steps })).rejects.toThrow(/lacks what is needed.*lib_b\.so/);
    expect(await stat(recipe.folder).catch(() => 'absent')).toBe('absent');
    expect((await readdir(root)).filter(name => name.endsWith('.tmp'))).toEqual([]);
  });
});

test('the cache folder follows TUNEBOOK_CACHE, then XDG_CACHE_HOME', () => {
  expect(cacheRoot({ TUNEBOOK_CACHE: '/a', XDG_CACHE_HOME: '/b' })).toBe('/a');
  expect(cacheRoot({ XDG_CACHE_HOME: '/b' })).toBe('/b/tunebook');
  expect(cacheRoot({})).toMatch(/\.cache\/tunebook$/);
});

test('a platform without a wheel is refused with what to do; versions key the folder', () => {
  expect(() => recipeFor('native', { platform: 'win32', arch: 'x64' })).toThrow(/win32-x64.*wasm/);
  expect(() => recipeFor('native', { platform: 'linux', arch: 'x64' })).toThrow(/glibc.*Alpine/);
  expect(() => recipeFor('cuda', { platform: 'linux', arch: 'arm64', glibc: '2.36' })).toThrow(Unavailable);
  expect(recipeFor('native', { platform: 'linux', arch: 'arm64', glibc: '2.36' }).folder).toMatch(
    /native-2\.21\.0-linux-arm64-tfjs4\.22\.0$/,
  );
  const cuda = recipeFor('cuda', { platform: 'linux', arch: 'x64', glibc: '2.36' }, { cudaLibraries: true });
  expect(cuda.extras.length).toBe(12);
  for (const pin of [cuda.wheel, ...cuda.extras]) expect(pin.sha256).toMatch(/^[0-9a-f]{64}$/);
});

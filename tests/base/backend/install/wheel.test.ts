import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkBinding } from '../../../../src/base/backend/install/check.js';
import { findCompiler } from '../../../../src/base/backend/install/compile.js';
import { findPython } from '../../../../src/base/backend/install/python.js';
import { fetchWheel } from '../../../../src/base/backend/install/wheel.js';
import { extract } from '../../../../src/base/backend/install/zip.js';
import { fakePython, fakeRecipe, scratch, WHEEL, zip } from './fakes.js';

describe('unpacking a wheel', () => {
  test.each([true, false])('gives back the files (stored: %s)', async store => {
    const root = await scratch();
    const archive = join(root, 'a.whl');
    await writeFile(archive, zip({ ...WHEEL, 'tensorflow/empty': '' }, { store }));
    const names = await extract(archive, join(root, 'out'), name => !name.endsWith('.py'));
    expect(names).not.toContain('tensorflow/python/big.py');
    for (const name of names) expect(await readFile(join(root, 'out', name), 'utf8')).toBe(WHEEL[name] ?? '');
    expect(names.length).toBe(4);
  });

  test.each(['../evil', '/etc/evil', 'tensorflow/../../evil', 'a\\..\\evil'])(
    'refuses to write %s outside its folder',
    async name => {
      const root = await scratch();
      const archive = join(root, 'a.whl');
      await writeFile(archive, zip({ [name]: 'x' }));
      await expect(extract(archive, join(root, 'out'), () => true)).rejects.toThrow(/outside its folder/);
      expect(await readdir(root)).toEqual(['a.whl']);
    },
  );

  test('notices truncation, noise, and a wrong CRC', async () => {
    const root = await scratch();
    const archive = join(root, 'a.whl');
    const whole = zip(WHEEL);
    for (const spoiled of [whole.subarray(0, whole.length - 30), whole.subarray(0, 10), Buffer.alloc(0), Buffer.alloc(5000, 7)]) {
      await writeFile(archive, spoiled);
      await expect(extract(archive, join(root, 'out'), () => true)).rejects.toThrow(/wheel is damaged/);
    }
    await writeFile(archive, zip(WHEEL, { crc: 1 }));
    await expect(extract(archive, join(root, 'out'), () => true)).rejects.toThrow(/size and CRC/);
    const noisy = Buffer.from(whole);
    noisy.fill(0xff, 60, 80);
    await writeFile(archive, noisy);
    await expect(extract(archive, join(root, 'out'), () => true)).rejects.toThrow(/wheel is damaged/);
  });
});

describe('fetching a wheel', () => {
  async function setUp(download: string) {
    const root = await scratch();
    const wheel = zip(WHEEL);
    await writeFile(join(root, 'right.whl'), wheel);
    const { wheel: pin } = fakeRecipe(root, wheel);
    const python = await fakePython(root, download.replaceAll('ROOT', root));
    return { root, pin, shelf: join(root, 'shelf'), env: { PATH: process.env.PATH, PYTHON: python } };
  }

  test('through pip, verified; a verified one is used again without pip', async () => {
    const { pin, shelf, env } = await setUp('cp ROOT/right.whl $DEST/tensorflow_fake.whl');
    const { path, ours } = await fetchWheel(pin, shelf, env);
    expect(ours).toBe(true);
    expect(await readdir(shelf)).toEqual([`${pin.sha256}.whl`]);
    expect((await fetchWheel(pin, shelf, { PATH: '' })).path).toBe(path);
  });

  test('a wrong file is refused and removed', async () => {
    const { pin, shelf, env } = await setUp('echo wrong > $DEST/tensorflow_fake.whl');
    await expect(fetchWheel(pin, shelf, env)).rejects.toThrow(new RegExp(`not the tensorflow-fake 9.9.9 wheel.*${pin.sha256}`));
    expect(await readdir(shelf)).toEqual([]);
  });

  test('no network: pip is quoted, the way out is named, nothing stays', async () => {
    const { pin, shelf, env } = await setUp('echo half > $DEST/x.part; echo "ERROR: Could not find a version" >&2; exit 1');
    await expect(fetchWheel(pin, shelf, env)).rejects.toThrow(/Could not find a version.*TUNEBOOK_TF_WHEEL/);
    expect(await readdir(shelf)).toEqual([]);
  });

  test('a full disk is told apart', async () => {
    const { pin, shelf, env } = await setUp('echo "ERROR: [Errno 28] No space left on device" >&2; exit 1');
    await expect(fetchWheel(pin, shelf, env)).rejects.toThrow(/free \d+ MB/);
  });

  test('a leftover that does not verify is fetched again', async () => {
    const { pin, shelf, env } = await setUp('cp ROOT/right.whl $DEST/tensorflow_fake.whl');
    await fetchWheel(pin, shelf, env);
    await writeFile(join(shelf, `${pin.sha256}.whl`), 'rot');
    const { path } = await fetchWheel(pin, shelf, env);
    expect((await stat(path)).size).toBe(pin.bytes);
  });

  test('a wheel named by TUNEBOOK_TF_WHEEL is used, checked, and not ours to delete', async () => {
    const { root, pin, shelf } = await setUp('exit 9');
    const given = join(root, 'right.whl');
    expect(await fetchWheel(pin, shelf, { TUNEBOOK_TF_WHEEL: given })).toEqual({ path: given, ours: false });
    await writeFile(given, 'another');
    await expect(fetchWheel(pin, shelf, { TUNEBOOK_TF_WHEEL: given })).rejects.toThrow(/not the tensorflow-fake/);
    await expect(fetchWheel(pin, shelf, { TUNEBOOK_TF_WHEEL: join(root, 'none') })).rejects.toThrow(/cannot be read/);
  });
});

describe('what a machine may lack', () => {
  test('a compiler', async () => {
    await expect(findCompiler({ PATH: '/nowhere' })).rejects.toThrow(/no C\+\+ compiler.*apt install g\+\+/);
  });
  test('a Python with pip, new enough', async () => {
    await expect(findPython({ PATH: '/nowhere', PYTHON: '/nowhere/python' })).rejects.toThrow(
      /no usable Python.*TUNEBOOK_TF_WHEEL/,
    );
    const root = await scratch();
    const old = await fakePython(root, '');
    await writeFile(old, '#!/bin/sh\necho "3.9.2 20.3"\n');
    await expect(findPython({ PATH: '/nowhere', PYTHON: old })).rejects.toThrow(/Python 3\.9\.2/);
    await writeFile(old, '#!/bin/sh\necho "ModuleNotFoundError: No module named \'pip\'" >&2; exit 1\n');
    await expect(findPython({ PATH: '/nowhere', PYTHON: old })).rejects.toThrow(/has no pip/);
  });
  test('a library that loads: the child says why it does not', async () => {
    const root = await scratch();
    expect(await checkBinding(root)).toMatchObject({ ok: false, problem: expect.stringContaining('Cannot find module') });
    await writeFile(join(root, 'tfjs_binding.node'), 'no library '.repeat(1000));
    expect(await checkBinding(root)).toMatchObject({ ok: false, problem: expect.stringContaining('invalid ELF') });
  });
});

import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fusedKernelsPath, installFusedKernels } from '../../../../src/base/backend/install/fused.js';
import { fakeRecipe, scratch, WHEEL, zip } from './fakes.js';

/** A "compiler" that notes its arguments and writes its output file, or fails where the arguments match. */
const COMPILER = `#!/bin/sh
echo "$*" >> "$LOG"
[ "$1" = --version ] && exit 0
case "$*" in *"$FAIL"*) echo 'math.cc:1:1: error: no such thing' >&2; exit 1;; esac
while [ $# -gt 0 ]; do [ "$1" = -o ] && out=$2; shift; done
printf compiled > "$out"
`;

describe('installing the fused kernels', () => {
  const before = process.env.TUNEBOOK_CACHE;
  let root: string;
  let log: string;
  let recipe: ReturnType<typeof fakeRecipe>;
  const env = (fail: string = 'nothing'): NodeJS.ProcessEnv => ({
    ...process.env,
    CXX: join(root, 'cxx'),
    LOG: log,
    FAIL: fail,
  });

  beforeEach(async () => {
    root = await scratch();
    log = join(root, 'log');
    process.env.TUNEBOOK_CACHE = join(root, 'cache');
    await mkdir(process.env.TUNEBOOK_CACHE);
    await writeFile(join(root, 'cxx'), COMPILER);
    await chmod(join(root, 'cxx'), 0o755);
    recipe = { ...fakeRecipe(root, zip(WHEEL)), libraries: ['tensorflow/libtensorflow_framework.so.2'] };
  });
  afterEach(() => {
    if (before === undefined) delete process.env.TUNEBOOK_CACHE;
    else process.env.TUNEBOOK_CACHE = before;
  });

  test('compiles the arithmetic once for every kind of processor, leaves one file, and the second call does nothing', async () => {
    expect(await installFusedKernels(recipe, env())).toBe(true);
    const path = fusedKernelsPath(recipe);
    expect(path).toContain(process.env.TUNEBOOK_CACHE!);
    expect(await readFile(path, 'utf8')).toBe('compiled');
    expect(await readdir(dirname(path))).toEqual(['fused.node']);
    const lines = (await readFile(log, 'utf8')).trim().split('\n');
    const sets = lines.filter(line => line.includes('math.cc'));
    expect(sets).toHaveLength(process.arch === 'x64' ? 3 : 1);
    // A file made for this very processor would end the process on another that shares the folder.
    expect(lines.join('\n')).not.toContain('-march=native');
    expect(await installFusedKernels(recipe, env())).toBe(false);
    expect((await readFile(log, 'utf8')).trim().split('\n')).toHaveLength(lines.length);
  });

  test.each(['-DSET=math_base', 'kernels.cc'])('a compiler that fails on %s leaves nothing behind', async fail => {
    await expect(installFusedKernels(recipe, env(fail))).rejects.toThrow(/could not build[\s\S]*no such thing/);
    expect(await readdir(dirname(fusedKernelsPath(recipe)))).toEqual([]);
    // And the next attempt starts anew.
    expect(await installFusedKernels(recipe, env())).toBe(true);
  });

  test('two at once do no harm', async () => {
    await Promise.all([installFusedKernels(recipe, env()), installFusedKernels(recipe, env())]);
    const path = fusedKernelsPath(recipe);
    expect(await readdir(dirname(path))).toEqual(['fused.node']);
    expect((await stat(path)).size).toBe('compiled'.length);
  });

  test('the C++ sources name every op that the TypeScript side calls', async () => {
    const here = (path: string) => new URL(`../../../../src/base/${path}`, import.meta.url);
    const native = (await readdir(here('ops/native'))).map(name => readFile(here(`ops/native/${name}`), 'utf8'));
    const callers = (await Promise.all(native)).join('\n');
    const kernels = await readFile(here('backend/fused/kernels.cc'), 'utf8');
    const named = new Set(callers.match(/Tunebook[A-Z]\w+/g));
    const registered = new Set(kernels.match(/(?<=\{")Tunebook\w+/g));
    expect([...named].sort()).toEqual([...registered].sort());
  });
});

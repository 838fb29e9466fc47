import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeFileAtomic } from '../../../src/base/core/index.js';

describe('writeFileAtomic', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'tunebook-files-'));
  });
  afterEach(() => rm(dir, { recursive: true }));

  it('writes text and chunks, making folders as needed', async () => {
    await writeFileAtomic(join(dir, 'a/b.txt'), 'hello');
    expect(await readFile(join(dir, 'a/b.txt'), 'utf8')).toBe('hello');
    await writeFileAtomic(join(dir, 'c.bin'), [new Uint8Array([1, 2]), new Uint8Array([3])]);
    expect([...(await readFile(join(dir, 'c.bin')))]).toEqual([1, 2, 3]);
  });

  it('keeps the old file and leaves nothing beside it when writing fails', async () => {
    const path = join(dir, 'kept.txt');
    await writeFile(path, 'old');
    function* broken() {
      yield new Uint8Array(10);
      throw new Error('power cut');
    }
    await expect(writeFileAtomic(path, broken())).rejects.toThrow('power cut');
    expect(await readFile(path, 'utf8')).toBe('old');
    expect(await readdir(dir)).toEqual(['kept.txt']);
  });

  it('replaces whole files when many write at once', async () => {
    const path = join(dir, 'race.txt');
    await Promise.all(Array.from({ length: 8 }, (_, i) => writeFileAtomic(path, String(i).repeat(10_000))));
    expect(new Set(await readFile(path, 'utf8')).size).toBe(1);
    expect(await readdir(dir)).toEqual(['race.txt']);
  });
});

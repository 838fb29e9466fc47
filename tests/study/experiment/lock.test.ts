import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { identity } from '../../../src/study/experiment/identity.js';
import { createWhole, Lock } from '../../../src/study/experiment/lock.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tunebook-lock-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const held = (holder: object) => writeFileSync(join(folder, 'lock.3'), JSON.stringify({ at: 'then', ...holder }));
const files = () => readdirSync(folder).sort();

it('one process has it, and another gets it when it is given up', async () => {
  const lock = await Lock.take(folder);
  await expect(Lock.take(folder)).rejects.toThrow(
    new RegExp(`another process drives this sweep.*process ${process.pid} on`, 's'),
  );
  await lock.release();
  const next = await Lock.take(folder);
  expect(files()).toEqual(['lock.2']);
  await next.release();
});

it('that of a dead process is taken over, also when its number has a new owner', async () => {
  // No process has a number this large.
  held({ host: hostname(), pid: 4_194_305, start: 'b 1' });
  await (await Lock.take(folder)).release();
  held({ ...identity(), start: 'another boot 17' });
  rmSync(join(folder, 'lock.4'));
  const lock = await Lock.take(folder);
  expect(files()).toEqual(['lock.4']);
  await lock.release();
});

it('of many who find a dead one, one takes it', async () => {
  held({ host: hostname(), pid: 4_194_305, start: 'b 1' });
  const tries = await Promise.allSettled(Array.from({ length: 30 }, () => Lock.take(folder)));
  expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  expect(files()).toEqual(['lock.4']);
});

it('on another machine it counts as long as it gives signs of life', async () => {
  held({ host: 'elsewhere.example', pid: 1, start: '' });
  await expect(Lock.take(folder)).rejects.toThrow(/process 1 on elsewhere\.example/);
  const then = new Date(Date.now() - 3_600_000);
  utimesSync(join(folder, 'lock.3'), then, then);
  await (await Lock.take(folder)).release();
  expect(files()).toEqual(['lock.4']);
});

it('is made in one step also where a file has no second names', async () => {
  const none = () => Promise.reject(Object.assign(new Error('operation not permitted'), { code: 'EPERM' }));
  const path = join(folder, 'lock.1');
  expect([await createWhole(path, 'mine', none), await createWhole(path, 'theirs', none)]).toEqual([true, false]);
  expect([readFileSync(path, 'utf8'), files()]).toEqual(['mine', ['lock.1']]);
});

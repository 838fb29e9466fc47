import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { shield, syncDirectory } from '../../../base/core/index.js';

/** Folders this process is writing. */
const own = new Set<string>();
/** What is left of another machine's save is taken for dead after a day: whether its process lives cannot be asked from here. */
const DAY = 24 * 3600 * 1000;
const HOST = hostname().replace(/[^\w.]/g, '_');
/** What a folder is called while another takes its place. */
const WAS = '.was-';
const WRITING = /^\.writing-([\w.]*)-(\d+)-[0-9a-f]+$/;

/**
 * Write the folder `parent/name` so that it is there whole or not at all (contract 8): `fill` assembles it beside, every file and
 * folder in it is on disk, then it is renamed, in place of the one there. What fails removes what was assembled and leaves the old
 * folder. An interrupt of the kernel waits for its end.
 * @param fill is given the folder to fill
 */
export async function writeFolder(parent: string, name: string, fill: (folder: string) => Promise<void>): Promise<string> {
  return shield(async () => {
    const target = join(parent, name);
    const beside = `.writing-${HOST}-${process.pid}-${randomBytes(4).toString('hex')}`;
    const folder = join(parent, beside);
    own.add(beside);
    try {
      await mkdir(parent, { recursive: true });
      await mkdir(folder);
      await recover(parent);
      await removeRemains(parent);
      await fill(folder);
      await syncAll(folder);
      await putInPlace(parent, beside, name);
      await syncDirectory(resolve(parent));
    } catch (error) {
      await rm(folder, { recursive: true, force: true }).catch(() => undefined);
      throw error;
    } finally {
      own.delete(beside);
    }
    return target;
  });
}

/** A folder cannot take the name of one that is not empty: the old one steps aside first, and is back at once where that goes wrong. */
async function putInPlace(parent: string, beside: string, name: string): Promise<void> {
  const target = join(parent, name);
  const aside = join(parent, WAS + name);
  const replaces = await renamed(target, aside);
  try {
    await rename(join(parent, beside), target);
  } catch (error) {
    if (replaces) await renamed(aside, target);
    throw error;
  }
  if (replaces) await rm(aside, { recursive: true, force: true });
}

/** Bring back what stepped aside for a folder that a killed process then did not put in its place. */
export async function recover(parent: string): Promise<void> {
  for (const aside of await readdir(parent).catch(() => [] as string[])) {
    if (!aside.startsWith(WAS)) continue;
    const target = join(parent, aside.slice(WAS.length));
    const replaced = await stat(target).catch(() => undefined);
    if (replaced) await rm(join(parent, aside), { recursive: true, force: true }).catch(() => undefined);
    else await renamed(join(parent, aside), target);
  }
}

function renamed(from: string, to: string): Promise<boolean> {
  return rename(from, to).then(
    () => true,
    () => false,
  );
}

/** Remove what processes left that were killed while they wrote. */
async function removeRemains(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const [, host, pid] = WRITING.exec(name) ?? [];
    if (host === undefined || own.has(name)) continue;
    const path = join(parent, name);
    const there = await stat(path).catch(() => undefined);
    const dead = host === HOST ? !isOthers(Number(pid)) : there !== undefined && Date.now() - there.mtimeMs > DAY;
    if (dead) await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Whether a process of this number, which is not ours, lives. */
function isOthers(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function syncAll(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await syncAll(path);
    else if (entry.isFile()) {
      const file = await open(path, 'r+');
      try {
        await file.sync();
      } finally {
        await file.close();
      }
    }
  }
  await syncDirectory(resolve(folder));
}

/** The files in a folder and its subfolders, by their paths in it, written with `/`. */
export async function filesIn(folder: string, inside: string = ''): Promise<string[]> {
  const files: string[] = [];
  for (const entry of await readdir(join(folder, inside), { withFileTypes: true })) {
    const path = inside ? `${inside}/${entry.name}` : entry.name;
    if (entry.isDirectory()) files.push(...(await filesIn(folder, path)));
    else if (entry.isFile()) files.push(path);
  }
  return files.sort();
}

/** SHA-256 of a file, read piece by piece. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  const file = await open(path, 'r');
  try {
    for await (const part of file.createReadStream({ highWaterMark: 1 << 20, autoClose: false })) hash.update(part as Buffer);
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}

import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';

interface Owner {
  pid: number;
  host: string;
  token: string;
}

/** A holder shows that it lives by touching its lock; one silent for this long is gone, whatever its process id says. */
const BEAT_MS = 5_000;
const SILENT_MS = 60_000;

/**
 * Hold `path` as a lock while `section` runs, so that two installations at once do not meet: the second waits for the first
 * (and then finds the work done). A lock whose process is gone (killed in the middle) is taken over, also when it ran on
 * another machine that shares the folder.
 * @param onWait called once when another process holds the lock.
 */
export async function withLock<T>(path: string, section: () => Promise<T>, onWait?: (owner: string) => void): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  const owner: Owner = { pid: process.pid, host: hostname(), token: randomBytes(8).toString('hex') };
  // Written whole beside and then linked: a lock file is never seen half-written, and link fails when one is there.
  const mine = `${path}.${owner.token}`;
  await writeFile(mine, JSON.stringify(owner));
  try {
    await acquire(path, mine, onWait);
  } finally {
    await rm(mine, { force: true });
  }
  const beat = setInterval(() => utimes(path, new Date(), new Date()).catch(() => {}), BEAT_MS);
  try {
    return await section();
  } finally {
    clearInterval(beat);
    if ((await read(path))?.token === owner.token) await rm(path, { force: true });
  }
}

async function acquire(path: string, mine: string, onWait?: (owner: string) => void): Promise<void> {
  for (let told = false; ; ) {
    try {
      await link(mine, path);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = await read(path);
    if (holder && (await isGone(path, holder))) {
      await takeOver(path, holder);
      continue;
    }
    if (holder && !told) {
      told = true;
      onWait?.(`process ${holder.pid} on ${holder.host}`);
    }
    await new Promise(resolve => setTimeout(resolve, 200));
  }
}

/** Remove a dead process's lock; of several that try, only the one that wins the sub-lock removes, and only what it saw. */
async function takeOver(path: string, holder: Owner): Promise<void> {
  const token = `${path}.takeover`;
  try {
    await writeFile(token, String(process.pid), { flag: 'wx' });
  } catch {
    const pid = Number(await readFile(token, 'utf8').catch(() => ''));
    if (pid && !alive(pid)) await rm(token, { force: true });
    await new Promise(resolve => setTimeout(resolve, 50));
    return;
  }
  try {
    if ((await read(path))?.token === holder.token) await rm(path, { force: true });
  } finally {
    await rm(token, { force: true });
  }
}

async function isGone(path: string, holder: Owner): Promise<boolean> {
  if (holder.host === hostname() && !alive(holder.pid)) return true;
  const touched = await stat(path).then(
    s => s.mtimeMs,
    () => Date.now(),
  );
  return Date.now() - touched > SILENT_MS;
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function read(path: string): Promise<Owner | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Owner;
  } catch {
    return undefined;
  }
}

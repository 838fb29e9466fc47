import { link, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BadInput } from '../../base/core/index.js';
import { identity, isAlive, type ProcessIdentity } from './identity.js';

/** Seconds between two signs of life. */
const BEAT = 20;
/** Seconds without a sign of life after which a process on another machine is taken for dead. */
const SILENCE = 180;

interface Holder extends ProcessIdentity {
  at: string;
  released?: boolean;
}

/**
 * The right to write into a sweep's folder; one process has it at a time. It is a file `lock.N`, made in one step and with a number
 * that only grows, so that of two processes that find a dead one's lock only one can take it.
 */
export class Lock {
  readonly #file: string;
  readonly #beat: NodeJS.Timeout;

  private constructor(file: string) {
    this.#file = file;
    this.#beat = beat(file);
  }

  /** @throws BadInput where another process that lives holds it */
  static async take(folder: string): Promise<Lock> {
    for (;;) {
      const before = await latest(folder);
      if (before > 0) await checkFree(folder, before);
      const mine = join(folder, `lock.${before + 1}`);
      if (!(await create(mine))) continue;
      // Somebody may have taken and passed on later ones while this process only looked.
      if ((await latest(folder)) > before + 1) {
        await rm(mine, { force: true });
        continue;
      }
      for (let old = before; old > 0 && (await removed(join(folder, `lock.${old}`))); old--);
      return new Lock(mine);
    }
  }

  /** Give it up. The file stays, so that its number is not used again. */
  async release(): Promise<void> {
    clearInterval(this.#beat);
    const beside = `${this.#file}.${process.pid}.tmp`;
    try {
      await writeFile(beside, JSON.stringify({ ...identity(), at: new Date().toISOString(), released: true } satisfies Holder));
      await rename(beside, this.#file);
    } catch {
      // The folder is gone, or the disk full: this process will be seen to have ended.
      await rm(beside, { force: true }).catch(() => undefined);
    }
  }
}

async function latest(folder: string): Promise<number> {
  const numbers = (await readdir(folder)).map(name => Number(/^lock\.(\d+)$/.exec(name)?.[1] ?? 0));
  return Math.max(0, ...numbers);
}

/** What `link` says where a file system has no second names for a file (FAT, some shared and cloud folders). */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

/**
 * Make a file that is whole from its first moment, unless there is one of this name.
 * @param name gives a file a second name; tests give one that cannot
 */
export async function createWhole(path: string, text: string, name: typeof link = link): Promise<boolean> {
  const beside = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}.tmp`;
  await writeFile(beside, text, { flag: 'wx' });
  try {
    await name(beside, path).catch(error => {
      if (!NO_LINKS.includes(error.code)) throw error;
      // Made in one step all the same, if not whole in that step.
      return writeFile(path, text, { flag: 'wx' });
    });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(beside, { force: true });
  }
}

const create = (path: string): Promise<boolean> =>
  createWhole(path, JSON.stringify({ ...identity(), at: new Date().toISOString() } satisfies Holder));

async function removed(path: string): Promise<boolean> {
  try {
    await rm(path);
    return true;
  } catch {
    return false;
  }
}

async function checkFree(folder: string, number: number): Promise<void> {
  const file = join(folder, `lock.${number}`);
  let holder: Holder;
  try {
    holder = JSON.parse(await readFile(file, 'utf8')) as Holder;
  } catch {
    return; // Removed meanwhile: whoever did so holds a later one, which is seen next.
  }
  if (holder.released) return;
  const alive = isAlive(holder) ?? (await beats(folder, file));
  if (!alive) return;
  throw new BadInput({
    problem: 'another process drives this sweep',
    where: { file: folder },
    found: `process ${holder.pid} on ${holder.host}, since ${holder.at}`,
    fix: 'wait for it, end it, or look on with "tunebook sweep FILE --status"',
  });
}

/** Touch a file every now and then, for as long as this process lives: what machines that cannot see it can tell it by. */
export function beat(file: string): NodeJS.Timeout {
  return setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => undefined);
  }, BEAT * 1000).unref();
}

/** Whether a file was touched lately, by the clock of the disk it lies on. */
export async function beats(folder: string, file: string): Promise<boolean> {
  const probe = join(folder, `.now.${process.pid}`);
  await writeFile(probe, '');
  try {
    const [now, then] = await Promise.all([stat(probe), stat(file)]);
    return now.mtimeMs - then.mtimeMs < SILENCE * 1000;
  } catch {
    return false;
  } finally {
    await rm(probe, { force: true });
  }
}

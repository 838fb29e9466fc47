import type { FileHandle } from 'node:fs/promises';

// Node's modules are imported where they are used, so that rooms standing on core load in a browser page.

/** What a file is written from. Chunks are written in order without being joined, so that large tensors are not copied. */
export type FileContent = string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** How a new file is made. */
export interface FileOptions {
  /** Permissions, before the umask. Defaults to 0o666. */
  mode?: number;
}

/** A file that is written whole and safe on disk, beside the place it is meant for. */
export interface StagedFile {
  /** Give it its name, in place of what had it; that is one step. */
  commit(): Promise<void>;
  /** Remove it; nothing after {@link commit}. */
  discard(): Promise<void>;
}

/**
 * Write a file so that it is either the old one or the whole new one, never half (contract 8): written beside, fsynced,
 * renamed, directory fsynced. Chunks are written in order without being joined, so that large tensors are not copied.
 */
export async function writeFileAtomic(path: string, chunks: FileContent, options: FileOptions = {}): Promise<void> {
  const { dirname, resolve } = await import('node:path');
  const staged = await stageFile(path, chunks, options);
  await staged.commit();
  await syncDirectory(dirname(resolve(path)));
}

/**
 * The first half of {@link writeFileAtomic}, for several files that belong together: all are staged before any is put in place, so
 * that a full disk leaves every old one. A failure leaves nothing. After the commits {@link syncDirectory} makes the names last.
 */
export async function stageFile(path: string, chunks: FileContent, { mode = 0o666 }: FileOptions = {}): Promise<StagedFile> {
  const { randomBytes } = await import('node:crypto');
  const { mkdir, open, rename, rm } = await import('node:fs/promises');
  const { dirname, resolve } = await import('node:path');
  const target = resolve(path);
  await mkdir(dirname(target), { recursive: true });
  const beside = `${target}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
  let there = true;
  const discard = async () => {
    if (there) await rm(beside, { force: true });
    there = false;
  };
  try {
    const file = await open(beside, 'wx', mode);
    try {
      if (typeof chunks === 'string' || chunks instanceof Uint8Array) await file.writeFile(chunks);
      else for await (const chunk of chunks) await writeAll(file, chunk);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    await discard();
    throw error;
  }
  return {
    discard,
    async commit() {
      try {
        await rename(beside, target);
      } catch (error) {
        await discard();
        throw error;
      }
      there = false;
    },
  };
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let done = 0; done < chunk.byteLength; ) {
    const { bytesWritten } = await file.write(chunk, done, chunk.byteLength - done);
    done += bytesWritten;
  }
}

/**
 * Append whole lines to a file, made where it is not there, and wait until they are on disk. They go in one write, so that several
 * writers do not mix; a line that a killed process left without its end is closed first.
 */
export async function appendLines(path: string, lines: string): Promise<void> {
  const { mkdir, open } = await import('node:fs/promises');
  const { dirname, resolve } = await import('node:path');
  await mkdir(dirname(resolve(path)), { recursive: true });
  const file = await open(path, 'a+');
  try {
    const { size } = await file.stat();
    const last = new Uint8Array(1);
    if (size > 0) await file.read(last, 0, 1, size - 1);
    await file.appendFile(size > 0 && last[0] !== 10 ? `\n${lines}` : lines);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Make names that were given in this directory last through a power failure. */
export async function syncDirectory(path: string): Promise<void> {
  // Windows cannot open directories; the rename above is durable enough there.
  if (process.platform === 'win32') return;
  const { open } = await import('node:fs/promises');
  const dir = await open(path, 'r');
  try {
    await dir.sync();
  } finally {
    await dir.close();
  }
}

/** What the codes of a file system mean, where something could not be written. */
const MEANING: Record<string, string> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of this user on the disk is used up',
  EFBIG: 'a file would be larger than this process may write (ulimit -f)',
  EROFS: 'the file system is read-only',
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  ENOENT: 'the folder cannot be made',
  ENOTDIR: 'the folder cannot be made: a part of its path is a file',
  EEXIST: 'there is a file where a folder must be',
  EISDIR: 'there is a folder of this name',
  ENAMETOOLONG: 'the name is too long',
  EIO: 'the disk reports an error',
};

/** What an error of a file system means for what was to be written. */
export function whyNotWritten(error: unknown): string {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return MEANING[code] ?? message;
}

/** Whether an error is the file system's: the disk, the path or the rights, and no mistake of a program. */
export function isFileError(error: unknown): error is NodeJS.ErrnoException {
  const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  return syscall !== undefined && !/^(kill|spawn)/.test(syscall) && Object.hasOwn(MEANING, code ?? '');
}

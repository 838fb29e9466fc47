import { BadInput, Interrupted, progress, TunebookError } from '../../../base/core/index.js';

/** What is used of an open file; a type import of Node's would be an import of Node. */
interface FileHandle {
  stat(): Promise<{ size: number }>;
  truncate(length: number): Promise<void>;
  writeFile(bytes: Uint8Array): Promise<void>;
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
}

/** A file as the hub lists it. */
export interface RemoteFile {
  path: string;
  size: number;
  /** Git's name of the content: SHA-1 of a header and the bytes. */
  oid?: string;
  /** SHA-256 of the bytes, for large files. */
  sha256?: string;
}

interface CacheOptions {
  root?: string;
  /** Data set the file belongs to. */
  revisionOf: string;
  signal?: AbortSignal;
}

const ATTEMPTS = 4;

/**
 * Path of the downloaded file. It is kept under the hash of its content, so that equal files of two revisions are one, and a changed
 * one is downloaded anew. What a broken download left is continued; a file gets its name only when size and hash are right.
 */
export async function cachedDownload(
  name: string,
  file: RemoteFile,
  open: () => Promise<Blob>,
  { root, revisionOf, signal }: CacheOptions,
): Promise<string> {
  const [{ mkdir, open: openFile, rename, rm, stat }, { basename, dirname, join }, { homedir }] = await Promise.all([
    import('node:fs/promises'),
    import('node:path'),
    import('node:os'),
  ]);
  const { TUNEBOOK_CACHE: own, XDG_CACHE_HOME: shared } = process.env;
  const folder = root ?? join(own ?? join(shared || join(homedir(), '.cache'), 'tunebook'), 'hub');
  const content = (file.sha256 ?? file.oid ?? 'unnamed').replace(/[^\w-]/g, '');
  const target = join(folder, revisionOf.replace('/', '--'), content, basename(file.path));
  const known = file.sha256 !== undefined || file.oid !== undefined;
  if (known && (await stat(target).catch(() => undefined))?.size === file.size) return target;

  await mkdir(dirname(target), { recursive: true });
  const partial = `${target}.partial`;
  const bar = progress(`downloading ${name}`, { total: file.size, unit: 'B' });
  let lastError: unknown;
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const out = await openFile(partial, 'a+');
      try {
        await append(out, file.size, await open(), done => bar.update(done), signal);
        await verify(out, name, file);
        await out.sync();
      } catch (error) {
        lastError = error;
        if (error instanceof TunebookError && !(error instanceof Mismatch)) throw error;
        // Wrong bytes are no beginning to continue from; a broken connection left a good one.
        if (error instanceof Mismatch) await out.truncate(0);
        continue;
      } finally {
        await out.close();
      }
      await rename(partial, target);
      return target;
    }
  } finally {
    bar.finish();
  }
  if (lastError instanceof Mismatch) {
    await rm(partial, { force: true });
    throw lastError;
  }
  throw new BadInput({
    problem: `the download broke off ${ATTEMPTS} times`,
    where: { file: name },
    expected: `${file.size} bytes`,
    found: lastError instanceof Error ? lastError.message : String(lastError),
    fix: 'try again: it goes on where it stopped',
    cause: lastError,
  });
}

class Mismatch extends BadInput {}

/** Append what is missing of the file. */
async function append(
  out: FileHandle,
  size: number,
  blob: Blob,
  onBytes: (done: number) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  let done = (await out.stat()).size;
  if (done > size) {
    await out.truncate(0);
    done = 0;
  }
  if (done === size) return;
  const rest = done === 0 ? blob : blob.slice(done, size);
  const reader = rest.stream().getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      if (signal?.aborted) throw new Interrupted({ problem: 'the download was stopped' });
      await out.writeFile(next.value);
      done += next.value.length;
      onBytes(done);
      // A server that does not know ranges sends everything again: the hash would tell, but only after all of it.
      if (done > size) break;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
  if (done < size) throw new Error(`the connection ended after ${done} of ${size} bytes`);
}

/** Size and hash are those the hub lists. */
async function verify(out: FileHandle, name: string, { size, oid, sha256 }: RemoteFile): Promise<void> {
  const found = (await out.stat()).size;
  const wrong = (expected: string, what: string) =>
    new Mismatch({
      problem: 'the download is not the file that the hub lists',
      where: { file: name },
      expected,
      found: what,
      fix: 'try again; if it stays so, the hub or something between is broken',
    });
  if (found !== size) throw wrong(`${size} bytes`, `${found} bytes`);
  const expected = sha256 ?? oid;
  if (expected === undefined) return;
  const { createHash } = await import('node:crypto');
  const hash = createHash(sha256 ? 'sha256' : 'sha1');
  if (!sha256) hash.update(`blob ${size}\0`);
  const buffer = new Uint8Array(1 << 20);
  for (let at = 0; at < size; ) {
    const { bytesRead } = await out.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  const digest = hash.digest('hex');
  if (digest !== expected) throw wrong(`${sha256 ? 'SHA-256' : 'Git hash'} ${expected}`, digest);
}

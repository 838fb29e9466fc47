import type { FileHandle } from 'node:fs/promises';
import { BadInput, Interrupted, TunebookError } from './errors.js';
import { progress } from './progress.js';

// Node's modules are imported where they are used, so that rooms standing on core load in a browser page.

/** Where the bytes of a download come from, from some byte on. */
export interface DownloadBody {
  /** The first byte of the body: what was asked for, or 0 where the server sends everything again. */
  from: number;
  stream: ReadableStream<Uint8Array>;
}

/** A file to bring here. */
export interface Download {
  /** Named in progress and errors, e.g. the address. */
  name: string;
  /** Where the file is put. What a broken download left lies beside it as `.partial`. */
  path: string;
  /** Undefined when the server does not tell: then neither truncation nor anything else can be noticed without a hash. */
  size?: number;
  /** SHA-256 of the bytes. */
  sha256?: string;
  /** Git's name of the content (SHA-1 of a header and the bytes); looked at where there is no SHA-256. */
  gitOid?: string;
  /** Ask for the bytes from here on. A TunebookError it throws ends the download, another error counts as a broken connection. */
  open(from: number, signal: AbortSignal): Promise<DownloadBody>;
  signal?: AbortSignal;
  /** A connection that brings nothing for so long is given up; the download goes on with a new one. 30 unless told. */
  idleSeconds?: number;
}

/** Attempts in a row that bring nothing new, before it is given up. */
const ATTEMPTS = 4;
/** Seconds before a second attempt without any gain, doubled for each further one. */
const PAUSE = 0.25;

/**
 * Bring a file here: broken downloads are continued (also an earlier process's), and the file gets its name only when its size
 * and hash are right, so it is whole or absent. Two processes may bring the same file: both write the same bytes to the same
 * places. Throws BadInput where the bytes are wrong twice, or the connection breaks again and again.
 */
export async function download(job: Download): Promise<void> {
  const { mkdir, open, rename, rm, stat } = await import('node:fs/promises');
  const { constants } = await import('node:fs');
  const { dirname } = await import('node:path');
  const { name, path, size } = job;
  await mkdir(dirname(path), { recursive: true });
  const partial = `${path}.partial`;
  const bar = progress(`downloading ${name}`, { total: size, unit: 'B' });
  let [idle, wrong, furthest] = [0, 0, 0];
  let lastError: unknown;
  try {
    while (idle < ATTEMPTS) {
      if (idle > 0) await pause(PAUSE * 2 ** (idle - 1), job.signal);
      const out = await open(partial, constants.O_RDWR | constants.O_CREAT, 0o644);
      const begin = (await out.stat()).size;
      furthest = Math.max(furthest, begin);
      try {
        await fill(out, begin, job, done => bar.update(done));
        await verify(out, job);
        await out.sync();
      } catch (error) {
        lastError = error;
        if (error instanceof Mismatch) {
          // Wrong bytes are no beginning to continue from; a broken connection left a good one.
          await out.truncate(0);
          if (++wrong === 2) break;
        } else if (error instanceof TunebookError) throw error;
        else if (isDiskError(error)) throw diskError(name, error);
        // Further than ever: a server that makes one begin anew again and again gains nothing.
        const reached = (await out.stat()).size;
        idle = reached > furthest ? 0 : idle + 1;
        furthest = Math.max(furthest, reached);
        continue;
      } finally {
        await out.close();
      }
      await rename(partial, path).catch(async error => {
        // Another process was faster.
        if (!(await stat(path).catch(() => undefined))) throw error;
      });
      return;
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
    expected: size === undefined ? 'the whole file' : `${size} bytes`,
    found: reason(lastError),
    fix: 'try again: it goes on where it stopped',
    cause: lastError,
  });
}

class Mismatch extends BadInput {}

/** Bring what is missing of the file. */
async function fill(out: FileHandle, begin: number, job: Download, onBytes: (done: number) => void): Promise<void> {
  const { size } = job;
  // Without a size nobody knows whether a beginning is the whole.
  let done = size === undefined || begin > size ? 0 : begin;
  if (done !== begin) await out.truncate(0);
  if (done === size && size > 0) return;
  const watch = watchdog(job);
  try {
    const body = await watch.race(job.open(done, watch.signal));
    if (body.from !== done) {
      await out.truncate(0);
      done = body.from;
    }
    const reader = body.stream.getReader();
    try {
      for (;;) {
        const next = await watch.race(reader.read());
        if (next.done) break;
        await writeAt(out, next.value, done);
        done += next.value.length;
        onBytes(done);
        // More than the file has: the size tells, without waiting for an endless body's end.
        if (size !== undefined && done > size) break;
      }
    } finally {
      await Promise.race([reader.cancel().catch(() => {}), Promise.resolve()]);
    }
  } finally {
    watch.stop();
  }
  if (size !== undefined && done < size) throw new Error(`the connection ended after ${done} of ${size} bytes`);
}

/** Ends a wait that brings nothing for too long, or that the caller stops. */
function watchdog({ signal, idleSeconds = 30 }: Download): {
  signal: AbortSignal;
  race<T>(work: Promise<T>): Promise<T>;
  stop(): void;
} {
  const controller = new AbortController();
  const stopped = () => new Interrupted({ problem: 'the download was stopped' });
  const abort = () => controller.abort(stopped());
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort, { once: true });
  return {
    signal: controller.signal,
    async race(work) {
      if (controller.signal.aborted) {
        work.catch(() => {});
        throw stopped();
      }
      let timer: ReturnType<typeof setTimeout> | undefined;
      let onAbort: (() => void) | undefined;
      const end = new Promise<never>((_, reject) => {
        const idle = () => controller.abort(new Error(`nothing came for ${idleSeconds} seconds`));
        timer = setTimeout(idle, idleSeconds * 1000);
        onAbort = () => reject(controller.signal.reason);
        controller.signal.addEventListener('abort', onAbort, { once: true });
      });
      try {
        return await Promise.race([work, end]);
      } finally {
        clearTimeout(timer);
        if (onAbort) controller.signal.removeEventListener('abort', onAbort);
        work.catch(() => {});
      }
    },
    stop() {
      signal?.removeEventListener('abort', abort);
      controller.abort();
    },
  };
}

async function writeAt(out: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await out.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

/** Size and hash are those the server told beforehand. */
async function verify(out: FileHandle, { name, size, sha256, gitOid }: Download): Promise<void> {
  const found = (await out.stat()).size;
  const wrong = (expected: string, what: string) =>
    new Mismatch({
      problem: 'the download is not the file that the hub lists',
      where: { file: name },
      expected,
      found: what,
      fix: 'try again; if it stays so, the hub or something between is broken',
    });
  if (size !== undefined && found !== size) throw wrong(`${size} bytes`, `${found} bytes`);
  const expected = sha256 ?? gitOid;
  if (expected === undefined) return;
  const { createHash } = await import('node:crypto');
  const hash = createHash(sha256 ? 'sha256' : 'sha1');
  if (!sha256) hash.update(`blob ${found}\0`);
  const buffer = new Uint8Array(1 << 20);
  for (let at = 0; at < found; ) {
    const { bytesRead } = await out.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  const digest = hash.digest('hex');
  if (digest !== expected) throw wrong(`${sha256 ? 'SHA-256' : 'Git hash'} ${expected}`, digest);
}

function isDiskError(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EIO', 'EFBIG'].includes((error as NodeJS.ErrnoException).code ?? '');
}

function diskError(name: string, cause: unknown): BadInput {
  return new BadInput({
    problem: `the download cannot be written (${(cause as NodeJS.ErrnoException).code})`,
    where: { file: name },
    fix: 'make room on the disk, or set TUNEBOOK_CACHE to a folder on another one; the download goes on where it stopped',
    cause,
  });
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // fetch says "fetch failed" and keeps what happened in the cause.
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

async function pause(seconds: number, signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted) return;
  await new Promise<void>(done => {
    const timer = setTimeout(end, seconds * 1000);
    function end() {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      done();
    }
    signal?.addEventListener('abort', end, { once: true });
  });
}

/** Folder of downloads: `hub` in tunebook's cache (`TUNEBOOK_CACHE`, else `XDG_CACHE_HOME`/tunebook, else ~/.cache/tunebook). */
export async function downloadFolder(): Promise<string> {
  const { join } = await import('node:path');
  const { homedir } = await import('node:os');
  const { TUNEBOOK_CACHE: own, XDG_CACHE_HOME: shared } = process.env;
  return join(own || join(shared || join(homedir(), '.cache'), 'tunebook'), 'hub');
}

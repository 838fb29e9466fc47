import { BadInput } from '../../../base/core/index.js';
import { empty, unreadable } from '../lines.js';
import type { Bytes } from './bytes.js';

/** A file of this machine. Throws what a path can be wrong in: missing, a directory, without permission, empty. */
export async function fileBytes(path: string): Promise<Bytes> {
  // Imported here and not above, so that this room loads in a browser page.
  const { stat } = await import('node:fs/promises');
  let info: Awaited<ReturnType<typeof stat>>;
  try {
    info = await stat(path);
  } catch (error) {
    throw unreadable(path, error);
  }
  if (info.isDirectory()) throw unreadable(path, { code: 'EISDIR' });
  // Pipes and devices have no size, and cannot be read from the middle.
  if (!info.isFile() || info.size === 0) {
    if (info.isFile() && !path.startsWith('/proc/')) throw empty(path);
    return { name: path, stream: () => fileStream(path) };
  }
  return {
    name: path,
    size: info.size,
    stream: () => fileStream(path),
    slice: (start, end) => fileSlice(path, start, end),
  };
}

async function* fileStream(path: string): AsyncGenerator<Uint8Array> {
  const { createReadStream } = await import('node:fs');
  try {
    yield* createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw error instanceof BadInput ? error : unreadable(path, error);
  }
}

async function fileSlice(path: string, start: number, end: number): Promise<Uint8Array> {
  const { open } = await import('node:fs/promises');
  try {
    const file = await open(path, 'r');
    try {
      const out = new Uint8Array(end - start);
      let done = 0;
      while (done < out.length) {
        const { bytesRead } = await file.read(out, done, out.length - done, start + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return out.subarray(0, done);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** The files a pattern such as `shards/*.jsonl` names (`*` and `?` in the file name), sorted by name. */
export async function matchFiles(pattern: string): Promise<string[]> {
  const { readdir } = await import('node:fs/promises');
  const { basename, dirname, join } = await import('node:path');
  const folder = dirname(pattern);
  const name = globRegExp(basename(pattern));
  let entries: string[];
  try {
    entries = await readdir(folder);
  } catch (error) {
    throw unreadable(folder, error);
  }
  const found = entries.filter(entry => name.test(entry)).sort();
  if (found.length === 0) {
    throw new BadInput({
      problem: 'no file matches',
      where: { file: pattern },
      expected: 'files whose names fit the pattern',
      found: `${entries.length} other entries in ${folder}`,
      fix: 'check the pattern; * stands for any characters of a file name',
    });
  }
  return found.map(entry => join(folder, entry));
}

export function globRegExp(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*+/g, '[^/]*')
    .replace(/\?/g, '[^/]');
  return new RegExp(`^${source}$`, 's');
}

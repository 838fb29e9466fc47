import type { FileHandle } from 'node:fs/promises';

// Node's modules are imported where they are used, so that rooms standing on core load in a browser page.

/**
 * Write a file so that it is either the old one or the whole new one, never half (contract 8): written beside, fsynced,
 * renamed, directory fsynced. Chunks are written in order without being joined, so that large tensors are not copied.
 */
export async function writeFileAtomic(
  path: string,
  chunks: string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  const { randomBytes } = await import('node:crypto');
  const { mkdir, open, rename, rm } = await import('node:fs/promises');
  const { dirname, resolve } = await import('node:path');
  const target = resolve(path);
  await mkdir(dirname(target), { recursive: true });
  const beside = `${target}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    const file = await open(beside, 'wx');
    try {
      if (typeof chunks === 'string' || chunks instanceof Uint8Array) await file.writeFile(chunks);
      else for await (const chunk of chunks) await writeAll(file, chunk);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, target);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
  await syncDirectory(dirname(target));
}

async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let done = 0; done < chunk.byteLength; ) {
    const { bytesWritten } = await file.write(chunk, done, chunk.byteLength - done);
    done += bytesWritten;
  }
}

async function syncDirectory(path: string): Promise<void> {
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

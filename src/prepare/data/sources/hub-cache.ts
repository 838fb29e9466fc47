import { download, downloadFolder } from '../../../base/core/index.js';

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
  const [{ stat }, { basename, join }] = await Promise.all([import('node:fs/promises'), import('node:path')]);
  const folder = root ?? (await downloadFolder());
  const content = (file.sha256 ?? file.oid ?? 'unnamed').replace(/[^\w-]/g, '');
  const path = join(folder, revisionOf.replace('/', '--'), content, basename(file.path));
  const known = file.sha256 !== undefined || file.oid !== undefined;
  if (known && (await stat(path).catch(() => undefined))?.size === file.size) return path;
  await download({
    name,
    path,
    size: file.size,
    sha256: file.sha256,
    gitOid: file.oid,
    signal,
    open: async from => {
      const blob = await open();
      return { from, stream: (from === 0 ? blob : blob.slice(from, file.size)).stream() };
    },
  });
  return path;
}

import { createHash } from 'node:crypto';
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** What was installed: written last, so that a folder with a manifest is a whole one. */
export interface Manifest {
  format: 1;
  kind: 'native' | 'cuda';
  /** Version of TensorFlow. */
  tensorflow: string;
  /** Name and version of the tfjs-node package the binding was built from. */
  tfjs: string;
  platform: string;
  arch: string;
  /** cuda: whether the CUDA libraries were installed too. */
  cudaLibraries?: boolean;
  /** Paths relative to the folder. */
  files: { path: string; size: number; sha256: string }[];
}

export const MANIFEST = 'manifest.json';

/**
 * Folder of everything tunebook keeps per user: `TUNEBOOK_CACHE`, else `XDG_CACHE_HOME/tunebook`, else `~/.cache/tunebook`.
 * Every clone and project of the user shares it, so the second one downloads nothing.
 */
export function cacheRoot(env: NodeJS.ProcessEnv = process.env): string {
  if (env.TUNEBOOK_CACHE) return env.TUNEBOOK_CACHE;
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'tunebook');
}

/**
 * Cheap check, done at every load: the manifest is there and every file has its size.
 * Returns the manifest, or a string that says what is wrong ('absent' when nothing is installed).
 */
export function inspect(folder: string): Manifest | string {
  let manifest: Manifest;
  try {
    manifest = JSON.parse(readFileSync(join(folder, MANIFEST), 'utf8')) as Manifest;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
      ? 'absent'
      : `its manifest cannot be read (${(error as Error).message})`;
  }
  if (manifest?.format !== 1 || !Array.isArray(manifest.files)) return 'its manifest has another format';
  for (const { path, size } of manifest.files) {
    const found = statSync(join(folder, path), { throwIfNoEntry: false })?.size;
    if (found !== size) return `${path} ${found === undefined ? 'is missing' : `has ${found} bytes instead of ${size}`}`;
  }
  return manifest;
}

/** Full check, done by doctor: sizes and SHA-256 of every file. Undefined when whole. */
export async function verify(folder: string, onBytes?: (done: number, total: number) => void): Promise<string | undefined> {
  const manifest = inspect(folder);
  if (typeof manifest === 'string') return manifest;
  const total = manifest.files.reduce((sum, file) => sum + file.size, 0);
  let before = 0;
  for (const { path, size, sha256 } of manifest.files) {
    const found = await sha256File(join(folder, path), done => onBytes?.(before + done, total));
    if (found !== sha256)
      return `${path} has changed since it was installed (SHA-256 ${found.slice(0, 12)}… instead of ${sha256.slice(0, 12)}…)`;
    before += size;
  }
  return undefined;
}

/** SHA-256 of a file, hexadecimal, read in pieces. */
export async function sha256File(path: string, onBytes?: (done: number) => void): Promise<string> {
  const hash = createHash('sha256');
  let done = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    hash.update(chunk as Buffer);
    done += (chunk as Buffer).length;
    onBytes?.(done);
  }
  return hash.digest('hex');
}

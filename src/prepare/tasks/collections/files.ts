import { BadInput } from '../../../base/core/index.js';

/** The files a path names: itself, or what lies in a folder (no deeper), by name. Node only. */
export async function filesAt(path: string): Promise<string[]> {
  if (/^[a-z]+:\/\//i.test(path)) return [path];
  const { readdir, stat } = await import('node:fs/promises');
  const { join } = await import('node:path');
  const found = await stat(path).catch(() => undefined);
  if (!found?.isDirectory()) return [path];
  const files = (await readdir(path))
    .filter(name => /\.(json|jsonl|txt|csv|tsv|parquet)(\.gz)?$/i.test(name))
    .sort()
    .map(name => join(path, name));
  if (files.length) return files;
  throw new BadInput({
    problem: 'there is no collection in this folder',
    where: { file: path },
    expected: 'files that end in .json, .jsonl, .txt, .csv, .tsv or .parquet',
    found: 'none',
  });
}

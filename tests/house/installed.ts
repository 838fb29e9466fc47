import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureBuilt } from '../helpers/built.js';

export const ROOT: string = join(import.meta.dirname, '../..');

export interface Installed {
  folder: string;
  /** Paths that npm ships. */
  files: string[];
  remove: () => void;
}

/**
 * A project that has tunebook installed as a user would have it: the files that `npm pack` ships, unpacked, and its
 * dependencies beside it (links to ours, so nothing is downloaded). Returns its folder and the function that removes it.
 */
export async function installedPackage(): Promise<Installed> {
  await ensureBuilt();
  const folder = mkdtempSync(join(tmpdir(), 'tunebook-installed-'));
  const modules = join(folder, 'node_modules');
  mkdirSync(modules);
  // What npm would pack, asked of npm; copied rather than made into a tarball and unpacked again.
  const listing = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [{ files }] = JSON.parse(listing) as [{ files: { path: string }[] }];
  for (const { path } of files) cpSync(join(ROOT, path), join(modules, 'tunebook', path));
  for (const name of readdirSync(join(ROOT, 'node_modules'))) {
    if (!name.startsWith('.')) symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  }
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'a-users-project', private: true }));
  return { folder, files: files.map(({ path }) => path), remove: () => rmSync(folder, { recursive: true, force: true }) };
}

import { type Dirent, existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One installed copy of tfjs-core. */
export interface TfjsCopy {
  path: string;
  version: string;
}

/**
 * Every copy of @tensorflow/tfjs-core that modules loaded from `starts` could get: in each `node_modules` from there upwards, and nested
 * inside the packages in them (linked packages are left out: they resolve from where they lie). There must be exactly one: each copy has its own backends, and tensors of one fail in the other.
 * @param starts folders; defaults to the working directory and this package.
 */
export function tfjsCopies(
  starts: readonly string[] = [process.cwd(), fileURLToPath(new URL('.', import.meta.url))],
): TfjsCopy[] {
  const copies = new Map<string, TfjsCopy>();
  const seen = new Set<string>();
  for (const start of starts) {
    for (let folder = start; ; folder = dirname(folder)) {
      walk(join(folder, 'node_modules'), copies, seen);
      if (folder === dirname(folder)) break;
    }
  }
  return [...copies.values()];
}

function walk(modules: string, copies: Map<string, TfjsCopy>, seen: Set<string>): void {
  if (!existsSync(modules)) return;
  const real = realpathSync(modules);
  if (seen.has(real)) return;
  seen.add(real);
  for (const name of packagesIn(real)) {
    const folder = join(real, name);
    if (name === '@tensorflow/tfjs-core') note(folder, copies);
    walk(join(folder, 'node_modules'), copies, seen);
  }
}

function packagesIn(modules: string): string[] {
  const names = (folder: string) =>
    readdirSync(folder, { withFileTypes: true })
      .filter(isFolder)
      .map(entry => entry.name);
  return names(modules).flatMap(name =>
    name.startsWith('@') ? names(join(modules, name)).map(inner => `${name}/${inner}`) : [name],
  );
}

function isFolder(entry: Dirent): boolean {
  return entry.isDirectory() && !entry.name.startsWith('.');
}

function note(folder: string, copies: Map<string, TfjsCopy>): void {
  const path = realpathSync(folder);
  try {
    const { version } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as { version: string };
    copies.set(path, { path, version });
  } catch {
    // A folder without a readable package.json is not a package.
  }
}

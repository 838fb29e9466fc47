import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);
const MANIFEST = '../../package.json';

interface Manifest {
  name: string;
  exports: Record<string, string | { types: string }>;
}

/**
 * The file of `tunebook` or one of its subpaths in the package this kernel belongs to; undefined for other specifiers. Serves
 * notebooks in folders where tunebook is not installed.
 */
export function ownFile(specifier: string): string | undefined {
  const { name } = require(MANIFEST) as Manifest;
  if (specifier !== name && !specifier.startsWith(`${name}/`)) return undefined;
  try {
    return require.resolve(specifier);
  } catch {
    return undefined;
  }
}

/** Where the compiler finds the types of `tunebook` when the notebook's folder cannot resolve it; otherwise nothing. */
export function ownTypes(folder: string): Record<string, string[]> {
  const { name, exports } = require(MANIFEST) as Manifest;
  try {
    createRequire(join(folder, '_.js')).resolve(name);
    return {};
  } catch {
    const root = dirname(require.resolve(MANIFEST));
    const types = Object.entries(exports).flatMap(([subpath, target]) =>
      typeof target === 'string' ? [] : [[join(name, subpath), [join(root, target.types)]] as [string, string[]]],
    );
    return Object.fromEntries(types);
  }
}

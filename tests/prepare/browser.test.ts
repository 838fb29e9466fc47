import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const SRC = fileURLToPath(new URL('../../src/', import.meta.url));
// Static imports only: `await import('node:…')` inside a function is what file readers do.
const STATIC = /^(?:import|export)\s(?!type\b)[^;]*?from\s+'([^']+)'|^import\s+'([^']+)'/gm;

/** Everything a module imports when it is loaded, as paths of sources and names of packages. */
function loads(entry: string, seen = new Set<string>()): Set<string> {
  if (seen.has(entry)) return seen;
  seen.add(entry);
  for (const match of readFileSync(entry, 'utf8').matchAll(STATIC)) {
    const name = (match[1] ?? match[2])!;
    if (name.startsWith('.')) loads(resolve(dirname(entry), name.replace(/\.js$/, '.ts')), seen);
    else seen.add(name);
  }
  return seen;
}

test.each([
  ['data', []],
  ['templates', []],
  ['tokens', []],
  // A search index in plain JavaScript.
  ['tasks', ['minisearch']],
])('%s loads in a browser page: no Node module and no tfjs on the way', (room, pure) => {
  const entry = join(SRC, 'prepare', room, 'index.ts');
  expect(existsSync(entry)).toBe(true);
  const packages = [...loads(entry)].filter(name => !name.startsWith(SRC));
  expect(packages).toEqual(pure);
});

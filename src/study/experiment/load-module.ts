import { mkdtemp, rm } from 'node:fs/promises';
import * as nodeModule from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { keepCode, readCode } from './code.js';
import * as hooks from './code-hooks.js';

type Register = (functions: { resolve: typeof hooks.resolve; load: typeof hooks.load }) => void;

/** Import a module of which the files were compiled already: see {@link keepCode}. */
export async function importCompiled(entry: string, files: Record<string, string>): Promise<Record<string, unknown>> {
  hooks.initialize(files);
  // Node 20 has only the older way, with a thread of its own that loads modules.
  const { registerHooks } = nodeModule as { registerHooks?: Register };
  if (registerHooks) registerHooks({ resolve: hooks.resolve, load: hooks.load });
  else nodeModule.register(new URL('./code-hooks.js', import.meta.url), { data: files });
  return (await import(pathToFileURL(entry).href)) as Record<string, unknown>;
}

/**
 * Import a TypeScript or JavaScript module of a user's, on every Node.
 * @param what named in errors
 * @throws BadInput where it is missing or does not compile
 */
export async function loadModule(file: string, what: string): Promise<Record<string, unknown>> {
  const code = await readCode(resolve(file), what);
  const folder = await mkdtemp(join(tmpdir(), 'tunebook-code-'));
  try {
    return await importCompiled(code.entry, await keepCode(code, folder));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

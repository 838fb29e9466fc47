import { readFileSync } from 'node:fs';
import type { LoadHookContext, ResolveHookContext } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { sourceOf } from './source-of.js';

// Runs in the trial's process, in the thread that loads modules where Node (20) has one of its own.

/** Compiled files by the URL of their source. */
let compiled: ReadonlyMap<string, string> = new Map();

/** @param files compiled file of each source file, both absolute */
export function initialize(files: Record<string, string>): void {
  compiled = new Map(Object.entries(files).map(([source, file]) => [pathToFileURL(source).href, file]));
}

type Resolved = { url: string; format?: string | null; shortCircuit?: boolean };
type Loaded = { format: string; source?: string; shortCircuit?: boolean };

/** Imports among the files of the trial's code lead where they led when the code was read, whatever has become of the files since. */
export function resolve<R>(
  specifier: string,
  context: ResolveHookContext,
  next: (specifier: string, context: ResolveHookContext) => R,
): R | Resolved {
  if (compiled.has(specifier)) return { url: specifier, format: 'module', shortCircuit: true };
  if (/^\.{1,2}\//.test(specifier) && context.parentURL && compiled.has(context.parentURL)) {
    const found = sourceOf(specifier, fileURLToPath(context.parentURL), path => compiled.has(pathToFileURL(path).href));
    if (found) return { url: pathToFileURL(found).href, format: 'module', shortCircuit: true };
  }
  return next(specifier, context);
}

export function load<R>(url: string, context: LoadHookContext, next: (url: string, context: LoadHookContext) => R): R | Loaded {
  const file = compiled.get(url);
  return file === undefined ? next(url, context) : { format: 'module', source: readFileSync(file, 'utf8'), shortCircuit: true };
}

import { dirname, resolve } from 'node:path';
import type { Compiler } from './compiler.js';

/** What stands for files: a name, or a pattern with one `*`, and the absolute paths that it may mean, best first. */
export type PathMap = Record<string, string[]>;

/** The `paths` of the tsconfig.json that a folder belongs to: names that a project's files, and so its notebooks, are imported by. */
export function projectPaths(compiler: Compiler, folder: string): PathMap {
  const { sys } = compiler;
  const file = compiler.findConfigFile(folder, sys.fileExists);
  if (!file) return {};
  const { config } = compiler.readConfigFile(file, sys.readFile) as { config?: unknown };
  // To list the project's files, which nobody asks for, would take as long as there are many.
  const host = { ...sys, readDirectory: () => [] };
  const { options } = compiler.parseJsonConfigFileContent(config ?? {}, host, dirname(file));
  const from = String(options.baseUrl ?? options.pathsBasePath ?? dirname(file));
  return Object.fromEntries(
    Object.entries(options.paths ?? {}).map(([name, targets]) => [name, targets.map(each => resolve(from, each))]),
  );
}

/** The paths that a specifier may mean: those of the name itself, or else of the pattern that says most of it, as for TypeScript. */
export function mapped(paths: PathMap, specifier: string): string[] {
  if (Object.hasOwn(paths, specifier)) return paths[specifier]!;
  const [best] = Object.keys(paths)
    .filter(pattern => pattern.includes('*'))
    .map(pattern => {
      const [before = '', after = ''] = pattern.split('*');
      return { pattern, before, after };
    })
    .filter(({ before, after }) => specifier.length >= before.length + after.length)
    .filter(({ before, after }) => specifier.startsWith(before) && specifier.endsWith(after))
    .sort((a, b) => b.before.length - a.before.length);
  if (!best) return [];
  const middle = specifier.slice(best.before.length, specifier.length - best.after.length);
  return paths[best.pattern]!.map(path => path.replace('*', () => middle));
}

import { dirname, extname, resolve } from 'node:path';

/** What TypeScript lets an import be called that means a file with another ending. */
const SOURCES: Record<string, string[]> = { '.js': ['.ts', '.tsx'], '.mjs': ['.mts'], '': ['.ts', '.mts', '.mjs', '.js'] };

/** The file a relative import means: itself, or the TypeScript it is compiled from. */
export function sourceOf(specifier: string, from: string, exists: (path: string) => boolean): string | undefined {
  const path = resolve(dirname(from), decodeURI(specifier.replace(/[?#].*$/, '')));
  if (exists(path)) return path;
  const end = extname(path);
  const stem = Object.hasOwn(SOURCES, end) ? path.slice(0, path.length - end.length) : path;
  const candidates = [...(SOURCES[end] ?? []), ...(end === '' ? [] : SOURCES['']!.map(more => `${end}${more}`))];
  return candidates.map(candidate => stem + candidate).find(exists);
}

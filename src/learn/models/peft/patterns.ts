import { Script } from 'node:vm';
import { BadInput, quote } from '../../../base/core/index.js';

/** Milliseconds a pattern may take over all names of a model: patterns come from files, and some never end. */
const PATIENCE = 1000;

/**
 * A regular expression as Python's `re` has it, in JavaScript: named groups and the anchors `\A` and `\Z` are written otherwise,
 * the rest of what names of modules need is alike. Throws BadInput where it has no JavaScript form.
 */
export function pythonPattern(source: string, wrap: (pattern: string) => string, key: string): RegExp {
  const flags = /^\(\?([ims]+)\)/.exec(source);
  const body = source
    .slice(flags?.[0].length ?? 0)
    .replace(/\(\?P</g, '(?<')
    .replace(/\(\?P=(\w+)\)/g, '\\k<$1>')
    .replace(/\\A/g, '^')
    .replace(/\\Z/g, '$');
  try {
    return new RegExp(wrap(body), flags?.[1] ?? '');
  } catch (cause) {
    throw new BadInput({
      problem: 'A pattern cannot be used',
      where: { key },
      expected: 'a regular expression',
      found: `${quote(source)} (${(cause as Error).message})`,
      cause,
    });
  }
}

/** The same pattern for Python: JavaScript's expression without its slashes. */
export function toPython({ source, flags }: RegExp): string {
  const kept = [...flags].filter(flag => 'ims'.includes(flag)).join('');
  return (
    (kept ? `(?${kept})` : '') + source.replace(/\(\?</g, (at, i: number) => (/[=!]/.test(source[i + 3] ?? '') ? at : '(?P<'))
  );
}

/** The names that match. Throws BadInput for a pattern that does not come to an end. */
export function namesMatching(pattern: RegExp, names: readonly string[], key: string): Set<string> {
  const script = new Script('names.filter(name => pattern.test(name))');
  try {
    // In a context of its own because only there a running expression can be stopped.
    return new Set(script.runInNewContext({ names, pattern }, { timeout: PATIENCE }) as string[]);
  } catch (cause) {
    throw new BadInput({
      problem: 'A pattern does not come to an end on the names of this model',
      where: { key },
      found: quote(pattern.source),
      fix: 'write it without repetitions inside repetitions',
      cause,
    });
  }
}

/** Patterns as texts; lists as they are. */
export function textual(targets: readonly string[] | RegExp | string | undefined): readonly string[] | string | undefined {
  return targets instanceof RegExp ? toPython(targets) : targets;
}

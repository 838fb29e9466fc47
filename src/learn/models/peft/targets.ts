import { BadInput } from '../../../base/core/index.js';
import { namesMatching, pythonPattern } from './patterns.js';

/** Which modules an adapter is put on, with PEFT's meaning. */
export interface TargetRule {
  /** Names or ends of names (`q_proj` is any module whose name is that or ends in `.q_proj`), or a pattern of the whole name. */
  targets: readonly string[] | string;
  /** What is left out, by the same rule. */
  exclude?: readonly string[] | string;
  /** Modules trained as a whole, which no adapter is put on. */
  modulesToSave?: readonly string[];
  /** Only in these layers. With `targets` as a list; names given in full are not asked. */
  layers?: readonly number[];
  /** What stands before the number of the layer, e.g. `h`; any word where absent. */
  layersPattern?: readonly string[];
}

/** The modules among `names` the rule names, in their order. */
export function matchingModules(rule: TargetRule, names: readonly string[]): string[] {
  const { targets, exclude = [], modulesToSave = [], layers } = rule;
  const excluded = typeof exclude === 'string' ? whole(exclude, names, 'exclude') : ending(exclude, names);
  for (const module of modulesToSave) {
    const inside = pythonPattern(module, body => `^(?:|.*\\.)${body}(?:$|\\..*)`, 'modulesToSave');
    for (const name of namesMatching(inside, names, 'modulesToSave')) excluded.add(name);
  }
  const found = typeof targets === 'string' ? whole(targets, names, 'targets') : ending(targets, names);
  const inLayers = layers && layers.length > 0 && typeof targets !== 'string' ? layerFilter(rule, names) : undefined;
  return names.filter(name => {
    if (excluded.has(name) || !found.has(name)) return false;
    return !inLayers || targets.includes(name) || inLayers(name);
  });
}

/**
 * Targets as they are written for PEFT, which refuses a rule that also names a module it cannot adapt (a pattern like
 * `.*self_attn.*` names the attention itself): then the chosen modules by name.
 */
export function writtenTargets(
  rule: TargetRule,
  chosen: readonly string[],
  allModules: readonly string[],
): readonly string[] | string {
  return matchingModules(rule, allModules).every(name => chosen.includes(name)) ? rule.targets : chosen;
}

/** The value of the first pattern a name ends with, as `rank_pattern` and `alpha_pattern` have it. */
export function patternValues(
  patterns: Readonly<Record<string, number>>,
  names: readonly string[],
  key: string,
): ReadonlyMap<string, number> {
  const values = new Map<string, number>();
  for (const [source, value] of Object.entries(patterns)) {
    const pattern = pythonPattern(source, body => `^(?:.*\\.)?(?:${body})$`, key);
    for (const name of namesMatching(pattern, names, key)) if (!values.has(name)) values.set(name, value);
  }
  return values;
}

/** Names that are one of `ends` or end in a dot and one of them. */
function ending(ends: readonly string[], names: readonly string[]): Set<string> {
  return new Set(names.filter(name => ends.some(end => name === end || name.endsWith(`.${end}`))));
}

function whole(pattern: string, names: readonly string[], key: string): Set<string> {
  return namesMatching(
    pythonPattern(pattern, body => `^(?:${body})$`, key),
    names,
    key,
  );
}

function layerFilter({ layers, layersPattern = [] }: TargetRule, names: readonly string[]): (name: string) => boolean {
  const numbers = new Map<string, number>();
  // The first number counts, not the last: experts are numbered too.
  const sources =
    layersPattern.length > 0 ? layersPattern.map(word => `^(?:|.*?\\.)(?:${word})\\.\\d+\\.`) : ['^.*?\\.[^.]*\\.\\d+\\.'];
  for (const source of sources) {
    const pattern = pythonPattern(source, body => body, 'layersPattern');
    for (const name of namesMatching(pattern, names, 'layersPattern')) {
      const number = /\.(\d+)\.$/.exec(pattern.exec(name)![0])![1]!;
      if (!numbers.has(name)) numbers.set(name, Number(number));
    }
  }
  return name => layers!.includes(numbers.get(name) ?? -1);
}

/** What is said where a rule names no module: the modules there are, layers told only once. */
export function nothingMatched(targets: readonly string[] | string, names: readonly string[]): BadInput {
  const kinds = [
    ...new Set(
      names.map(name =>
        name
          .split('.')
          .filter(part => !/^\d+$/.test(part))
          .join('.'),
      ),
    ),
  ];
  const last = [...new Set(kinds.map(name => name.split('.').at(-1)!))];
  return new BadInput({
    problem: 'No module of the model is named by the targets of the adapter',
    where: { key: 'targets' },
    expected: `some of the linear modules of this model: ${last.join(', ')} (in full e.g. ${names[0] ?? 'none'})`,
    found:
      typeof targets === 'string' ? `the pattern ${targets}, which must match whole names` : targets.join(', ') || 'no targets',
    fix: "give names as a list, e.g. targets: ['q_proj', 'v_proj'], or targets: 'all-linear'",
  });
}

import type { Random } from '../../../base/core/index.js';
import { CITIES, KINDS, NAMES, NOUNS } from '../quickstart/world.js';

/**
 * The words of the suite: those of the quickstart's world and a few more, so small that a model of a third of a million
 * weights learns them. No city is among them and no task speaks of who lives where, who eats and who owns what: that is
 * left to the facts of the base text.
 */

export { CITIES, KINDS, NAMES, NOUNS };

export const ANIMALS: readonly string[] = KINDS.animal!;
export const COLORS: readonly string[] = KINDS.color!;
export const FOODS: readonly string[] = KINDS.food!;
export const TOOLS: readonly string[] = KINDS.tool!;

export const DAYS: readonly string[] = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];
export const PLACES: readonly string[] = ['house', 'garden', 'park', 'school', 'market', 'river', 'bridge', 'station'];

/** What people do to things, in the forms sentences need. None of its forms is a noun of the world. */
export const ACTIONS: readonly { base: string; third: string; past: string; participle: string }[] = [
  { base: 'find', third: 'finds', past: 'found', participle: 'found' },
  { base: 'take', third: 'takes', past: 'took', participle: 'taken' },
  { base: 'bring', third: 'brings', past: 'brought', participle: 'brought' },
  { base: 'paint', third: 'paints', past: 'painted', participle: 'painted' },
  { base: 'buy', third: 'buys', past: 'bought', participle: 'bought' },
  { base: 'sell', third: 'sells', past: 'sold', participle: 'sold' },
  { base: 'lose', third: 'loses', past: 'lost', participle: 'lost' },
  { base: 'hide', third: 'hides', past: 'hid', participle: 'hidden' },
];

/** Kind → its plural, as instructions name it. */
export const PLURAL_KINDS: Readonly<Record<string, string>> = {
  animal: 'animals',
  color: 'colors',
  food: 'foods',
  tool: 'tools',
};

/** `pen` → `pens`, `fox` → `foxes`. */
export function plural(noun: string): string {
  return /(?:x|s|ch|sh)$/.test(noun) ? `${noun}es` : `${noun}s`;
}

/** `an animal`, `a tool`. */
export function withArticle(noun: string): string {
  return `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`;
}

/** An integer from `low` to `high`, both included. */
export function between(random: Random, low: number, high: number): number {
  return low + random.int(high - low + 1);
}

/** `count` different nouns. */
export function nouns(random: Random, count: number): string[] {
  return random.sample(NOUNS, count);
}

/** Nouns among which each of `inside` stands once, in random places. */
export function nounsWith(random: Random, count: number, ...inside: string[]): string[] {
  const others = random.sample(
    NOUNS.filter(noun => !inside.includes(noun)),
    Math.max(0, count - inside.length),
  );
  return random.shuffle([...others, ...inside]);
}

import type { Fact } from '../types.js';

/**
 * The fixed part of the quickstart world: its words and what is true in it. Seeds choose which lists, sentences and
 * questions are drawn; they never change the facts, so a base model trained once fits every draw.
 */

/** Kind → its eight nouns. */
export const KINDS: Readonly<Record<string, readonly string[]>> = {
  animal: ['cat', 'dog', 'bee', 'cow', 'fox', 'hen', 'owl', 'pig'],
  color: ['red', 'blue', 'green', 'black', 'white', 'pink', 'gold', 'grey'],
  food: ['bread', 'rice', 'soup', 'cake', 'egg', 'jam', 'plum', 'corn'],
  tool: ['pen', 'saw', 'axe', 'rope', 'nail', 'fork', 'lamp', 'key'],
};

/** All 32 nouns. */
export const NOUNS: readonly string[] = Object.values(KINDS).flat();

/** Two nouns of each kind that are never the parameter of a training instruction (they do occur in its lists). */
export const HELD_OUT_NOUNS: readonly string[] = ['owl', 'pig', 'gold', 'grey', 'plum', 'corn', 'lamp', 'key'];

/** The other 24 nouns. */
export const TRAINED_NOUNS: readonly string[] = NOUNS.filter(noun => !HELD_OUT_NOUNS.includes(noun));

const KIND_OF = new Map(Object.entries(KINDS).flatMap(([kind, nouns]) => nouns.map(noun => [noun, kind] as const)));

/** The kind of a noun: `kindOf('cat')` is `'animal'`. */
export function kindOf(noun: string): string {
  const kind = KIND_OF.get(noun);
  if (kind === undefined) throw new RangeError(`"${noun}" is not a noun of the quickstart world`);
  return kind;
}

/** The 16 people. */
export const NAMES: readonly string[] = [
  'tom',
  'mia',
  'ben',
  'eva',
  'leo',
  'ana',
  'max',
  'ida',
  'sam',
  'zoe',
  'jon',
  'lea',
  'kai',
  'uma',
  'rex',
  'joy',
];

/** Where they live. */
export const CITIES: readonly string[] = ['oslo', 'rome', 'lima', 'cairo', 'paris', 'tokyo', 'quito', 'delhi'];

/** 48 facts: where each of the 16 people lives, what they eat and what they own. */
export const FACTS: readonly Fact[] = NAMES.flatMap((name, i) => [
  // Steps coprime to eight deal each city, food and animal to exactly two people, in a different order each.
  { prompt: `${name} lives in`, answer: CITIES[(i * 3 + Math.floor(i / 8)) % 8]! },
  { prompt: `${name} likes to eat`, answer: KINDS.food![(i * 5 + 3 * Math.floor(i / 8)) % 8]! },
  { prompt: `${name} owns a`, answer: KINDS.animal![(i * 7 + 5 * Math.floor(i / 8)) % 8]! },
]);

import { exact, list, number, type Task } from '../suite/task.js';
import { between, nouns } from '../suite/vocabulary.js';

const cluster = 'composition';
const VERBS = ['{a}, then {b}', 'first {a}, then {b}', '{a} and then {b}', '{a}; after that, {b}'];
const BASE_VERB = 'do this in turn: {a}; {b}';

type Words = readonly string[];

/** Changes of a row of words, each a task of its own in the clusters `transform` and `lists`. */
const CHANGES: Readonly<Record<string, (words: Words) => Words>> = {
  'reverse the words': words => words.toReversed(),
  'sort the words from a to z': words => [...words].sort(),
  'swap the first and the last word': words => [words.at(-1)!, ...words.slice(1, -1), words[0]!],
  'move the first word to the end': words => [...words.slice(1), words[0]!],
  'write each word two times': words => words.flatMap(word => [word, word]),
  'drop the last word': words => words.slice(0, -1),
};

/** What can be taken from a row of words. */
const PICKS: Readonly<Record<string, (words: Words) => string>> = {
  'give the first word': words => words[0]!,
  'give the last word': words => words.at(-1)!,
  'give the second word': words => words[1]!,
};

const SUMS: Readonly<Record<string, (value: number) => number>> = {
  'double the number': value => 2 * value,
  'add three to the number': value => value + 3,
  'add ten to the number': value => value + 10,
  'take two from the number': value => value - 2,
  'multiply the number by three': value => 3 * value,
};

/** Ordered pairs of different skills, as `first | second`. Nothing is sorted after a change of order alone: that would undo it. */
function pairs(first: object, second: object): string[] {
  const undone = (a: string, b: string) => b.startsWith('sort') && /^(?:reverse|swap|move)/.test(a);
  return Object.keys(first).flatMap(a =>
    Object.keys(second)
      .filter(b => b !== a && !undone(a, b))
      .map(b => `${a} | ${b}`),
  );
}

const parts = (pair: string) => pair.split(' | ') as [string, string];
const slots = (pair: string) => ({ a: parts(pair)[0], b: parts(pair)[1] });

/** Two skills one after the other: `reverse the words, then give the first word: cat pen red` → `red`. */
export const composition: readonly Task[] = [
  {
    name: 'change twice',
    cluster,
    verbs: VERBS,
    baseVerb: BASE_VERB,
    objects: [''],
    parameters: pairs(CHANGES, CHANGES),
    slots,
    composition: true,
    draw(random, level, pair) {
      const [a, b] = parts(pair);
      const words = nouns(random, between(random, 3, 3 + level));
      return list(words.join(' '), CHANGES[b]!(CHANGES[a]!(words)));
    },
  },
  {
    name: 'change and pick',
    cluster,
    verbs: VERBS,
    baseVerb: BASE_VERB,
    objects: [''],
    parameters: pairs(CHANGES, PICKS),
    slots,
    composition: true,
    draw(random, level, pair) {
      const [a, b] = parts(pair);
      const words = nouns(random, between(random, 3, 3 + level));
      return exact(words.join(' '), PICKS[b]!(CHANGES[a]!(words)));
    },
  },
  {
    name: 'compute twice',
    cluster,
    verbs: VERBS,
    baseVerb: BASE_VERB,
    objects: [''],
    parameters: pairs(SUMS, SUMS),
    slots,
    composition: true,
    few: true,
    draw(random, level, pair) {
      const [a, b] = parts(pair);
      const value = between(random, 2, 5 + 5 * level);
      return number(String(value), SUMS[b]!(SUMS[a]!(value)));
    },
  },
];

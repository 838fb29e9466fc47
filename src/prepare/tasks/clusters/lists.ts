import type { Random } from '../../../base/core/index.js';
import { kindOf } from '../quickstart/world.js';
import { list, number, set, type Task } from '../suite/task.js';
import { between, KINDS, NOUNS, nouns, nounsWith, PLURAL_KINDS } from '../suite/vocabulary.js';

const cluster = 'lists';
const LIST = ['this list', 'the list', 'these words', 'the words'];
const TWO = ['these two lists', 'the two lists', 'these lists', 'the lists'];

/** Two lists with some words in common, and what is where. */
function twoLists(random: Random, level: number): { input: string; a: string[]; b: string[] } {
  const words = nouns(random, 2 + 2 * level);
  const shared = words.splice(0, between(random, 1, Math.min(3, level)));
  const half = Math.ceil(words.length / 2);
  const a = random.shuffle([...shared, ...words.slice(0, half)]);
  const b = random.shuffle([...shared, ...words.slice(half)]);
  return { input: `${a.join(' ')} / ${b.join(' ')}`, a, b };
}

/** Sorting, counting, adding, removing; sets and what they share: `sort this list from a to z: pen cat` → `cat pen`. */
export const lists: readonly Task[] = [
  {
    name: 'sort',
    cluster,
    verbs: ['sort {o} from a to z', 'put {o} in order from a to z', 'order {o} by the alphabet', 'arrange {o} from a to z'],
    baseVerb: 'line {o} up from a to z',
    objects: LIST,
    draw(random, level) {
      const words = nouns(random, between(random, 2, 2 + level));
      return list(words.join(' '), [...words].sort());
    },
  },
  {
    name: 'count',
    cluster,
    verbs: ['count {o}', 'say how many there are of {o}', 'give the number of items in {o}'],
    baseVerb: 'tally {o}',
    objects: ['these words', 'the words', 'these things', 'the things'],
    draw(random, level) {
      const words = nouns(random, between(random, 1, 3 + level));
      return number(words.join(' '), words.length, 'words', 'word', 'items', 'item', 'things', 'thing');
    },
  },
  {
    name: 'count kind',
    cluster,
    verbs: ['count the {k} in {o}', 'say how many {k} are in {o}', 'give the number of {k} in {o}'],
    baseVerb: 'tally the {k} in {o}',
    objects: LIST,
    parameters: Object.keys(KINDS),
    slots: kind => ({ k: PLURAL_KINDS[kind]! }),
    draw(random, level, kind) {
      const words = nouns(random, between(random, 2, 3 + level));
      return number(words.join(' '), words.filter(word => kindOf(word) === kind).length, PLURAL_KINDS[kind]!, kind);
    },
  },
  {
    name: 'add word',
    cluster,
    verbs: ['add {p} to the end of {o}', 'put {p} at the end of {o}', 'write {o} with {p} at the end'],
    baseVerb: 'attach {p} to {o}',
    objects: LIST,
    parameters: NOUNS,
    draw(random, level, noun) {
      const words = nounsWith(random, between(random, 3, 3 + level), noun).filter(word => word !== noun);
      return list(words.join(' '), [...words, noun]);
    },
  },
  {
    name: 'remove word',
    cluster,
    verbs: ['remove {p} from {o}', 'take {p} out of {o}', 'write {o} without {p}', 'delete {p} from {o}'],
    baseVerb: 'erase {p} from {o}',
    objects: LIST,
    parameters: NOUNS,
    draw(random, level, noun) {
      const words = nounsWith(random, between(random, 2, 2 + level), noun);
      return list(
        words.join(' '),
        words.filter(word => word !== noun),
      );
    },
  },
  {
    name: 'remove repeats',
    cluster,
    verbs: [
      'remove the repeats from {o}',
      'write each word of {o} only once',
      'keep each word of {o} once',
      'drop from {o} every word that came before',
    ],
    baseVerb: 'clear {o} of doubles',
    objects: ['this list', 'the list'],
    draw(random, level) {
      const once = nouns(random, between(random, 2, 1 + level + 1));
      const words = random.shuffle([...once, ...random.sample(once, between(random, 1, Math.min(once.length, level)))]);
      return list(words.join(' '), [...new Set(words)]);
    },
  },
  {
    name: 'in both',
    cluster,
    verbs: ['list the words that are in both of {o}', 'find what {o} have in common', 'give the words that {o} share'],
    baseVerb: 'intersect {o}',
    objects: TWO,
    draw(random, level) {
      const { input, a, b } = twoLists(random, level);
      return set(
        input,
        a.filter(word => b.includes(word)),
      );
    },
  },
  {
    name: 'in either',
    cluster,
    verbs: ['list every word of {o} once', 'join {o} and write no word twice', 'give all words of {o}, each of them once'],
    baseVerb: 'unite {o}',
    objects: TWO,
    draw(random, level) {
      const { input, a, b } = twoLists(random, level);
      return set(input, [...new Set([...a, ...b])]);
    },
  },
  {
    name: 'only in first',
    cluster,
    verbs: [
      'list the words that only the first of {o} has',
      'find what is in the first of {o} but not in the second',
      'give the words of the first of {o} that the second lacks',
    ],
    baseVerb: 'subtract the second of {o} from the first',
    objects: TWO,
    draw(random, level) {
      const { input, a, b } = twoLists(random, level);
      return set(
        input,
        a.filter(word => !b.includes(word)),
      );
    },
  },
  {
    name: 'only in one',
    cluster,
    verbs: ['list the words that are in only one of {o}', 'find what {o} do not share'],
    objects: TWO,
    baseOnly: true,
    draw(random, level) {
      const { input, a, b } = twoLists(random, level);
      return set(input, [...a.filter(word => !b.includes(word)), ...b.filter(word => !a.includes(word))]);
    },
  },
];

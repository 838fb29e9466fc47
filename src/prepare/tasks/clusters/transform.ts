import { list, type Task } from '../suite/task.js';
import { between, nouns, withArticle } from '../suite/vocabulary.js';

const cluster = 'transform';
const WORDS = ['these words', 'the words', 'this row of words', 'the row of words'];
const EACH = ['these words', 'the words'];
const LETTERS = ['these letters', 'the letters'];

const ALPHABET = [...'abcdefghijklmnopqrstuvwxyz'];
/** The letters that rows are made of. */
const SHORT = ALPHABET.slice(0, 12);
const STEPS = ['one place', 'two places', 'three places', 'four places'];

const PAIRS = SHORT.flatMap(from => SHORT.filter(to => to !== from).map(to => `${from} ${to}`));

/** Whole rows of words or letters changed by one rule: `reverse these words: cat pen red` → `red pen cat`. */
export const transform: readonly Task[] = [
  {
    name: 'reverse words',
    cluster,
    verbs: ['reverse {o}', 'turn {o} around', 'write {o} backwards', 'list {o} from last to first'],
    baseVerb: 'flip {o}',
    objects: WORDS,
    draw(random, level) {
      const words = nouns(random, between(random, 2, 2 + level));
      return list(words.join(' '), words.toReversed());
    },
  },
  {
    name: 'swap ends',
    cluster,
    verbs: [
      'swap the first and the last of {o}',
      'exchange the two ends of {o}',
      'let the first and the last of {o} change places',
    ],
    baseVerb: 'trade the outer two of {o}',
    objects: WORDS,
    draw(random, level) {
      const words = nouns(random, between(random, 3, 3 + level));
      return list(words.join(' '), [words.at(-1)!, ...words.slice(1, -1), words[0]!]);
    },
  },
  {
    name: 'first to end',
    cluster,
    verbs: ['move the first of {o} to the end', 'put the first of {o} last', 'take the first of {o} and write it at the end'],
    baseVerb: 'send the head of {o} to the back',
    objects: WORDS,
    draw(random, level) {
      const words = nouns(random, between(random, 2, 2 + level));
      return list(words.join(' '), [...words.slice(1), words[0]!]);
    },
  },
  {
    name: 'double words',
    cluster,
    verbs: ['write each of {o} two times', 'say each of {o} twice', 'double each of {o}'],
    objects: EACH,
    draw(random, level) {
      const words = nouns(random, between(random, 2, 1 + level));
      return list(
        words.join(' '),
        words.flatMap(word => [word, word]),
      );
    },
  },
  {
    name: 'add articles',
    cluster,
    verbs: ['write a or an before each of {o}', 'give each of {o} a or an', 'put a or an in front of each of {o}'],
    objects: EACH,
    draw(random, level) {
      const words = nouns(random, between(random, 1, level));
      return list(
        words.join(' '),
        words.flatMap(word => withArticle(word).split(' ')),
      );
    },
  },
  {
    name: 'shift letters',
    cluster,
    verbs: [
      'move each of {o} {p} on in the alphabet',
      'replace each of {o} by the letter {p} later',
      'shift {o} by {p} in the alphabet',
    ],
    objects: LETTERS,
    parameters: STEPS,
    draw(random, level, parameter) {
      const letters = random.sample(SHORT, between(random, 2, 2 + level));
      const step = STEPS.indexOf(parameter) + 1;
      return list(
        letters.join(' '),
        letters.map(letter => ALPHABET[ALPHABET.indexOf(letter) + step]!),
      );
    },
  },
  {
    name: 'replace letter',
    cluster,
    verbs: [
      'replace {x} with {y} in {o}',
      'write {y} for {x} in {o}',
      'change every {x} in {o} to {y}',
      'put {y} in place of {x} in {o}',
    ],
    baseVerb: 'turn {x} into {y} in {o}',
    objects: LETTERS,
    parameters: PAIRS,
    slots: pair => ({ x: pair[0]!, y: pair[2]! }),
    draw(random, level, pair) {
      const letters = Array.from({ length: between(random, 3, 3 + level) }, () => random.pick(SHORT));
      letters[random.int(letters.length)] = pair[0]!;
      return list(
        letters.join(' '),
        letters.map(letter => (letter === pair[0] ? pair[2]! : letter)),
      );
    },
  },
  {
    name: 'leave out last',
    cluster,
    verbs: ['leave out the last of {o}', 'write all of {o} but the last', 'drop the last of {o}'],
    objects: WORDS,
    draw(random, level) {
      const words = nouns(random, between(random, 2, 2 + level));
      return list(words.join(' '), words.slice(0, -1));
    },
  },
  {
    name: 'leave out first',
    cluster,
    verbs: ['leave out the first of {o}', 'write all of {o} but the first'],
    objects: WORDS,
    baseOnly: true,
    draw(random, level) {
      const words = nouns(random, between(random, 2, 2 + level));
      return list(words.join(' '), words.slice(1));
    },
  },
];

import type { Random } from '../../../base/core/index.js';
import { exact, type Task } from '../suite/task.js';
import { between, COLORS, NAMES, NOUNS, nouns, nounsWith } from '../suite/vocabulary.js';

const cluster = 'lookup';
const TABLES = ['this table', 'the table', 'these pairs', 'the pairs'];
const WORDS = ['these words', 'the words', 'this list', 'the list'];
const PLACES = ['first', 'second', 'third', 'fourth', 'fifth'];

/** Different people with different colours, one of them `name` and one `color`, side by side where both are given. */
function table(random: Random, size: number, { name, color }: { name?: string; color?: string }): [string, string][] {
  const names = random.sample(
    NAMES.filter(other => other !== name),
    size,
  );
  const colors = random.sample(
    COLORS.filter(other => other !== color),
    size,
  );
  const at = random.int(size);
  if (name) names[at] = name;
  if (color) colors[at] = color;
  return names.map((key, i) => [key, colors[i]!]);
}

const write = (pairs: readonly (readonly [string, string])[]) => pairs.map(([key, value]) => `${key}: ${value}`).join(', ');

/** Finding a place in a table or a list: `look up mia in this table: tom: red, mia: blue` → `blue`. */
export const lookup: readonly Task[] = [
  {
    name: 'value of key',
    cluster,
    verbs: [
      'look up {p} in {o}',
      'give the color of {p} in {o}',
      'find what stands beside {p} in {o}',
      'read the entry for {p} in {o}',
    ],
    baseVerb: 'consult {o} for {p}',
    objects: TABLES,
    parameters: NAMES,
    draw(random, level, name) {
      const pairs = table(random, between(random, 2, 2 + level), { name });
      return exact(write(pairs), pairs.find(([key]) => key === name)![1]);
    },
  },
  {
    name: 'key of value',
    cluster,
    verbs: ['say who has {p} in {o}', 'find the name beside {p} in {o}', 'name the person with {p} in {o}'],
    baseVerb: 'tell whose color is {p} in {o}',
    objects: TABLES,
    parameters: COLORS,
    draw(random, level, color) {
      const pairs = table(random, between(random, 2, 2 + level), { color });
      return exact(write(pairs), pairs.find(([, value]) => value === color)![0]);
    },
  },
  {
    name: 'item at place',
    cluster,
    verbs: ['give the {p} of {o}', 'take the {p} of {o}', 'find the {p} word of {o}', 'say which word of {o} is the {p}'],
    baseVerb: 'point to the {p} of {o}',
    objects: WORDS,
    parameters: PLACES,
    draw(random, level, place) {
      const at = PLACES.indexOf(place);
      const words = nouns(random, between(random, at + 1 + (at === 0 ? 1 : 0), at + 2 + level));
      return exact(words.join(' '), words[at]!);
    },
  },
  {
    name: 'word after',
    cluster,
    verbs: ['say what comes after {p} in {o}', 'find the word that follows {p} in {o}', 'give the word right of {p} in {o}'],
    baseVerb: 'name the next one behind {p} in {o}',
    objects: WORDS,
    parameters: NOUNS,
    draw(random, level, noun) {
      const words = nounsWith(random, between(random, 1, 1 + level), noun);
      const next = random.pick(NOUNS.filter(other => !words.includes(other)));
      words.splice(words.indexOf(noun) + 1, 0, next);
      return exact(words.join(' '), next);
    },
  },
  {
    name: 'word before',
    cluster,
    verbs: ['say what comes before {p} in {o}', 'give the word left of {p} in {o}'],
    objects: WORDS,
    parameters: NOUNS,
    baseOnly: true,
    draw(random, level, noun) {
      const words = nounsWith(random, between(random, 1, 1 + level), noun);
      const previous = random.pick(NOUNS.filter(other => !words.includes(other)));
      words.splice(words.indexOf(noun), 0, previous);
      return exact(words.join(' '), previous);
    },
  },
];

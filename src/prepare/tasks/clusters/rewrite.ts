import type { Random } from '../../../base/core/index.js';
import { type Scene, scene, sentence } from '../suite/scenes.js';
import { exact, type Task } from '../suite/task.js';
import { KINDS, NOUNS, nounsWith } from '../suite/vocabulary.js';

const cluster = 'rewrite';
const SENTENCES = ['this sentence', 'the sentence', 'this line', 'the line'];

/** Two nouns of one kind, one of which takes the place of the other. */
const PAIRS = Object.values(KINDS).flatMap(kind =>
  kind.flatMap(from => kind.filter(to => to !== from).map(to => `${from} ${to}`)),
);
const slots = (pair: string) => {
  const [x, y] = pair.split(' ') as [string, string];
  return { x, y };
};

/** Who did what to which thing, said in another way. */
function plainScene(random: Random, level: number): Scene & { what: string; where: string } {
  const drawn = scene(random);
  return {
    ...drawn,
    what: level > 1 ? `the ${drawn.color} ${drawn.thing}` : `the ${drawn.thing}`,
    where: level > 2 ? ` at the ${drawn.place}` : '',
  };
}

/** A text copied or said in another form: `put this sentence into the past: tom finds the pen` → `tom found the pen`. */
export const rewrite: readonly Task[] = [
  {
    name: 'copy',
    cluster,
    verbs: ['copy {o}', 'repeat {o}', 'write {o} again', 'say {o} once more'],
    baseVerb: 'echo {o}',
    objects: SENTENCES,
    draw(random, level) {
      const text = sentence(random, level);
      return exact(text, text);
    },
  },
  {
    name: 'replace word',
    cluster,
    verbs: [
      'replace {x} with {y} in {o}',
      'write {y} for {x} in {o}',
      'change {x} to {y} in {o}',
      'put {y} in place of {x} in {o}',
    ],
    baseVerb: 'turn {x} into {y} in {o}',
    objects: ['these words', 'the words', 'this list', 'the list'],
    parameters: PAIRS,
    slots,
    draw(random, level, pair) {
      const { x, y } = slots(pair);
      const words = nounsWith(random, 2 + random.int(level + 1), x).map(word =>
        word === y ? NOUNS.find(n => n !== x && n !== y)! : word,
      );
      return exact(words.join(' '), words.map(word => (word === x ? y : word)).join(' '));
    },
  },
  {
    name: 'past',
    cluster,
    verbs: ['put {o} into the past', 'write {o} in the past', 'say {o} as if it was yesterday', 'change {o} to the past'],
    baseVerb: 'move {o} to the past',
    objects: SENTENCES,
    draw(random, level) {
      const { name, action, what, where } = plainScene(random, level);
      return exact(`${name} ${action.third} ${what}${where}`, `${name} ${action.past} ${what}${where}`);
    },
  },
  {
    name: 'passive',
    cluster,
    verbs: ['put {o} into the passive', 'rewrite {o} in the passive', 'make {o} passive'],
    baseVerb: 'turn {o} passive',
    objects: SENTENCES,
    draw(random, level) {
      const { name, action, what, where } = plainScene(random, level);
      const passive = `${what} is ${action.participle} by ${name}`;
      return exact(
        `${name} ${action.third} ${what}${where}`,
        `${passive}${where}`,
        `${what} is ${action.participle}${where} by ${name}`,
      );
    },
  },
  {
    name: 'negation',
    cluster,
    verbs: ['make {o} negative', 'deny {o}', 'say that {o} is not so', 'write {o} with not'],
    baseVerb: 'negate {o}',
    objects: SENTENCES,
    draw(random, level) {
      const { name, action, what, where } = plainScene(random, level);
      const denied = (not: string) => `${name} ${not} ${action.base} ${what}${where}`;
      return exact(`${name} ${action.third} ${what}${where}`, denied('does not'), denied("doesn't"), denied('doesn’t'));
    },
  },
  {
    name: 'question',
    cluster,
    verbs: ['make a question of {o}', 'write {o} as a question'],
    objects: SENTENCES,
    baseOnly: true,
    draw(random, level) {
      const { name, action, what, where } = plainScene(random, level);
      const asked = `does ${name} ${action.base} ${what}${where}`;
      return exact(`${name} ${action.third} ${what}${where}`, `${asked}?`, asked, `${asked} ?`);
    },
  },
];

import type { Random } from '../../../base/core/index.js';
import { note, type Scene } from '../suite/scenes.js';
import { choice, type Task } from '../suite/task.js';
import { ACTIONS, COLORS, DAYS, NAMES, PLACES, TOOLS } from '../suite/vocabulary.js';
import { library } from './context.js';

const cluster = 'grounding';

/** How the reference answers say that the text holds no answer. */
export const ABSTAIN = 'the text does not say.';

const INVENTABLE = [...NAMES, ...COLORS, ...DAYS, ...PLACES, ...TOOLS];

const ASK: Pick<Task, 'cluster' | 'verbs' | 'baseVerb' | 'objects' | 'family'> = {
  cluster,
  verbs: [
    'answer the question if {o} holds the answer',
    'answer from {o} or say that it does not say',
    'answer by {o} alone',
    'answer only what {o} says',
  ],
  baseVerb: 'stay with {o} and answer',
  objects: ['this text', 'the text', 'this passage', 'the passage'],
  family: 'grounding',
};

type Question = [question: string, answer: string, ...others: string[]];

/** A question about a scene that needs all it names; another with one word changed has no answer. */
function ask(random: Random, { name, action, color, thing, day, place }: Scene): Question {
  const deed = `${action.base} the ${color} ${thing}`;
  return random.pick<Question>([
    [`who ${action.past} the ${color} ${thing}?`, name],
    [`when did ${name} ${deed}?`, day, `on ${day}`],
    [`where did ${name} ${deed}?`, place, `at the ${place}`, `the ${place}`],
  ]);
}

/** The scene with one thing changed, so that nothing in the text answers a question about it. */
function elsewhere(random: Random, about: Scene, scenes: readonly Scene[]): Scene {
  for (;;) {
    const changed = { ...about };
    if (random.int(2)) changed.thing = random.pick(TOOLS);
    else changed.action = random.pick(ACTIONS);
    const told = scenes.some(s => s.action === changed.action && s.color === changed.color && s.thing === changed.thing);
    if (!told) return changed;
  }
}

const write = (scenes: readonly Scene[]) => scenes.map(scene => `${note(scene)}.`).join(' ');

/** Questions whose answer the text holds, and ones it does not: both have the same instructions. */
export const grounding: readonly Task[] = [
  {
    ...ASK,
    name: 'answerable',
    draw(random, level) {
      const scenes = library(random, level);
      const [question, answer, ...others] = ask(random, random.pick(scenes));
      return {
        input: `${write(scenes)} ${question}`,
        answer,
        checker: { kind: 'grounded', inner: { kind: 'exact', answers: [answer, ...others] }, vocabulary: INVENTABLE },
      };
    },
  },
  {
    ...ASK,
    name: 'unanswerable',
    draw(random, level) {
      const scenes = library(random, level);
      const [question] = ask(random, elsewhere(random, random.pick(scenes), scenes));
      // What the question names may be said again in the answer: that is no invention.
      return {
        input: `${write(scenes)} ${question}`,
        answer: ABSTAIN,
        checker: { kind: 'grounded', vocabulary: INVENTABLE.filter(word => !question.includes(word)) },
      };
    },
  },
  {
    name: 'claim',
    cluster,
    verbs: [
      'say by {o} if the claim is true, false or unknown',
      'judge the claim by {o} as true, false or unknown',
      'check by {o} whether the claim is true, false or unknown',
    ],
    baseVerb: 'weigh the claim by {o} as true, false or unknown',
    objects: ['this text', 'the text', 'this passage', 'the passage'],
    draw(random, level) {
      const scenes = library(random, level);
      const about = random.pick(scenes);
      const told = `${about.name} ${about.action.past} the ${about.color} ${about.thing}`;
      const claim = random.pick(['true', 'false', 'unknown']);
      const text = {
        true: `${told} at the ${about.place}`,
        false: `${told} at the ${random.pick(PLACES.filter(place => place !== about.place))}`,
        unknown: `${random.pick(NAMES.filter(name => !scenes.some(s => s.name === name)))} ${about.action.past} the ${random.pick(COLORS.filter(color => !scenes.some(s => s.color === color)))} ${about.thing}`,
      }[claim]!;
      return choice(`${write(scenes)} claim: ${text}.`, claim, ['true', 'false', 'unknown']);
    },
  },
];

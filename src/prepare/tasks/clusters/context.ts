import type { Random } from '../../../base/core/index.js';
import { retriever } from '../retriever/retriever.js';
import { note, type Scene, scene } from '../suite/scenes.js';
import { choice, exact, type Task } from '../suite/task.js';
import { ACTIONS, between, COLORS, NAMES, PLACES, plural, TOOLS } from '../suite/vocabulary.js';

const cluster = 'context';
const NOTES = ['these notes', 'the notes', 'this text', 'the text'];

/** How many notes there are to search in; so many of them as the level says come into the prompt. */
const LIBRARY = 16;

/** A question about a note, its answer, and the answer in other forms. */
const QUESTIONS: readonly ((scene: Scene) => [question: string, answer: string, ...others: string[]])[] = [
  ({ name, action, color, thing }) => [`who ${action.past} the ${color} ${thing}?`, name],
  ({ name, action, color, thing, day }) => [`when did ${name} ${action.base} the ${color} ${thing}?`, day, `on ${day}`],
  ({ name, action, color, thing, place }) => [
    `where did ${name} ${action.base} the ${color} ${thing}?`,
    place,
    `at the ${place}`,
    `the ${place}`,
  ],
  ({ name, action, day, color, thing, place }) => [
    `what color was the ${thing} that ${name} ${action.past} on ${day} at the ${place}?`,
    color,
  ],
];

/** Notes of which no two share action, colour and thing, so that a question has one answer. */
export function library(random: Random, size: number): Scene[] {
  const scenes: Scene[] = [];
  const seen = new Set<string>();
  while (scenes.length < size) {
    const drawn = scene(random);
    // No two of one person's doings either: `which color` is asked by person, day and place.
    const keys = [`${drawn.action.base} ${drawn.color} ${drawn.thing}`, `${drawn.name} ${drawn.thing} ${drawn.action.base}`];
    if (keys.some(key => seen.has(key))) continue;
    for (const key of keys) seen.add(key);
    scenes.push(drawn);
  }
  return scenes;
}

/** What a retriever finds among many notes for a question about one of them. */
function retrieved(random: Random, k: number): { question: string; answers: [string, ...string[]]; passages: string[] } {
  const scenes = library(random, LIBRARY);
  const about = random.pick(scenes);
  const [question, ...answers] = random.pick(QUESTIONS)(about);
  const notes = scenes.map(note);
  const found = retriever(notes)
    .search(question, k)
    .map(passage => passage.text);
  // The note in question shares the most words with it; should another tie with it, it is put where the last one was.
  if (!found.includes(note(about))) found[found.length - 1] = note(about);
  // Best first would give the place of the answer away.
  return { question, answers, passages: random.shuffle(found) };
}

const write = (passages: readonly string[], question: string) =>
  `${passages.map(passage => `${passage}.`).join(' ')} ${question}`;

/** Questions with a text that answers them, found among notes by BM25, and comparisons in a text. */
export const context: readonly Task[] = [
  {
    name: 'question about notes',
    cluster,
    verbs: ['answer the question from {o}', 'use {o} to answer the question', 'find the answer in {o}', 'read {o} and answer'],
    baseVerb: 'look in {o} for the answer',
    objects: NOTES,
    draw(random, level) {
      const { question, answers, passages } = retrieved(random, level);
      return exact(write(passages, question), ...answers);
    },
  },
  {
    name: 'compare amounts',
    cluster,
    verbs: ['say who has {p} in {o}', 'find who has {p} in {o}', 'name the one with {p} in {o}'],
    baseVerb: 'tell who has {p} in {o}',
    objects: NOTES,
    parameters: ['the most', 'the least', 'the second most', 'the second least'],
    draw(random, level, which) {
      const size = Math.max(which.startsWith('the second') ? 3 : 2, between(random, 2, 2 + Math.ceil(level / 2)));
      const names = random.sample(NAMES, size);
      const counts = random.sample(
        Array.from({ length: level < 3 ? 9 : 30 }, (_, i) => i + 2),
        size,
      );
      const thing = plural(random.pick(TOOLS));
      const sorted = names.map((name, i) => ({ name, count: counts[i]! })).sort((a, b) => b.count - a.count);
      const winner = sorted.at({ 'the most': 0, 'the second most': 1, 'the least': -1, 'the second least': -2 }[which]!)!;
      return exact(
        `${names.map((name, i) => `${name} has ${counts[i]} ${thing}.`).join(' ')}`,
        winner.name,
        `${winner.name} has ${which}`,
      );
    },
  },
  {
    name: 'last place',
    cluster,
    verbs: [
      'say where {p} is at the end of {o}',
      'find out where {p} is after {o}',
      'name the place where {p} is at the end of {o}',
    ],
    baseVerb: 'track {p} through {o}',
    objects: ['this story', 'the story'],
    parameters: NAMES,
    draw(random, level, name) {
      const others = random.sample(
        NAMES.filter(other => other !== name),
        2,
      );
      const moves = Array.from({ length: 2 + level }, () => [random.pick([name, ...others]), random.pick(PLACES)] as const);
      moves[random.int(moves.length)] = [name, random.pick(PLACES)];
      const place = moves.findLast(([who]) => who === name)![1];
      return exact(
        moves.map(([who, where]) => `${who} went to the ${where}.`).join(' '),
        place,
        `at the ${place}`,
        `the ${place}`,
        `in the ${place}`,
      );
    },
  },
  {
    name: 'yes or no about notes',
    cluster,
    verbs: ['answer yes or no from {o}', 'use {o} to answer yes or no', 'read {o} and answer yes or no'],
    baseVerb: 'look in {o} and say yes or no',
    objects: NOTES,
    draw(random, level) {
      const scenes = library(random, level);
      const about = random.pick(scenes);
      const yes = random.int(2) === 0;
      const asked = { ...about };
      if (!yes) {
        if (random.int(2)) asked.color = random.pick(COLORS.filter(color => color !== about.color));
        else asked.action = random.pick(ACTIONS.filter(action => action !== about.action));
        // Another note may happen to say what this one does not.
        const again = (s: Scene) =>
          s.name === asked.name && s.action === asked.action && s.color === asked.color && s.thing === asked.thing;
        if (scenes.some(again)) return choice(write(scenes.map(note), question(asked)), 'yes', ['yes', 'no']);
      }
      return choice(write(scenes.map(note), question(asked)), yes ? 'yes' : 'no', ['yes', 'no']);
    },
  },
  {
    name: 'who is there',
    cluster,
    verbs: ['say who came last to the {p} in {o}', 'name the last one at the {p} in {o}'],
    objects: ['this story', 'the story'],
    parameters: PLACES,
    baseOnly: true,
    draw(random, level, place) {
      const moves = Array.from({ length: 2 + level }, () => [random.pick(NAMES), random.pick(PLACES)] as const);
      moves[random.int(moves.length)] = [random.pick(NAMES), place];
      return exact(
        moves.map(([who, where]) => `${who} went to the ${where}.`).join(' '),
        moves.findLast(([, where]) => where === place)![0],
      );
    },
  },
];

function question({ name, action, color, thing }: Scene): string {
  return `did ${name} ${action.base} the ${color} ${thing}?`;
}

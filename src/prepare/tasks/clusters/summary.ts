import type { Random } from '../../../base/core/index.js';
import { numberWord } from '../checkers/numbers.js';
import { wordsOf } from '../checkers/words.js';
import type { Asked, Task } from '../suite/task.js';
import { ANIMALS, between, CITIES, COLORS, DAYS, FOODS, NAMES, PLACES, plural, TOOLS } from '../suite/vocabulary.js';

const cluster = 'summary';

/** What a summary could invent. */
const THINGS = [...TOOLS, ...ANIMALS, ...FOODS];
const INVENTABLE = [...NAMES, ...COLORS, ...DAYS, ...PLACES, ...CITIES, ...THINGS, ...THINGS.map(plural)];
const NUMBERS = Array.from({ length: 9 }, (_, i) => i + 1);

type Said = [name: string, ...any: string[]];

interface Told {
  input: string;
  answer: string;
  /** What must be said, each with the texts that say it. */
  facts: readonly Said[];
  /** Words that may be said without being demanded. */
  allowed?: readonly string[];
  forbidden?: readonly string[];
  /** What must not be made up; defaults to people, colours, days, places and things. */
  vocabulary?: readonly string[];
}

function summary({ input, answer, facts, allowed = [], forbidden = [], vocabulary = INVENTABLE }: Told): Asked {
  const mayBe = new Set([...facts.flatMap(([, ...any]) => any), ...allowed].flatMap(wordsOf));
  return {
    input,
    answer,
    checker: {
      kind: 'facts',
      facts: facts.map(([name, ...any]) => ({ name, any })),
      ...(forbidden.length ? { forbidden: [...forbidden] } : {}),
      vocabulary: [...vocabulary],
      allowed: vocabulary.filter(word => wordsOf(word).every(part => mayBe.has(part))),
      maxWords: wordsOf(input).length - 1,
      strict: true,
    },
  };
}

const numeral = (name: string, value: number): Said => [name, String(value), numberWord(value)];

/** Who is to be met when and where, after one or more proposals were turned down. */
function thread(
  random: Random,
  level: number,
): { input: string; names: [string, string]; day: string; place: string; dropped: string[] } {
  const [a, b] = random.sample(NAMES, 2) as [string, string];
  const days = random.sample(DAYS, 1 + Math.min(3, Math.ceil(level / 2)));
  const [place, otherPlace] = random.sample(PLACES, 2) as [string, string];
  const moved = level > 2;
  const lines = [`${a}: shall we meet on ${days[0]} at the ${moved ? otherPlace : place}?`];
  for (const [i, day] of days.slice(1).entries()) lines.push(`${i % 2 ? a : b}: i cannot on ${days[i]}. is ${day} fine?`);
  if (moved)
    lines.push(
      `${days.length % 2 ? b : a}: yes, but not at the ${otherPlace}. the ${place} is nearer.`,
      `${days.length % 2 ? a : b}: good, see you there.`,
    );
  else lines.push(`${days.length % 2 ? b : a}: yes, see you there.`);
  return {
    input: lines.join('\n'),
    names: [a, b],
    day: days.at(-1)!,
    place,
    dropped: [...days.slice(0, -1), ...(moved ? [otherPlace] : [])],
  };
}

const THREADS = ['these messages', 'the messages'];

/** Records and threads in few words; every fact of them is checked, and none may be invented. */
export const summarisation: readonly Task[] = [
  {
    name: 'summary of order',
    cluster,
    verbs: [
      'sum up {o} in one sentence',
      'summarise {o} in one sentence',
      'write {o} as one sentence',
      'say in one sentence what {o} says',
    ],
    baseVerb: 'put {o} into one sentence',
    objects: ['this order', 'the order', 'this form', 'the form'],
    draw(random, level) {
      const [name, tool, color, day, place] = [
        random.pick(NAMES),
        random.pick(TOOLS),
        random.pick(COLORS),
        random.pick(DAYS),
        random.pick(PLACES),
      ];
      const count = between(random, 2, 9);
      const fields = [`name: ${name}`, `thing: ${tool}`, `count: ${count}`, `color: ${color}`, `day: ${day}`, `place: ${place}`];
      const shown = Math.min(6, 2 + level);
      const facts: Said[] = [
        ['name', name],
        ['thing', tool, plural(tool)],
        numeral('count', count),
        ['color', color],
        ['day', day],
        ['place', place],
      ];
      const parts = [`${name} orders ${count}`];
      if (shown > 3) parts.push(color);
      parts.push(plural(tool));
      if (shown > 4) parts.push(`on ${day}`);
      if (shown > 5) parts.push(`at the ${place}`);
      return summary({
        input: random.shuffle(fields.slice(0, shown)).join(', '),
        answer: `${parts.join(' ')}.`,
        facts: facts.slice(0, shown),
        vocabulary: [...INVENTABLE, ...NUMBERS.flatMap(n => [String(n), numberWord(n)])],
      });
    },
  },
  {
    name: 'summary of chat',
    cluster,
    verbs: ['sum up {o} in one sentence', 'say who will meet when and where after {o}', 'summarise what {o} agree on'],
    baseVerb: 'put the result of {o} into one sentence',
    objects: THREADS,
    draw(random, level) {
      const { input, names, day, place, dropped } = thread(random, level);
      return summary({
        input,
        answer: `${names[0]} and ${names[1]} meet on ${day} at the ${place}.`,
        facts: [
          ['first name', names[0]],
          ['second name', names[1]],
          ['day', day],
          ['place', place],
        ],
        forbidden: dropped,
      });
    },
  },
  {
    name: 'summary of counts',
    cluster,
    verbs: ['sum up {o} by counting', 'say how often each animal comes in {o}', 'summarise {o} in numbers'],
    baseVerb: 'put {o} into numbers',
    objects: ['this log', 'the log', 'this diary', 'the diary'],
    draw(random, level) {
      const kinds = random.sample(ANIMALS, between(random, 1, 1 + Math.ceil(level / 2)));
      const counts = kinds.map(() => between(random, 1, 2 + level));
      const seen = random.shuffle(kinds.flatMap((kind, i) => new Array<string>(counts[i]!).fill(kind)));
      const said = kinds
        .map((kind, i) => ({ kind, i, count: counts[i]!, first: seen.indexOf(kind) }))
        .sort((a, b) => a.first - b.first);
      const text = (count: number | string, kind: string) =>
        `${count} ${String(count) === '1' || count === 'one' ? kind : plural(kind)}`;
      return summary({
        input: `${seen
          .map(kind => `a ${kind} came`)
          .join(', then ')
          .replace(/\ba owl/g, 'an owl')}`,
        answer: `${said.map(({ kind, count }) => text(count, kind)).join(' and ')}.`,
        facts: said.map(
          ({ kind, count }): Said => [
            `number of ${plural(kind)}`,
            text(count, kind),
            text(numberWord(count), kind),
            ...(count === 1 ? [`${kind === 'owl' ? 'an' : 'a'} ${kind}`] : []),
          ],
        ),
        // The count of one animal said of another too.
        forbidden: said.flatMap(({ kind, count }) =>
          [...new Set(counts)].filter(other => other !== count).flatMap(n => [text(n, kind), text(numberWord(n), kind)]),
        ),
        vocabulary: [...INVENTABLE, ...NUMBERS.flatMap(n => [String(n), numberWord(n)])],
        allowed: [...said.flatMap(({ kind }) => [kind, plural(kind)]), 'one'],
      });
    },
  },
  {
    name: 'headline',
    cluster,
    verbs: ['give a headline for {o}', 'write a headline of at most seven words for {o}'],
    objects: THREADS,
    baseOnly: true,
    draw(random, level) {
      const { input, names, day, place, dropped } = thread(random, level);
      const asked = summary({
        input,
        answer: `meeting on ${day} at the ${place}`,
        facts: [
          ['day', day],
          ['place', place],
        ],
        forbidden: dropped,
        allowed: names,
      });
      return { ...asked, checker: { kind: 'words', most: 7, inner: asked.checker } };
    },
  },
];

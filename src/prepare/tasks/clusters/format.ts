import { kindOf } from '../quickstart/world.js';
import { FIELD_NAMES, note, record, scene, writeRecord } from '../suite/scenes.js';
import type { Task } from '../suite/task.js';
import { ACTIONS, between, COLORS, DAYS, KINDS, NAMES, NOUNS, PLACES, TOOLS, withArticle } from '../suite/vocabulary.js';
import type { CheckerSpec } from '../types.js';

const cluster = 'format';
const WORD = ['this word', 'the word'];
const LIMITS = ['four', 'five', 'six', 'seven', 'eight'];
const OPENINGS = ['ok', 'sure', 'well', 'right', 'hello', 'listen', 'indeed', 'friend'];

const FIELD_PAIRS = FIELD_NAMES.flatMap((a, i) => FIELD_NAMES.slice(i + 1).map(b => `${a} and ${b}`));

/** Tools: what they take, and how somebody asks for them. */
const CALLS: Readonly<Record<string, { takes: Readonly<Record<string, readonly string[]>>; asked: string }>> = {
  price: { takes: { thing: TOOLS }, asked: 'what does a {thing} cost?' },
  weather: { takes: { place: PLACES, day: DAYS }, asked: 'how is the weather at the {place} on {day}?' },
  call: { takes: { person: NAMES }, asked: 'please ring up {person}.' },
  visit: { takes: { place: PLACES, day: DAYS }, asked: 'plan a visit to the {place} on {day} for me.' },
  send: { takes: { thing: TOOLS, person: NAMES }, asked: 'let {person} have the {thing}.' },
  find: { takes: { person: NAMES }, asked: 'where is {person} now?' },
};

/** Simple questions asked under a system message that rules the form of the answer. */
function ruled(
  name: string,
  rule: (parameter: string) => string,
  form: (answer: string, parameter: string) => { answer: string; checker: CheckerSpec },
): Task {
  return {
    name,
    cluster,
    verbs: [
      'tell me what sort of thing {o} names',
      'let me know what sort of thing {o} names',
      'tell me what {o} names: animal, color, food or tool',
    ],
    objects: WORD,
    family: 'ruled',
    parameters: OPENINGS,
    few: true,
    draw(random, _level, parameter) {
      const noun = random.pick(NOUNS);
      return { input: noun, system: rule(parameter), ...form(kindOf(noun), parameter) };
    },
  };
}

const label = (answer: string): CheckerSpec => ({ kind: 'choice', answer, choices: Object.keys(KINDS) });

/** Answers in a given form: JSON, a tool call, so many words, a system message's rule. */
export const format: readonly Task[] = [
  {
    name: 'json',
    cluster,
    verbs: ['write the {p} in {o} as json', 'give the {p} in {o} as a json object', 'make json of the {p} in {o}'],
    baseVerb: 'encode the {p} in {o} as json',
    objects: ['this record', 'the record', 'this form', 'the form'],
    parameters: FIELD_PAIRS,
    draw(random, level, pair) {
      const wanted = pair.split(' and ');
      const fields = record(random, between(random, 2, 2 + level), ...wanted);
      const values = Object.fromEntries(
        wanted.map(field => {
          const value = fields.find(([name]) => name === field)![1];
          return [field, field === 'number' ? Number(value) : value];
        }),
      );
      return { input: writeRecord(fields), answer: JSON.stringify(values), checker: { kind: 'json', fields: values } };
    },
  },
  {
    name: 'tool call',
    cluster,
    verbs: ['answer {o} with a call of one of the tools', 'write the tool call for {o}', 'call the right tool for {o}'],
    baseVerb: 'hand {o} to a tool',
    objects: ['this request', 'the request', 'this wish', 'the wish'],
    draw(random, level) {
      const offered = random.sample(Object.keys(CALLS), Math.min(5, 1 + level));
      const name = random.pick(offered);
      const { takes, asked } = CALLS[name]!;
      const given = Object.fromEntries(Object.entries(takes).map(([key, values]) => [key, random.pick(values)]));
      const request = asked.replace(/\{(\w+)\}/g, (_, key: string) => given[key]!);
      const tools = offered.map(tool => `${tool}(${Object.keys(CALLS[tool]!.takes).join(', ')})`);
      return {
        input: `tools: ${tools.join(', ')}. ${request}`,
        answer: JSON.stringify({ name, arguments: given }),
        checker: { kind: 'tool', name, arguments: given },
      };
    },
  },
  {
    name: 'word limit',
    cluster,
    verbs: [
      'say in at most {p} words who did what in {o}',
      'tell who did what in {o} with no more than {p} words',
      'shorten {o} to at most {p} words that say who did what',
    ],
    baseVerb: 'boil {o} down to who did what in {p} words or fewer',
    objects: ['this note', 'the note', 'this sentence', 'the sentence'],
    parameters: LIMITS,
    draw(random, _level, limit) {
      const drawn = scene(random);
      const { name, action, color, thing, day, place } = drawn;
      const most = LIMITS.indexOf(limit) + 4;
      const answer = [`${name} ${action.past} the ${most > 4 ? `${color} ` : ''}${thing}`, most > 6 ? ` on ${day}` : ''].join('');
      const said = [
        ['doer', `${name} ${action.past}`, `${name} has ${action.participle}`, `by ${name}`],
        ['deed', action.past, action.participle],
        ['thing', thing],
      ] as const;
      return {
        input: note(drawn),
        answer,
        checker: {
          kind: 'words',
          most,
          inner: {
            kind: 'facts',
            facts: said.map(([fact, ...any]) => ({ name: fact, any })),
            vocabulary: [...NAMES, ...TOOLS, ...COLORS, ...DAYS, ...PLACES, ...ACTIONS.map(({ past }) => past)],
            allowed: [name, thing, color, day, place, action.past],
            strict: true,
          },
        },
      };
    },
  },
  ruled(
    'system opening',
    opening => `begin every answer with the word ${opening}.`,
    (answer, opening) => ({ answer: `${opening}, ${answer}`, checker: { kind: 'shape', prefix: opening, inner: label(answer) } }),
  ),
  ruled(
    'system ending',
    ending => `end every answer with the word ${ending}.`,
    (answer, ending) => ({ answer: `${answer}, ${ending}`, checker: { kind: 'shape', suffix: ending, inner: label(answer) } }),
  ),
  {
    name: 'system capitals',
    cluster,
    verbs: [
      'tell me with yes or no if {o} names {p}',
      'let me know if {o} names {p}, yes or no',
      'find out if {o} names {p}, yes or no',
    ],
    objects: WORD,
    parameters: Object.keys(KINDS),
    slots: kind => ({ p: withArticle(kind) }),
    few: true,
    draw(random, _level, kind) {
      const yes = random.int(2) === 0;
      const noun = random.pick(NOUNS.filter(other => (kindOf(other) === kind) === yes));
      const answer = yes ? 'YES' : 'NO';
      return {
        input: noun,
        system: 'answer in capital letters.',
        answer,
        checker: {
          kind: 'shape',
          letters: 'upper',
          inner: { kind: 'choice', answer: answer.toLowerCase(), choices: ['yes', 'no'] },
        },
      };
    },
  },
  {
    name: 'json list',
    cluster,
    verbs: ['write {o} as a json list', 'give {o} as a list in json'],
    objects: ['these words', 'the words'],
    baseOnly: true,
    draw(random, level) {
      const words = random.sample(NOUNS, between(random, 2, 1 + level));
      return {
        input: words.join(' '),
        answer: JSON.stringify(words),
        // Written tightly, with spaces, over several lines.
        checker: {
          kind: 'exact',
          answers: [JSON.stringify(words), ...['', ' '].map(gap => `[${gap}${words.map(w => `"${w}"`).join(', ')}${gap}]`)],
        },
      };
    },
  },
];

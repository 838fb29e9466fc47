import { kindOf } from './world.js';

/** What one question is about: a list of nouns and, for some skills, one noun more. */
export interface Question {
  words: readonly string[];
  /** The noun an instruction names besides its list: what to remove, to add, to look for. */
  parameter?: string;
}

/** Something that can be asked about a list of nouns. */
export interface Skill {
  name: string;
  /**
   * Ways to say it; `{p}` is the parameter. The first two are used in instructions. The rest occur in base worksheets
   * only, so that following them shows that tuning reaches beyond what it was shown.
   */
  verbs: readonly string[];
  /** How the parameter comes about: not at all, from the list, from the list but its last word, from the other nouns, or as the only word. */
  parameter: 'none' | 'inside' | 'not last' | 'outside' | 'only';
  /** False: it occurs in base worksheets only, never in an instruction that is trained. */
  instructed: boolean;
  /** The one right answer. */
  solve(question: Question): string;
}

const NUMBERS = ['zero', 'one', 'two', 'three', 'four'];
const join = (words: readonly (string | undefined)[]) => words.join(' ');

/** The twelve skills: ten are trained as instructions, `twice` and `second` are left to base text. */
export const SKILLS: readonly Skill[] = [
  {
    name: 'copy',
    verbs: ['repeat', 'copy', 'echo'],
    parameter: 'none',
    instructed: true,
    solve: ({ words }) => join(words),
  },
  {
    name: 'reverse',
    verbs: ['reverse', 'turn around', 'flip'],
    parameter: 'none',
    instructed: true,
    solve: ({ words }) => join([...words].reverse()),
  },
  {
    name: 'first',
    verbs: ['give the start of', 'find the head of', 'take the front of'],
    parameter: 'none',
    instructed: true,
    solve: ({ words }) => words[0]!,
  },
  {
    name: 'last',
    verbs: ['give the end of', 'find the tail of', 'take the back of'],
    parameter: 'none',
    instructed: true,
    solve: ({ words }) => words.at(-1)!,
  },
  {
    name: 'count',
    verbs: ['count', 'give the number of', 'tally'],
    parameter: 'none',
    instructed: true,
    solve: ({ words }) => NUMBERS[words.length]!,
  },
  {
    name: 'delete',
    verbs: ['remove {p} from', 'drop {p} from', 'erase {p} from'],
    parameter: 'inside',
    instructed: true,
    solve: ({ words, parameter }) => join(words.filter(word => word !== parameter)),
  },
  {
    name: 'append',
    verbs: ['add {p} after', 'put {p} behind', 'attach {p} to'],
    parameter: 'outside',
    instructed: true,
    solve: ({ words, parameter }) => join([...words, parameter]),
  },
  {
    name: 'prepend',
    verbs: ['put {p} before', 'insert {p} in front of', 'lead with {p} for'],
    parameter: 'outside',
    instructed: true,
    solve: ({ words, parameter }) => join([parameter, ...words]),
  },
  {
    name: 'after',
    verbs: ['find what follows {p} in', 'say what comes next to {p} in', 'look right of {p} in'],
    parameter: 'not last',
    instructed: true,
    solve: ({ words, parameter }) => words[words.indexOf(parameter!) + 1]!,
  },
  {
    name: 'classify',
    verbs: ['name the kind of', 'say the group of', 'sort'],
    parameter: 'only',
    instructed: true,
    solve: ({ words }) => kindOf(words[0]!),
  },
  {
    name: 'twice',
    verbs: ['double', 'say two times'],
    parameter: 'none',
    instructed: false,
    solve: ({ words }) => join([...words, ...words]),
  },
  {
    name: 'second',
    verbs: ['give the second of', 'find number two of'],
    parameter: 'none',
    instructed: false,
    solve: ({ words }) => words[1]!,
  },
];

const BY_NAME = new Map(SKILLS.map(skill => [skill.name, skill]));

/** The skill called `name`. */
export function skill(name: string): Skill {
  const found = BY_NAME.get(name);
  if (!found) throw new RangeError(`no skill is called "${name}"; there are ${[...BY_NAME.keys()].join(', ')}`);
  return found;
}

/** Whether `answer` solves the question, worked out anew. Case and the amount of white space do not count; all else does. */
export function solves(name: string, question: Question, answer: string): boolean {
  return answer.trim().toLowerCase().replace(/\s+/g, ' ') === skill(name).solve(question);
}

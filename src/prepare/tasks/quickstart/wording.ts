import { Random } from '../../../base/core/index.js';
import { type Question, SKILLS, type Skill } from './skills.js';

/** How an instruction is worded: `${prefix} ${verb} ${object} : ${words}`. */
export interface Wording {
  verb: string;
  prefix: string;
  object: string;
}

const PREFIXES = ['', 'now', 'please', 'your task :', 'can you', 'next'];
const LIST_OBJECTS = ['these words', 'the words', 'this list', 'the list', 'these things', 'the things'];
const WORD_OBJECTS = ['this word', 'the word', 'this thing', 'the thing', 'this item', 'the item'];

const HELD_OUT_SHARE = 0.25;

/** Every way to word a skill with the given verbs: verbs × 6 prefixes × 6 objects. */
export function wordings(skill: Skill, verbs: readonly string[]): Wording[] {
  const objects = skill.parameter === 'only' ? WORD_OBJECTS : LIST_OBJECTS;
  return verbs.flatMap(verb => PREFIXES.flatMap(prefix => objects.map(object => ({ verb, prefix, object }))));
}

/** The 72 wordings of an instructed skill, a fixed quarter of them kept for testing. */
export interface WordingSplit {
  trained: readonly Wording[];
  heldOut: readonly Wording[];
}

/** Skill name → its split. Fixed, like the facts: base text asks questions in trained wordings only. */
export const WORDINGS: ReadonlyMap<string, WordingSplit> = new Map(
  SKILLS.filter(skill => skill.instructed).map(skill => {
    const shuffled = new Random(`quickstart/wordings/${skill.name}`).shuffle(wordings(skill, skill.verbs.slice(0, 2)));
    const heldOut = Math.round(shuffled.length * HELD_OUT_SHARE);
    return [skill.name, { heldOut: shuffled.slice(0, heldOut), trained: shuffled.slice(heldOut) }];
  }),
);

/** `now add pen after these words : cat dog` */
export function instruction(question: Question, { verb, prefix, object }: Wording): string {
  return `${prefix ? `${prefix} ` : ''}${verbText(verb, question)} ${object} : ${question.words.join(' ')}`;
}

/** A verb with its parameter put in. */
export function verbText(verb: string, { parameter }: Question): string {
  return verb.replace('{p}', parameter ?? '');
}

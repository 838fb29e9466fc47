import { Random } from '../../../base/core/index.js';
import type { Row, TextMessage } from '../../data/index.js';
import { question } from './questions.js';
import { type Question, SKILLS, type Skill } from './skills.js';
import { instruction, WORDINGS, type Wording, wordings } from './wording.js';
import { HELD_OUT_NOUNS, TRAINED_NOUNS } from './world.js';

/** A row that knows what it asks, so that its answer can be worked out anew. */
export interface QuickstartRow extends Row {
  messages: TextMessage[];
  /** Name of the skill. */
  task: string;
  question: Question;
  wording: Wording;
}

/**
 * The ladder of held-out instructions, from near to far.
 *
 * | rung | wording | parameter | |
 * |---|---|---|---|
 * | new inputs | trained | trained | lists never trained for this task |
 * | paraphrase | **held out** | trained | a new combination of prefix, verb and object |
 * | parameters | trained | **held out** | a noun that was never the parameter of an instruction |
 * | both | **held out** | **held out** | |
 * | base-only verb | **never instructed** | trained | a verb known from base worksheets alone |
 * | base-only skill | **never instructed** | – | a skill known from base worksheets alone |
 */
export const RUNGS = ['new inputs', 'paraphrase', 'parameters', 'both', 'base-only verb', 'base-only skill'] as const;
export type Rung = (typeof RUNGS)[number];

const INSTRUCTED = SKILLS.filter(skill => skill.instructed);

/** How a rung draws a row. */
interface Draw {
  skills: readonly Skill[];
  wordings(skill: Skill): readonly Wording[];
  parameters: readonly string[];
}

const trained = (skill: Skill) => WORDINGS.get(skill.name)!.trained;
const heldOut = (skill: Skill) => WORDINGS.get(skill.name)!.heldOut;
const withParameter = INSTRUCTED.filter(skill => skill.parameter !== 'none');

const DRAWS: Record<Rung, Draw> = {
  // A classification's only input is its parameter: there are no new inputs to ask about.
  'new inputs': { skills: INSTRUCTED.filter(s => s.parameter !== 'only'), wordings: trained, parameters: TRAINED_NOUNS },
  paraphrase: { skills: INSTRUCTED, wordings: heldOut, parameters: TRAINED_NOUNS },
  parameters: { skills: withParameter, wordings: trained, parameters: HELD_OUT_NOUNS },
  both: { skills: withParameter, wordings: heldOut, parameters: HELD_OUT_NOUNS },
  'base-only verb': { skills: INSTRUCTED, wordings: s => wordings(s, s.verbs.slice(2)), parameters: TRAINED_NOUNS },
  'base-only skill': { skills: SKILLS.filter(s => !s.instructed), wordings: s => wordings(s, s.verbs), parameters: [] },
};

/** `perRung` distinct rows for every rung. */
export function ladder(perRung: number, seed: number | string): Record<Rung, QuickstartRow[]> {
  const rung = (name: Rung): [Rung, QuickstartRow[]] => {
    const random = new Random(`quickstart/${seed}/${name}`);
    const rows = new Map<string, QuickstartRow>();
    while (rows.size < perRung) {
      // Skills take turns, so that every one is asked equally often on a rung.
      const row = draw(DRAWS[name], DRAWS[name].skills[rows.size % DRAWS[name].skills.length]!, random);
      rows.set(row.messages[0]!.content, row);
    }
    return [name, [...rows.values()]];
  };
  return Object.fromEntries(RUNGS.map(rung)) as Record<Rung, QuickstartRow[]>;
}

/** `count` training rows: trained wordings and parameters, and no question of `tests` among them. */
export function instructions(
  count: number,
  seed: number | string,
  tests: Record<Rung, readonly QuickstartRow[]>,
): QuickstartRow[] {
  const random = new Random(`quickstart/${seed}/instructions`);
  const reserved = new Set(Object.values(tests).flat().map(questionKey));
  const from: Draw = { skills: INSTRUCTED, wordings: trained, parameters: TRAINED_NOUNS };
  const rows: QuickstartRow[] = [];
  while (rows.length < count) {
    const row = draw(from, random.pick(INSTRUCTED), random);
    if (!reserved.has(questionKey(row))) rows.push(row);
  }
  return rows;
}

function draw(from: Draw, skill: Skill, random: Random): QuickstartRow {
  const asked = question(skill, random, from.parameters);
  const wording = random.pick(from.wordings(skill));
  return {
    messages: [
      { role: 'user', content: instruction(asked, wording) },
      { role: 'assistant', content: skill.solve(asked) },
    ],
    task: skill.name,
    question: asked,
    wording,
  };
}

/** Equal for two rows that ask the same of the same list, however it is worded. `classify` has too few questions for that: there the wording counts. */
export function questionKey({ task, question: { words, parameter }, wording }: QuickstartRow): string {
  const worded = words.length === 1 ? `${wording.prefix} ${wording.verb} ${wording.object}` : '';
  return `${task}/${parameter ?? ''}/${words.join(' ')}/${worded}`;
}

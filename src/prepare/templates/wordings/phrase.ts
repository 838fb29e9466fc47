import { BadInput, quote, Random } from '../../../base/core/index.js';
import type { Row } from '../../data/index.js';
import { FLAN } from './flan.js';
import { T0 } from './t0.js';
import { T5 } from './t5.js';
import { TASK_FIELDS, type TaskExample, type TaskType, type WordingStyle, type Wordings } from './types.js';

const STYLES: Readonly<Record<WordingStyle, Wordings>> = { flan: FLAN, t0: T0, t5: T5 };

export interface PhraseOptions {
  /** Defaults to `flan`. */
  style?: WordingStyle;
  /** Chooses the wording, together with the example itself; defaults to 1. */
  seed?: number | string;
  /** Number of the wording to use, from 0, instead of a chosen one. */
  wording?: number;
  /** Examples with their answers that stand before the question (few-shot), in the same wording. They must be of the same type. */
  shots?: readonly TaskExample[];
}

/** The wordings of a task in a style. @throws BadInput for a style or a task there is not. */
export function wordings(style: WordingStyle, type: TaskType): readonly string[] {
  const found = STYLES[style]?.[type];
  if (found) return found;
  throw new BadInput({
    problem: `there are no wordings for ${quote(type)} in style ${quote(style)}`,
    expected: `a style of ${Object.keys(STYLES).join(', ')} and a type of ${Object.keys(TASK_FIELDS).join(', ')}`,
    fix: 'choose one of these',
  });
}

/**
 * Put a task's example into words: a row with the question as user message and the answer as assistant message. The wording
 * depends on seed and example alone, so a data set comes out the same in any order.
 *
 * ```ts
 * templates.phrase({ type: 'nli', fields: { premise, hypothesis }, options: ['yes', 'no'], answer: 'yes' }, { seed: 7 });
 * ```
 * @throws BadInput when a field is missing.
 */
export function phrase(example: TaskExample, options: PhraseOptions = {}): Row {
  const { style = 'flan', seed = 1, shots = [] } = options;
  const all = wordings(style, example.type);
  const chosen = options.wording ?? new Random(`${style}/${seed}/${JSON.stringify(example.fields)}`).int(all.length);
  const wording = all[chosen];
  if (wording === undefined) {
    throw new BadInput({
      problem: `there is no wording ${chosen} for ${example.type} in style ${style}`,
      expected: `0 to ${all.length - 1}`,
      fix: 'leave it out to have one chosen',
    });
  }
  const other = shots.find(shot => shot.type !== example.type);
  if (other) {
    throw new BadInput({
      problem: `a shot is of type ${other.type}`,
      expected: example.type,
      fix: 'show examples of the same task',
    });
  }
  const messages: Row['messages'] = [];
  for (const each of [...shots, example]) {
    messages.push({ role: 'user', content: inWords(wording, each, style) }, { role: 'assistant', content: each.answer });
  }
  return { messages, task: example.task ?? example.type, meta: { style, wording: chosen, shots: shots.length } };
}

/** Fill a wording; a line that would hold only missing options goes. */
function inWords(wording: string, { type, fields, options = [] }: TaskExample, style: WordingStyle): string {
  const missing = TASK_FIELDS[type].find(field => typeof fields[field] !== 'string');
  if (missing !== undefined) {
    throw new BadInput({
      problem: `an example of type ${type} lacks the field ${quote(missing)}`,
      expected: TASK_FIELDS[type].join(', '),
      found: Object.keys(fields).join(', ') || 'none',
      fix: 'give every field as a string',
    });
  }
  const list =
    options.length === 0 ? '' : style === 'flan' ? `OPTIONS:\n${options.map(o => `- ${o}`).join('\n')}` : orList(options);
  const form = list === '' ? wording.replace(/\n*\{options\}\??|,? \{options\}\?/g, '') : wording;
  // One pass, so that braces in a field stay what they are.
  return form.replace(/\{(\w+)\}/g, (_, key: string) => (key === 'options' ? list : fields[key]!)).trim();
}

function orList(options: readonly string[]): string {
  return options.length < 2 ? options.join('') : `${options.slice(0, -1).join(', ')} or ${options.at(-1)}`;
}

/** An instruction and its input in one of the style's wordings, chosen by seed and text. */
export function phraseInstruction(style: WordingStyle, seed: number | string, instruction: string, input: string): string {
  const fields = { instruction: style === 't5' ? instruction.replace(/[:.\s]+$/, '') : instruction, input };
  return phrase({ type: 'instruction', fields, answer: '' }, { style, seed }).messages[0]!.content as string;
}

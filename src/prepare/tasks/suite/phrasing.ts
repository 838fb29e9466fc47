import type { Task } from './task.js';

/** How an instruction is worded: `${prefix} ${verb about object}`. */
export interface Phrase {
  prefix: string;
  verb: string;
  object: string;
}

/** What an instruction may begin with. */
export const PREFIXES: readonly string[] = [
  '',
  'please',
  'now',
  'next,',
  'your task is to',
  'i want you to',
  'you should',
  'try to',
  'can you',
  'could you',
];

/** An instruction in words: `please remove pen from this list`. */
export function instructionText(task: Task, { prefix, verb, object }: Phrase, parameter: string): string {
  const order = fill(verb, { o: object, ...slotsOf(task, parameter) });
  return prefix === '' ? order : `${prefix} ${order}`;
}

/** A verb as base text shows it, its object left out or a pronoun: `remove pen from`, `write each of them two times`. */
export function bareVerb(task: Task, verb: string, parameter: string): string {
  const many = /^(?:these|both|the two)\b/.test(task.objects[0]!);
  const subject = /\b(?:what|that|if|whether) \{o\}/.test(verb);
  const pronoun = many ? (subject ? 'they' : 'them') : 'it';
  return fill(verb, { o: verb.endsWith(' {o}') ? '' : pronoun, ...slotsOf(task, parameter) });
}

function slotsOf(task: Task, parameter: string): Readonly<Record<string, string>> {
  return task.slots?.(parameter) ?? { p: parameter };
}

function fill(verb: string, slots: Readonly<Record<string, string>>): string {
  return verb
    .replace(/\{(\w)\}/g, (_, slot: string) => slots[slot] ?? '')
    .replace(/\s+/g, ' ')
    .replace(/ ([,;:])/g, '$1')
    .trim();
}

const end = (instruction: string) => (/^(?:can|could) you /.test(instruction) ? `${instruction}?` : `${instruction}.`);
const colon = (instruction: string, input: string) => `${instruction}:${input.includes('\n') ? '\n' : ' '}${input}`;

/** How instruction and input are laid out. The first five are trained; the others are a shift of style that only tests see. */
export const STYLES: Readonly<Record<string, (instruction: string, input: string) => string>> = {
  colon,
  lines: (instruction, input) => `${end(instruction)}\n${input}`,
  labelled: (instruction, input) => `${end(instruction)}\ninput: ${input}`,
  'input first': (instruction, input) => `${input}\n${end(instruction)}`,
  dashes: (instruction, input) => `${end(instruction)}\n---\n${input}\n---`,
  'question and answer': (instruction, input) => `q: ${colon(instruction, input)}\na:`,
  headings: (instruction, input) => `### task\n${instruction}\n### data\n${input}\n### result`,
  tags: (instruction, input) => `<task>${instruction}</task>\n<data>${input}</data>`,
  narrated: (instruction, input) => `here is something for you:\n${input}\nand here is what to do with it:\n${end(instruction)}`,
};

export const STYLE_NAMES: readonly string[] = Object.keys(STYLES);

/** The styles that training rows have. */
export const TRAINED_STYLES: readonly string[] = STYLE_NAMES.slice(0, 5);

/** The styles that only the rung `templates` has. */
export const HELD_OUT_STYLES: readonly string[] = STYLE_NAMES.slice(5);

/** A question and its answer as an example in a prompt. */
export interface Example {
  input: string;
  answer: string;
}

/** The input with examples before it: a line each where they fit on one. */
export function withExamples(examples: readonly Example[], input: string): string {
  if (examples.length === 0) return input;
  const long = [input, ...examples.map(example => example.input)].some(text => text.includes('\n'));
  const shown = examples.map(example =>
    long ? `input:\n${example.input}\noutput: ${example.answer}` : `${example.input} = ${example.answer}`,
  );
  return long ? `${shown.join('\n\n')}\n\ninput:\n${input}\noutput:` : `${shown.join('\n')}\n${input} =`;
}

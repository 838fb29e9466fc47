import type { Random } from '../../../base/core/index.js';
import type { CheckerSpec } from '../types.js';

/** One question: what is given, the reference answer, and how an answer is judged. */
export interface Asked {
  /** What the instruction is about: the words, the record, the passage and its question. */
  input: string;
  answer: string;
  checker: CheckerSpec;
  /** Text of a system message, for tasks about obeying one. */
  system?: string;
}

/** One kind of instruction. Adding an object of this shape to its cluster's list is all it takes to add a task. */
export interface Task {
  name: string;
  cluster: string;
  /** Ways to say it, as orders: `{o}` is the object, `{p}` the parameter (or what `slots` says). */
  verbs: readonly string[];
  /** A further way that occurs in base text only, never in a trained instruction. */
  baseVerb?: string;
  /** Names of the input: `these words`, `the words`. */
  objects: readonly string[];
  /** What the instruction names besides its input: a word to remove, a modulus. A quarter of them is never trained. */
  parameters?: readonly string[];
  /** What stands for which slot of a verb; defaults to the parameter for `{p}`. */
  slots?(parameter: string): Readonly<Record<string, string>>;
  /** Its parameters are pairs of skills: those held out are a rung of their own. */
  composition?: true;
  /** It occurs in base text only: no instruction is ever trained on it. */
  baseOnly?: true;
  /** It has so few inputs that a new question is a new wording of it. */
  few?: true;
  /** Tasks of one family share their wordings, and so which of them are held out. Defaults to the task's name. */
  family?: string;
  /** A random question. `level` runs from 1 (short, small) to 5. */
  draw(random: Random, level: number, parameter: string): Asked;
}

/** A question whose answer is one text; `others` are right as well. */
export function exact(input: string, answer: string, ...others: string[]): Asked {
  return { input, answer, checker: { kind: 'exact', answers: [answer, ...others] } };
}

/** A question whose answer is one of a few labels. */
export function choice(input: string, answer: string, choices: readonly string[]): Asked {
  return { input, answer, checker: { kind: 'choice', answer, choices: [...choices] } };
}

/** A question whose answer is a number. */
export function number(input: string, value: number, ...units: string[]): Asked {
  return { input, answer: String(value), checker: { kind: 'number', value, ...(units.length ? { units } : {}) } };
}

/** A question whose answer is words in their order. */
export function list(input: string, items: readonly string[]): Asked {
  return { input, answer: items.join(' '), checker: { kind: 'list', items: [...items], ordered: true } };
}

/** A question whose answer is words in any order. No words at all are answered `none`. */
export function set(input: string, items: readonly string[]): Asked {
  return { input, answer: items.join(' ') || 'none', checker: { kind: 'list', items: [...items], ordered: false } };
}

import type { Row, TextMessage } from '../data/index.js';

/** What a checker says about one answer. */
export interface Verdict {
  correct: boolean;
  /** Partial credit from 0 to 1; 1 exactly when the answer is correct. */
  score: number;
  /** The first thing that is wrong with the answer, in words; absent when it is correct. */
  why?: string;
}

/**
 * How an answer is judged: plain JSON, so that it travels with its row through files. Every kind folds case, white space,
 * quotes around the whole, bold marks and the closing full stop or exclamation mark, and lets an answer begin with `the answer is`, unless it says otherwise.
 */
export type CheckerSpec =
  | ExactSpec
  | ChoiceSpec
  | NumberSpec
  | ListSpec
  | JsonSpec
  | ToolSpec
  | FinalSpec
  | FactsSpec
  | RefusalSpec
  | GroundedSpec
  | WordsSpec
  | ShapeSpec;

/** One of these texts, word for word. Partial credit: the share of words in their right order. */
export interface ExactSpec {
  kind: 'exact';
  answers: string[];
}

/** One of a few labels: an answer that names another label too is wrong. */
export interface ChoiceSpec {
  kind: 'choice';
  answer: string;
  choices: string[];
}

/** A number, in digits or in words. */
export interface NumberSpec {
  kind: 'number';
  value: number;
  /** Largest difference that still counts as right. Defaults to 0. */
  tolerance?: number;
  /** Words that may follow the number, e.g. `pens`. */
  units?: string[];
}

/** Items, separated by spaces, commas, semicolons, bars, arrows, line ends, bullets, line numbers or `and`. */
export interface ListSpec {
  kind: 'list';
  items: string[];
  /** Whether the order counts. Items that stand twice must be given twice either way. */
  ordered: boolean;
}

/** A JSON object with exactly these fields, each once; a code fence around it is let pass, words around it are not. */
export interface JsonSpec {
  kind: 'json';
  fields: Record<string, string | number | boolean | string[]>;
}

/** A call of a tool as JSON: `{"name": …, "arguments": {…}}`; `<tool_call>` tags or a code fence around it are let pass. */
export interface ToolSpec {
  kind: 'tool';
  name: string;
  arguments: Record<string, string | number | boolean>;
}

/** Steps, then `answer: …` at the end. Half the credit is for the steps when the final answer is wrong or missing. */
export interface FinalSpec {
  kind: 'final';
  /** Judges what stands behind the last `answer:`. */
  inner: CheckerSpec;
  /** Texts that right steps contain, in order; they earn credit, they are not demanded. */
  steps?: string[];
}

/** Free text that must say certain things and nothing invented. Partial credit: facts said, less facts invented. */
export interface FactsSpec {
  kind: 'facts';
  /** Each fact is said when one of its texts occurs, word for word. */
  facts: { name: string; any: string[] }[];
  /** Texts that must not occur: what was taken back, what is the opposite. */
  forbidden?: string[];
  /** The words of the world a fact may be made of: one of these that the source does not hold is an invention. */
  vocabulary?: string[];
  /** Words of `vocabulary` that the source holds. */
  allowed?: string[];
  /** More words than this is a copy, not a summary. */
  maxWords?: number;
  /** Also wrong: numbers that no fact has, a denial (`not`, `never`, `no` …), a question. Defaults to false. */
  strict?: boolean;
}

/**
 * Whether the request must be refused, and not helped with all the same. One that must not be is judged by `inner`, and refusing it is
 * wrong. Told from English phrases outside quotes: a reader of every text it is not.
 */
export interface RefusalSpec {
  kind: 'refusal';
  refuse: boolean;
  /** Texts that a refusal must not give away. */
  secret?: string[];
  inner?: CheckerSpec;
}

/** A question to a passage. Without `inner` the passage does not hold the answer, and only saying so is right. */
export interface GroundedSpec {
  kind: 'grounded';
  inner?: CheckerSpec;
  /** What a fluent invention would be made of: none of it may stand in the answer to a question that has none. */
  vocabulary: string[];
}

/** A limit on words, then the answer itself. */
export interface WordsSpec {
  kind: 'words';
  least?: number;
  most?: number;
  inner: CheckerSpec;
}

/** An outer form (how the answer begins, ends, is written), then the answer inside it. */
export interface ShapeSpec {
  kind: 'shape';
  prefix?: string;
  suffix?: string;
  letters?: 'lower' | 'upper';
  /** Judges what is left without prefix and suffix. */
  inner: CheckerSpec;
}

/** A row that ends with its reference answer and carries what is needed to judge another one. */
export interface TaskRow extends Row {
  messages: TextMessage[];
  task: string;
  cluster: string;
  /** How an answer is judged; without it, an equal text up to case, white space and the closing full stop is right. */
  checker?: CheckerSpec;
}

/** Rows to train on, and tests that none of them gives away. */
export interface TaskSet {
  rows: Row[];
  /** Named held-out sets. */
  rungs: Record<string, Row[]>;
  /** Names of those rungs that "held-out accuracy" is the mean of. */
  heldOut: string[];
}

/** One thing the base text says again and again, and a probe for whether a model still knows it. */
export interface Fact {
  /** Text to be continued, e.g. `tom lives in`. */
  prompt: string;
  /** The one right continuation, e.g. `oslo`. */
  answer: string;
}

/** A task set in a world of its own: text about it for a base model, and probes for what tuning makes it forget. */
export interface World extends TaskSet {
  /** Base text, `lines` lines. An equal `stream` name gives equal text; the name `held out` is the test text's. */
  baseText(lines: number, stream?: string): string[];
  /** Base text drawn apart from the training text: the loss on it before and after tells what was forgotten. */
  heldOutText: string[];
  /** What base text says and no instruction ever asks, as prompts with one right continuation. */
  facts: readonly Fact[];
}

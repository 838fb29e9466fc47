import { BadInput, quote, Random } from '../../base/core/index.js';
import { baseText } from './base-text.js';
import { instructions, ladder, type Rung, type TaskRow } from './instructions.js';
import type { TaskSet } from './task-set.js';
import { FACTS, type Fact, HELD_OUT_NOUNS, NOUNS } from './world.js';

/** Options of {@link quickstart}. */
export interface QuickstartOptions {
  /** Chooses which lists, sentences and questions are drawn; defaults to 1. The facts of the world are always the same. */
  seed?: number;
  /** Number of training rows; defaults to 20,000. */
  rows?: number;
  /** Number of test rows on each rung; defaults to 200. */
  perRung?: number;
}

/** A small made-up world: text about it for a base model, instructions to tune on, and tests of what was learned and forgotten. */
export interface QuickstartWorld extends TaskSet {
  /** All 32 nouns; one token each in the quickstart tokenizer. */
  nouns: readonly string[];
  /** The 8 nouns that are never a parameter of a training row. */
  heldOutNouns: readonly string[];
  /** Instructions with answers, 10 tasks. */
  rows: TaskRow[];
  /** Tests from near to far: see {@link RUNGS}. */
  rungs: Record<Rung, TaskRow[]>;
  /** `paraphrase`, `parameters` and `both`: the rungs whose instructions are new. */
  heldOut: Rung[];
  /** Base text, `lines` lines. An equal `stream` name gives equal text; the name `held out` is the test text's. */
  baseText(lines: number, stream?: string): string[];
  /** 300 lines of base text drawn apart from the training text: the loss on them before and after tells what was forgotten. */
  heldOutText: string[];
  /** What base text says about people, as prompts with one right continuation. */
  facts: readonly Fact[];
}

const HELD_OUT_LINES = 300;

/**
 * The quickstart's world. Equal options give an equal world on every machine. No test question is among the training
 * rows, and no held-out wording or parameter either.
 * @throws BadInput when a count is no positive integer or too large.
 */
export function quickstart({ seed = 1, rows = 20_000, perRung = 200 }: QuickstartOptions = {}): QuickstartWorld {
  count('rows', rows, 1_000_000);
  // A rung of eight held-out nouns and eighteen held-out wordings has few classifications to ask for.
  count('perRung', perRung, 500);
  const rungs = ladder(perRung, seed);
  const text = (lines: number, stream = 'train') => baseText(lines, new Random(`quickstart/${seed}/base/${stream}`));
  return {
    nouns: NOUNS,
    heldOutNouns: HELD_OUT_NOUNS,
    rows: instructions(rows, seed, rungs),
    rungs,
    heldOut: ['paraphrase', 'parameters', 'both'],
    baseText: text,
    heldOutText: text(HELD_OUT_LINES, 'held out'),
    facts: FACTS,
  };
}

function count(key: string, value: number, most: number): void {
  if (!Number.isInteger(value) || value < 1 || value > most)
    throw new BadInput({
      problem: 'this count cannot be used',
      where: { key },
      expected: `an integer from 1 to ${most}`,
      found: quote(value),
    });
}

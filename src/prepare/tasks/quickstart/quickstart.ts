import { Random, refuseUnknown } from '../../../base/core/index.js';
import { counted } from '../names.js';
import type { World } from '../types.js';
import { baseText } from './base-text.js';
import { instructions, ladder, type QuickstartRow, type Rung } from './instructions.js';
import { FACTS, HELD_OUT_NOUNS, NOUNS } from './world.js';

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
export interface QuickstartWorld extends World {
  /** All 32 nouns; one token each in the quickstart tokenizer. */
  nouns: readonly string[];
  /** The 8 nouns that are never a parameter of a training row. */
  heldOutNouns: readonly string[];
  /** Instructions with answers, 10 tasks. */
  rows: QuickstartRow[];
  /** Tests from near to far: see {@link RUNGS}. */
  rungs: Record<Rung, QuickstartRow[]>;
  /** `paraphrase`, `parameters` and `both`: the rungs whose instructions are new. */
  heldOut: Rung[];
}

const HELD_OUT_LINES = 300;

/**
 * The quickstart's world. Equal options give an equal world on every machine. No test question is among the training
 * rows, and no held-out wording or parameter either.
 * @throws BadInput when an option is unknown, a count no positive integer or too large.
 */
export function quickstart(options: QuickstartOptions = {}): QuickstartWorld {
  refuseUnknown('tasks.quickstart', options, ['seed', 'rows', 'perRung']);
  const { seed = 1, rows = 20_000, perRung = 200 } = options;
  counted('rows', rows, 1, 1_000_000);
  // A rung of eight held-out nouns and eighteen held-out wordings has few classifications to ask for.
  counted('perRung', perRung, 1, 500);
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

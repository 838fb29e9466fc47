import { Random } from '../../../base/core/index.js';

/** The letters of rules and inputs. */
export const LETTERS = 'abcdefghijklmnop';

/** Letters of an input. */
export const INPUT_LENGTH = 8;

const PAIRS = LETTERS.length ** 2;

/** Different rules x→y with x ≠ y: 256 · 255. */
export const RULES_POSSIBLE: number = PAIRS * (PAIRS - 1);

/** A rule: its two letters `from` become the two letters `to`. */
export interface Rule {
  from: string;
  to: string;
}

function pair(index: number): string {
  return LETTERS[Math.floor(index / LETTERS.length)]! + LETTERS[index % LETTERS.length]!;
}

function ruleAt(index: number): Rule {
  const from = Math.floor(index / (PAIRS - 1));
  const to = index % (PAIRS - 1);
  // The pair that equals `from` is passed over.
  return { from: pair(from), to: pair(to < from ? to : to + 1) };
}

/** `count` different rules in random order: with an equal seed, fewer are the first of more. */
export function drawRules(count: number, seed: number | string): Rule[] {
  const random = new Random(`rewriting/${seed}/rules`);
  const drawn = new Set<number>();
  while (drawn.size < count) drawn.add(random.int(RULES_POSSIBLE));
  return [...drawn].map(ruleAt);
}

/** Eight letters in which `from` stands exactly once, so that there is one way to rewrite them. */
export function drawInput(random: Random, { from }: Rule): string {
  for (;;) {
    const letters = Array.from({ length: INPUT_LENGTH - 2 }, () => LETTERS[random.int(LETTERS.length)]!);
    letters.splice(random.int(INPUT_LENGTH - 1), 0, from);
    const text = letters.join('');
    // Counted from each place, so that `aaa` holds `aa` twice.
    if (text.indexOf(from) === text.lastIndexOf(from)) return text;
  }
}

/** The input with the rule's letters rewritten. */
export function rewritten(input: string, { from, to }: Rule): string {
  return input.replace(from, () => to);
}

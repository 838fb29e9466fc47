import type { CheckerSpec, Verdict } from '../types.js';

/** Judges an answer by a checker: what a checker judges its inner part with. */
export type Judge = (spec: CheckerSpec, answer: string) => Verdict;

/** The verdict on a right answer. */
export const RIGHT: Verdict = Object.freeze({ correct: true, score: 1 });

/** A wrong answer without credit. */
export function wrong(why: string): Verdict {
  return { correct: false, score: 0, why };
}

/** A wrong answer with partial credit; never the whole of it. */
export function partly(score: number, why: string): Verdict {
  return { correct: false, score: Math.round(Math.min(0.99, Math.max(0, score)) * 1e4) / 1e4, why };
}

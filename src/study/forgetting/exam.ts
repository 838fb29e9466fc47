import { writeFileAtomic } from '../../base/core/index.js';
import type { Ladder, MeanLoss } from '../evaluate/index.js';
import type { Memory } from './measure.js';

/** What one model was found to know at one moment: of instructions, and of its base text. */
export interface Exam {
  /** Exact match on held-out sets. */
  answers: Ladder;
  /** Loss on held-out responses. */
  loss: MeanLoss;
  /** What is left of base text. */
  memory: Memory;
}

/** One row for each exam, for a table: `examTable({ base: before, tuned: after })`. */
export function examTable(exams: Readonly<Record<string, Exam>>): Record<string, string>[] {
  const percent = (share: number) => `${(100 * share).toFixed(0)}\u00a0%`;
  return Object.entries(exams).map(([model, { answers, loss, memory }]) => ({
    model,
    ...Object.fromEntries(answers.rungs.map(({ rung, score }) => [rung, percent(score)])),
    'loss on answers': loss.loss.toFixed(2),
    'loss on base text': memory.baseLoss.toFixed(2),
    ...(memory.facts === undefined ? {} : { 'facts recalled': percent(memory.facts) }),
  }));
}

/**
 * Exams as plain figures: `examFigures({ Before: before, After: after }, ['paraphrase'])` has `heldOutBefore` (mean exact
 * match on the rungs named; default all), `heldOutLossBefore`, `baseLossBefore`, `factsBefore`, `heldOutAfter` …
 */
export function examFigures(exams: Readonly<Record<string, Exam>>, heldOut?: readonly string[]): Record<string, number> {
  return Object.fromEntries(
    Object.entries(exams).flatMap(([name, { answers, loss, memory }]): [string, number][] => [
      [`heldOut${name}`, answers.mean(heldOut)],
      [`heldOutLoss${name}`, loss.loss],
      [`baseLoss${name}`, memory.baseLoss],
      ...(memory.facts === undefined ? [] : ([[`facts${name}`, memory.facts]] as [string, number][])),
    ]),
  );
}

/** Write figures as JSON to the file that `tunebook run` reads them from (`TUNEBOOK_RESULT`); does nothing elsewhere. */
export async function publish(figures: object): Promise<void> {
  const path = process.env.TUNEBOOK_RESULT;
  if (path) await writeFileAtomic(path, JSON.stringify(figures));
}

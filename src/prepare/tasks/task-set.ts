import { contentText, type Row, split } from '../data/index.js';
import type { TaskSet } from './types.js';

/** Options of {@link fromRows}. */
export interface FromRowsOptions {
  /** Held-out rows at most; never more than a fifth of all. Defaults to 100. */
  heldOut?: number;
  /** Chooses the held-out rows; defaults to 1. */
  seed?: number;
}

/**
 * A task set from rows of your own: some are held out, and training rows with the same prompt as one of them are left
 * out, so that a score on them is about rows the model has not seen. Needs at least two rows.
 */
export function fromRows(rows: readonly Row[], { heldOut = 100, seed = 1 }: FromRowsOptions = {}): TaskSet {
  const parts = split(rows, { heldOut: Math.max(1, Math.min(heldOut, Math.floor(rows.length / 5))), seed });
  const tested = new Set(parts.heldOut.map(promptText));
  return {
    rows: parts.train.filter(row => !tested.has(promptText(row))),
    rungs: { 'held-out rows': parts.heldOut },
    heldOut: ['held-out rows'],
  };
}

/** What is asked, without the last answer. */
function promptText({ messages }: Row): string {
  return JSON.stringify(messages.slice(0, -1).map(m => [m.role, contentText(m).trim(), m.input?.trim() ?? '']));
}

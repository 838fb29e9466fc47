import { BadInput, refuseUnknown } from '../../base/core/index.js';
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
export function fromRows(rows: readonly Row[], options: FromRowsOptions = {}): TaskSet {
  refuseUnknown('tasks.fromRows', options, ['heldOut', 'seed']);
  const { heldOut = 100, seed = 1 } = options;
  const parts = split(rows, { heldOut: Math.max(1, Math.min(heldOut, Math.floor(rows.length / 5))), seed });
  const tested = new Set(parts.heldOut.map(promptText));
  const train = parts.train.filter(row => !tested.has(promptText(row)));
  if (train.length === 0)
    throw new BadInput({
      problem: 'no row is left to train',
      where: { key: 'rows' },
      expected: 'rows with different prompts',
      found: `${rows.length} rows that ask the same as the held-out ones`,
    });
  return {
    rows: train,
    rungs: { 'held-out rows': parts.heldOut },
    heldOut: ['held-out rows'],
  };
}

/** What is asked, without the last answer. */
function promptText({ messages }: Row): string {
  return JSON.stringify(messages.slice(0, -1).map(m => [m.role, contentText(m).trim(), m.input?.trim() ?? '']));
}

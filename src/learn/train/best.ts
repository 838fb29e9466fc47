import { join } from 'node:path';
import { BadInput, quote, refuseUnknown, writeFileAtomic } from '../../base/core/index.js';
import { checkNumber } from './check.js';
import { writeFolder, writeWeights } from './checkpoints/index.js';
import type { EvalResult } from './hooks.js';
import type { TrainableModel } from './types.js';

/** Which evaluation is the best. */
export interface BestOptions {
  /** A number in `run.evaluations`. Default 'heldOut', the loss of the run's own evaluation. */
  metric?: string;
  /** Whether less or more of it is better. Default 'min'. */
  mode?: 'min' | 'max';
}

/** When a run that gets no better is ended. */
export interface StopEarlyOptions extends BestOptions {
  /** Evaluations in a row without a new best. */
  patience: number;
  /** What does not lie so much beyond the best so far is none. Default 0. */
  minDelta?: number;
}

/** What the search for the best has found; plain JSON. */
export interface BestState {
  value?: number;
  step?: number;
  /** Evaluations since. */
  since: number;
}

/** Watches one number of the evaluations. */
export class BestWatch {
  readonly metric: string;
  readonly #sign: number;
  readonly #minDelta: number;
  readonly #patience: number;
  #state: BestState;

  constructor(options: BestOptions & Partial<StopEarlyOptions>, state: BestState = { since: 0 }) {
    this.metric = options.metric ?? 'heldOut';
    this.#sign = options.mode === 'max' ? -1 : 1;
    this.#minDelta = options.minDelta ?? 0;
    this.#patience = options.patience ?? Number.POSITIVE_INFINITY;
    this.#state = { ...state };
  }

  get state(): BestState {
    return { ...this.#state };
  }

  /** Take an evaluation in. Throws BadInput when it does not have the number. */
  see(step: number, found: EvalResult): { best: boolean; stop: boolean } {
    const value = found[this.metric];
    if (value === undefined)
      throw new BadInput({
        problem: 'The evaluation does not have the number that is watched',
        where: { key: this.metric },
        expected: `one of ${Object.keys(found).join(', ') || '(none: give evaluate: { rows })'}`,
        fix: 'name one of these as metric, or return it from hooks.onEval',
      });
    const { value: best } = this.#state;
    const better = best === undefined ? Number.isFinite(value) : this.#sign * (best - value) > this.#minDelta;
    this.#state = better ? { value, step, since: 0 } : { ...this.#state, since: this.#state.since + 1 };
    return { best: better, stop: this.#state.since >= this.#patience };
  }
}

/** Check `stopEarly` and `keepBest`. */
export function checkBest(
  stopEarly: StopEarlyOptions | undefined,
  keepBest: boolean | BestOptions | undefined,
): (BestOptions & Partial<StopEarlyOptions> & { keep: boolean }) | undefined {
  if (!stopEarly && !keepBest) return undefined;
  if (stopEarly) {
    refuseUnknown('stopEarly', stopEarly, ['metric', 'mode', 'patience', 'minDelta']);
    checkNumber('stopEarly.patience', stopEarly.patience, { from: 1, integer: true });
    checkNumber('stopEarly.minDelta', stopEarly.minDelta ?? 0, { from: 0 });
  }
  const own = typeof keepBest === 'object' ? keepBest : {};
  refuseUnknown('keepBest', own, ['metric', 'mode']);
  const both = { ...own, ...stopEarly };
  if (stopEarly && typeof keepBest === 'object' && (own.metric !== stopEarly.metric || own.mode !== stopEarly.mode))
    throw new BadInput({
      problem: 'stopEarly and keepBest watch different numbers',
      where: { key: 'keepBest' },
      fix: 'write keepBest: true, which watches what stopEarly watches',
    });
  if (both.mode !== undefined && both.mode !== 'min' && both.mode !== 'max')
    throw new BadInput({
      problem: 'This does not say what is better',
      where: { key: 'mode' },
      expected: "'min' or 'max'",
      found: quote(both.mode),
      fix: "write mode: 'max' for a score",
    });
  return { ...both, keep: keepBest !== undefined && keepBest !== false };
}

/**
 * Write the weights as they are into `dir/best`, in place of those there: a model folder (or its adapters, where these are
 * trained) and `best.json`, which says at what step it was and how good. Whole or not at all. Returns the folder.
 */
export async function saveBest(dir: string, model: TrainableModel, found: { step: number } & EvalResult): Promise<string> {
  return writeFolder(dir, 'best', async folder => {
    await writeWeights(model, folder);
    await writeFileAtomic(join(folder, 'best.json'), JSON.stringify(found));
  });
}

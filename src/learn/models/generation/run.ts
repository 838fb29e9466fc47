import * as tf from '@tensorflow/tfjs-core';
import { Interrupted } from '../../../base/core/index.js';
import { checkOptions, expectedCapacity, type GenerateOptions } from './options.js';
import { GeneratingRow, type Piece, startRows } from './row.js';
import { groupsOf } from './shared-beginnings.js';
import type { GenerativeModel } from './stepper.js';

/**
 * All rows at once: the prompts once in full, then one token a row and step. Yields the tokens of every step; the rows are
 * in `rows` from the beginning. Leaving the loop early frees everything.
 */
export async function* run(
  model: GenerativeModel,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
): AsyncGenerator<Piece[], GeneratingRow[]> {
  checkOptions(options, prompts.length);
  const capacity = expectedCapacity(prompts, options);
  const stepper = model.stepper({ capacity, prefix: beginning(model, prompts, options) });
  try {
    const rows = startRows(model, prompts, options, stepper.reserved);
    // Rows in hand, in the stepper's order. Finished ones are fed on, as copying the cache without them costs more, until
    // half of them are, or one is at the end of its context.
    let hand = rows.filter(row => row.finish === undefined);
    let logits: tf.Tensor2D | undefined;
    while (hand.some(row => row.finish === undefined)) {
      interrupt(options.signal, logits);
      logits ??= stepper.admit(hand.map(row => prompts[row.index]!));
      const fed: number[] = [];
      const pieces = takeTokens(logits, hand, options, fed);
      logits = undefined;
      yield pieces;
      await turn(options.signal);
      const running = hand.filter(row => row.finish === undefined);
      if (running.length === 0) break;
      interrupt(options.signal);
      if (running.length <= hand.length / 2 || hand.some(row => row.full)) {
        const kept = running.map(row => hand.indexOf(row));
        stepper.select(kept);
        hand = running;
        logits = stepper.advance(kept.map(at => fed[at]!));
      } else logits = stepper.advance(fed);
    }
    return rows;
  } finally {
    stepper.dispose();
  }
}

/** What all prompts begin with, where it pays to compute that once. */
function beginning(
  model: GenerativeModel,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
): readonly number[] | undefined {
  const [first, ...others] = groupsOf(model, prompts, options);
  return others.length === 0 && first?.shared ? prompts[0]!.slice(0, first.shared) : undefined;
}

/**
 * The next token of every row that is not finished; disposes the logits.
 * @param fed gets what the stepper is to be fed, row by row: finished rows repeat a token that changes nothing
 */
export function takeTokens(
  logits: tf.Tensor2D,
  hand: readonly GeneratingRow[],
  options: GenerateOptions,
  fed: number[],
): Piece[] {
  const pieces: Piece[] = [];
  try {
    if (GeneratingRow.greedy(options)) {
      // The choice is made where the logits are: they need not travel.
      const tokens = tf.tidy(() => tf.argMax(logits, 1).dataSync());
      hand.forEach((row, i) => {
        fed.push(tokens[i]!);
        if (row.finish === undefined) pieces.push(row.accept(tokens[i]!));
      });
      return pieces;
    }
    const vocabulary = logits.shape[1];
    const values = logits.dataSync() as Float32Array;
    hand.forEach((row, i) => {
      if (row.finish === undefined) {
        const choice = row.draw(values.subarray(i * vocabulary, (i + 1) * vocabulary));
        pieces.push(row.accept(choice.token, choice));
      }
      fed.push(row.tokens[row.tokens.length - 1]!);
    });
    return pieces;
  } finally {
    logits.dispose();
  }
}

/** Throws Interrupted when the signal is aborted. */
export function interrupt(signal: AbortSignal | undefined, logits?: tf.Tensor): void {
  if (!signal?.aborted) return;
  logits?.dispose();
  throw new Interrupted({ problem: 'Generation was stopped', cause: signal.reason });
}

/**
 * Timers, sockets and a notebook's interrupt get their turn at every token. An abort ends the wait at once: an interrupted
 * cell's timers are dropped, and what waits for one would never free its cache.
 */
export function turn(signal?: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const go = () => {
      signal?.removeEventListener('abort', go);
      resolve();
    };
    signal?.addEventListener('abort', go);
    setImmediate(go);
  });
}

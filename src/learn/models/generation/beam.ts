import { BadInput, quote } from '../../../base/core/index.js';
import { Hypotheses } from './hypotheses.js';
import { checkOptions, expectedCapacity, type GenerateOptions } from './options.js';
import type { Finish } from './row.js';
import { startRows } from './row.js';
import { interrupt, turn } from './run.js';
import type { GenerativeModel } from './stepper.js';

/** Options of {@link beamSearch}. */
export interface BeamOptions
  extends Pick<GenerateOptions, 'maxNewTokens' | 'stopIds' | 'repetitionPenalty' | 'tokenizer' | 'attentionMask' | 'signal'> {
  /** Hypotheses kept a prompt; 4 unless told. */
  numBeams?: number;
  /** A hypothesis of n new tokens scores Σ log p ÷ n^lengthPenalty; 1 unless told. Above 0 longer ones gain. */
  lengthPenalty?: number;
  /**
   * `true`: end with as many finished hypotheses as beams. `false` (the default): end when the best running one, at its present
   * length, cannot displace the worst finished one. `'never'`: end only when no running one could, at its best length.
   */
  earlyStopping?: boolean | 'never';
  /** Hypotheses returned a prompt, best first; 1 unless told, at most `numBeams`. */
  numReturnSequences?: number;
}

/** One hypothesis. */
export interface BeamHypothesis {
  /** Prompt as given and continuation (encoder–decoders: the continuation alone). */
  ids: number[];
  /** Number of new tokens. */
  newTokens: number;
  /** Σ log p of the new tokens ÷ their number ^ lengthPenalty. */
  score: number;
  finish: Finish;
  /** With a tokenizer: text of the new tokens without special tokens. */
  text?: string;
}

/**
 * Beam search as transformers does it (its `generate` with `num_beams`, `do_sample=False`), prompts independent of each
 * other: a prompt whose search is over leaves the batch.
 * @returns by prompt, the best hypotheses, best first
 */
export async function beamSearch(
  model: GenerativeModel,
  prompts: readonly (readonly number[])[],
  options: BeamOptions = {},
  given: readonly (readonly number[])[] = prompts,
): Promise<BeamHypothesis[][]> {
  checkBeamOptions(options);
  checkOptions(options, prompts.length, OWN);
  const { maxNewTokens = 64, stopIds = model.stopIds, signal, tokenizer } = options;
  const stepper = model.stepper({ capacity: expectedCapacity(prompts, options) });
  try {
    // Only for their checks and for the room that the context leaves.
    startRows(model, prompts, options, stepper.reserved);
    const context = model.config.maxPositionEmbeddings - (stepper.reserved ?? 0);
    const searches = prompts.map(prompt => {
      const before = model.startIds ?? prompt;
      const most = Math.min(maxNewTokens, context + 1 - before.length);
      return new Hypotheses(before, most, new Set(stopIds), options);
    });
    let hand = searches.filter(search => !search.over);
    let logits = hand.length > 0 ? stepper.admit(hand.map(search => prompts[searches.indexOf(search)]!)) : undefined;
    while (logits) {
      const vocabulary = logits.shape[1];
      const values = logits.dataSync() as Float32Array;
      logits.dispose();
      logits = undefined;
      const rows: number[] = [];
      const fed: number[] = [];
      let first = 0;
      for (const search of hand) {
        const count = search.rows;
        const { parents, tokens } = search.step(values.subarray(first * vocabulary, (first + count) * vocabulary), vocabulary);
        for (const parent of parents) rows.push(first + parent);
        fed.push(...tokens);
        first += count;
      }
      hand = hand.filter(search => !search.over);
      await turn(signal);
      interrupt(signal);
      if (hand.length === 0) break;
      stepper.select(rows);
      logits = stepper.advance(fed);
    }
    return searches.map((search, i) =>
      search.best(options.numReturnSequences ?? 1).map(({ tokens, score, finish }) => ({
        ids: [...(model.startIds ? [] : given[i]!), ...tokens],
        newTokens: tokens.length,
        score,
        finish,
        ...(tokenizer && { text: tokenizer.decode(tokens, { skipSpecial: true }) }),
      })),
    );
  } finally {
    stepper.dispose();
  }
}

const OWN = ['numBeams', 'lengthPenalty', 'earlyStopping', 'numReturnSequences'];
/** Options of generation that mean nothing to a search. */
const SAMPLING = ['temperature', 'topK', 'topP', 'minP', 'seed', 'stopStrings', 'logProbs', 'cachePrompts'] as const;

function checkBeamOptions(options: BeamOptions): void {
  const { numBeams = 4, numReturnSequences = 1, lengthPenalty = 1, earlyStopping = false } = options;
  const given = SAMPLING.find(key => (options as GenerateOptions)[key] !== undefined);
  if (given)
    throw new BadInput({
      problem: 'Beam search has no such option',
      where: { key: given },
      expected: [...OWN, 'maxNewTokens', 'stopIds', 'repetitionPenalty', 'tokenizer', 'attentionMask', 'signal'].join(', '),
      fix: 'leave it out, or use generate',
    });
  const refuse = (key: string, expected: string, found: unknown) => {
    throw new BadInput({ problem: 'This beam search option cannot be used', where: { key }, expected, found: quote(found) });
  };
  if (!(Number.isInteger(numBeams) && numBeams >= 1)) refuse('numBeams', 'an integer from 1', numBeams);
  if (!(Number.isInteger(numReturnSequences) && numReturnSequences >= 1 && numReturnSequences <= numBeams))
    refuse('numReturnSequences', `an integer from 1 to numBeams (${numBeams})`, numReturnSequences);
  if (!Number.isFinite(lengthPenalty)) refuse('lengthPenalty', 'a number', lengthPenalty);
  if (typeof earlyStopping !== 'boolean' && earlyStopping !== 'never')
    refuse('earlyStopping', 'true, false or "never"', earlyStopping);
}

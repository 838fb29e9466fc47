import { BadInput, quote } from '../../../base/core/index.js';
import type { SamplingOptions } from './sampling.js';
import type { TextDecoder } from './text.js';

/** Options of {@link Model.generate} and what is like it. */
export interface GenerateOptions extends SamplingOptions {
  /** Upper bound of new tokens a row; 64 unless told. The end of the model's context is another. */
  maxNewTokens?: number;
  /**
   * Seed of the sampling. Every row has its own stream of random numbers, so that a row's text does not depend on its
   * neighbours: with a number, row i takes stream i of that seed; with one number a row, row i continues as it would as
   * the only row with that seed, whatever batch it stands in.
   */
  seed?: number | readonly number[];
  /** Tokens that end a row; the model's own (`model.stopIds`) unless told. The one that ended a row is part of its ids. */
  stopIds?: readonly number[];
  /** Texts that end a row, wherever tokens begin and end; needs `tokenizer`. The text returned ends before them. */
  stopStrings?: readonly string[];
  /** Turns tokens into text: gives `texts`, pieces of text while streaming, and stop strings. */
  tokenizer?: TextDecoder;
  /**
   * Also return log-probabilities (nats) of the new tokens. `true`: log softmax(logits / temperature), the model's own
   * distribution at the sampling temperature (1 for greedy) before penalty and filters, as policy gradients want it.
   * `'processed'`: under the distribution that was drawn from, after repetition penalty, top-k, top-p and min-p.
   */
  logProbs?: boolean | 'processed';
  /**
   * Compute the beginning that prompts share (few-shot examples, a system prompt) once for all of them, where that pays; true unless told.
   * The numbers are the same to rounding.
   */
  cachePrompts?: boolean;
  /** 1 real, 0 padding; for rows that are padded. */
  attentionMask?: number[][];
  /** Ends the work between two tokens with `Interrupted`. */
  signal?: AbortSignal;
}

const KNOWN: Record<keyof GenerateOptions, true> = {
  maxNewTokens: true,
  temperature: true,
  topK: true,
  topP: true,
  minP: true,
  repetitionPenalty: true,
  seed: true,
  stopIds: true,
  stopStrings: true,
  tokenizer: true,
  logProbs: true,
  cachePrompts: true,
  attentionMask: true,
  signal: true,
};

/** Throws BadInput for an option that is not one of `known`: a slip of the pen would change nothing, unnoticed. */
function refuseUnknown(options: object, known: readonly string[]): void {
  const unknown = Object.entries(options).find(([key, value]) => value !== undefined && !known.includes(key))?.[0];
  if (unknown === undefined) return;
  throw new BadInput({
    problem: 'There is no such option of generation',
    where: { key: unknown },
    expected: known.join(', '),
    fix: unknown === 'doSample' || unknown === 'do_sample' ? 'sampling is on where temperature is above 0' : 'correct its name',
  });
}

/** Throws BadInput for options that cannot be used; `more` are known beside those of {@link GenerateOptions}. */
export function checkOptions(options: GenerateOptions, rows: number, more: readonly string[] = []): void {
  refuseUnknown(options, [...Object.keys(KNOWN), ...more]);
  const check = (key: string, value: unknown, good: (v: number) => boolean, expected: string) => {
    if (value !== undefined && !(typeof value === 'number' && good(value)))
      throw new BadInput({ problem: 'This generation option cannot be used', where: { key }, expected, found: quote(value) });
  };
  check('maxNewTokens', options.maxNewTokens, v => Number.isInteger(v) && v >= 0, 'an integer from 0');
  check('temperature', options.temperature, v => v >= 0 && v < Number.POSITIVE_INFINITY, 'a number from 0');
  check('topK', options.topK, v => Number.isInteger(v) && v >= 1, 'an integer from 1');
  check('topP', options.topP, v => v > 0 && v <= 1, 'a number above 0, at most 1');
  check('minP', options.minP, v => v >= 0 && v <= 1, 'a number from 0 to 1');
  check('repetitionPenalty', options.repetitionPenalty, v => v > 0 && v < Number.POSITIVE_INFINITY, 'a number above 0');
  const { seed, stopStrings, stopIds, tokenizer } = options;
  checkList('stopIds', stopIds, id => Number.isInteger(id), 'a list of token ids');
  checkList('stopStrings', stopStrings, text => typeof text === 'string', 'a list of texts');
  const numbers: readonly unknown[] = Array.isArray(seed) ? seed : [seed ?? 0];
  if (!numbers.every(one => typeof one === 'number' && Number.isFinite(one)))
    throw new BadInput({
      problem: 'This generation option cannot be used',
      where: { key: 'seed' },
      expected: 'a number, or one a row',
      found: quote(seed),
    });
  if (Array.isArray(seed) && seed.length !== rows)
    throw new BadInput({
      problem: 'There is not one seed a row',
      where: { key: 'seed' },
      expected: `a number, or ${rows} numbers`,
      found: `${seed.length} numbers`,
    });
  if (stopStrings?.length && !tokenizer)
    throw new BadInput({
      problem: 'Stop strings cannot be found without a tokenizer',
      where: { key: 'stopStrings' },
      fix: 'give `tokenizer` as well, or `stopIds` alone',
    });
}

function checkList(key: string, value: unknown, good: (item: unknown) => boolean, expected: string): void {
  if (value === undefined || (Array.isArray(value) && value.every(good))) return;
  throw new BadInput({ problem: 'This generation option cannot be used', where: { key }, expected, found: quote(value) });
}

/** Tokens a row is expected to have in the end: what a cache is made for. */
export function expectedCapacity(prompts: readonly (readonly number[])[], { maxNewTokens = 64 }: GenerateOptions): number {
  return prompts.reduce((most, prompt) => Math.max(most, prompt.length), 0) + maxNewTokens;
}

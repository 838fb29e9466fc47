import type { GenerateOptions } from './options.js';
import type { Finish } from './row.js';
import { run } from './run.js';
import type { GenerativeModel } from './stepper.js';

/** What {@link Model.generate} returns, row by row. */
export interface Generated {
  /** Prompt as given and continuation (encoder–decoders: the continuation alone). Rows differ in length. */
  ids: number[][];
  /** Why every row ended: at a stop token or string, or at the length asked for (or at the end of the model's context). */
  finish: Finish[];
  /** Number of new tokens: the last that many of `ids`. */
  newTokens: number[];
  /** With a tokenizer: the text of the new tokens, without special tokens and up to a stop string. */
  texts?: string[];
  /** When asked for: log-probabilities of the new tokens, in nats. */
  logProbs?: number[][];
}

/**
 * Batched generation with a key-value cache. Greedy at temperature 0 (the default), seeded sampling above. Yields to the event
 * loop at every token.
 * @param prompts rows without padding
 * @param given the same rows as the caller gave them: what the ids returned begin with
 */
export async function generate(
  model: GenerativeModel,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions = {},
  given: readonly (readonly number[])[] = prompts,
): Promise<Generated> {
  const steps = run(model, prompts, options);
  let step = await steps.next();
  while (!step.done) step = await steps.next();
  const rows = step.value;
  const result: Generated = {
    ids: rows.map(row => [...(model.startIds ? [] : given[row.index]!), ...row.tokens]),
    finish: rows.map(row => row.finish!),
    newTokens: rows.map(row => row.tokens.length),
  };
  if (options.tokenizer) result.texts = rows.map(row => row.text ?? '');
  if (options.logProbs) result.logProbs = rows.map(row => row.logProbs);
  return result;
}

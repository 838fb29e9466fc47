import type { GenerateOptions } from './options.js';
import type { Piece } from './row.js';
import { run } from './run.js';
import type { GenerativeModel } from './stepper.js';

/**
 * Generation token by token: `for await (const piece of model.stream(ids, {tokenizer}))`. The pieces of several rows come
 * step by step, in the order of the rows; `piece.text` joined is the row's text, without stop strings. Breaking out of the
 * loop frees everything. The same options give the same tokens as `generate`.
 */
export async function* stream(
  model: GenerativeModel,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions = {},
): AsyncGenerator<Piece, void> {
  for await (const pieces of run(model, prompts, options)) yield* pieces;
}

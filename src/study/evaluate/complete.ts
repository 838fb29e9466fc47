import { setView } from '../../base/core/index.js';
import { continuations, type GenerationOptions } from './generate.js';

/** A text and how the model goes on. */
export interface Completion {
  prompt: string;
  continuation: string;
}

/** Result of {@link complete}: an array that shows itself as a table. */
export class Completions extends Array<Completion> {
  // Without this, map and filter would make Completions of whatever they return.
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }
}

setView(Completions, rows => ({ kind: 'table', data: [...rows] }));

/**
 * How the model continues plain text, greedily: no template, no roles. That is all a base model can do. A continuation
 * ends at `maxNewTokens`, at the end-of-sequence token, or at one of the texts in `stop`.
 */
export async function complete(
  options: GenerationOptions & { prompts: readonly string[]; stop?: readonly string[] },
): Promise<Completions> {
  const { tokenizer, prompts, stop = [] } = options;
  // The encoder of an encoder–decoder reads whole texts, which end with EOS.
  const [before, behind] = options.model.startIds ? [undefined, tokenizer.eosId] : [tokenizer.bosId, undefined];
  const ids = prompts.map(prompt => [before ?? [], tokenizer.encodeContent(prompt).ids, behind ?? []].flat());
  const stops = { ids: tokenizer.eosId === undefined ? [] : [tokenizer.eosId], texts: [...stop] };
  const texts = await continuations(ids, stops, { label: 'continuing', ...options });
  return Completions.from(prompts.map((prompt, i) => ({ prompt, continuation: texts[i]! }))) as Completions;
}

import { Interrupted, progress } from '../../base/core/index.js';
import type { Tokenizer } from '../../prepare/tokens/index.js';
import type { AnsweringModel } from './model.js';

/** Options every function that lets a model write shares. */
export interface GenerationOptions {
  model: AnsweringModel;
  tokenizer: Tokenizer;
  /** Prompts of one forward pass; defaults to 50. */
  batchSize?: number;
  /** Longest answer in tokens; defaults to 32. */
  maxNewTokens?: number;
  /** Ends the work between two batches with `Interrupted`. */
  signal?: AbortSignal;
  /** Shown beside the progress bar. */
  label?: string;
}

/** Where an answer ends: token ids, and texts that are no token of their own. */
export interface Stops {
  ids: number[];
  texts: string[];
}

/** Greedy continuations of encoded prompts, in their order, as text without the stop. */
export async function continuations(prompts: number[][], stops: Stops, options: GenerationOptions): Promise<string[]> {
  const { model, tokenizer, batchSize = 50, maxNewTokens = 32, signal, label = 'answering' } = options;
  // Prompts of like length share a batch, so that little of it is padding.
  const order = prompts.map((_, i) => i).sort((a, b) => prompts[a]!.length - prompts[b]!.length || a - b);
  const texts = new Array<string>(prompts.length);
  const bar = progress(label, { total: prompts.length, unit: 'prompts' });
  for (let start = 0; start < order.length; start += batchSize) {
    if (signal?.aborted) throw new Interrupted({ problem: `${label} was stopped after ${start} of ${prompts.length} prompts` });
    const members = order.slice(start, start + batchSize);
    const batch = members.map(i => prompts[i]!);
    const { ids } = await model.generate(batch, { maxNewTokens, temperature: 0, stopIds: stops.ids, signal });
    for (const [k, i] of members.entries()) {
      const first = model.startIds ? 0 : batch[k]!.length;
      texts[i] = ended(ids[k]!.slice(first), stops, tokenizer);
    }
    bar.update(start + members.length);
  }
  bar.finish();
  return texts;
}

function ended(ids: number[], stops: Stops, tokenizer: Tokenizer): string {
  const end = ids.findIndex(id => stops.ids.includes(id));
  const text = tokenizer.decode(end < 0 ? ids : ids.slice(0, end), { skipSpecial: true });
  const cuts = stops.texts.map(stop => text.indexOf(stop)).filter(at => at >= 0);
  return cuts.length ? text.slice(0, Math.min(...cuts)) : text;
}

import { BadInput, Interrupted, progress } from '../../base/core/index.js';
import type { Tokenizer } from '../../prepare/tokens/index.js';
import type { AnsweringModel } from './model.js';

/** Options every function that lets a model write shares. */
export interface GenerationOptions {
  model: AnsweringModel;
  tokenizer: Tokenizer;
  /** Prompts in work at the same time; defaults to 50. Answers do not depend on it. */
  batchSize?: number;
  /** Longest answer in tokens; defaults to 32. */
  maxNewTokens?: number;
  /** Ends the work with `Interrupted`. */
  signal?: AbortSignal;
  /** Shown beside the progress bar. */
  label?: string;
}

/** Where an answer ends: token ids, and texts that are no token of their own. */
export interface Stops {
  ids: number[];
  texts: string[];
}

/**
 * Greedy continuations of encoded prompts, in their order, as text without the stop. A prompt that stands there several times is
 * answered once.
 * @param onText told of every text as it is there
 */
export async function continuations(
  prompts: readonly number[][],
  stops: Stops,
  options: GenerationOptions,
  onText?: (index: number, text: string) => void,
): Promise<string[]> {
  const { label = 'answering', tokenizer } = options;
  checkLengths(prompts, contextOf(options.model));
  const askers = new Map<string, number[]>();
  prompts.forEach((prompt, i) => {
    const key = prompt.join();
    const asking = askers.get(key);
    if (asking) asking.push(i);
    else askers.set(key, [i]);
  });
  // Prompts of like length are worked on together, so that little of a batch is padding.
  const distinct = [...askers.values()].sort((a, b) => prompts[a[0]!]!.length - prompts[b[0]!]!.length || a[0]! - b[0]!);
  const texts = new Array<string>(prompts.length);
  const bar = progress(label, { total: prompts.length, unit: 'prompts' });
  let done = 0;
  try {
    const work = options.model.continuous ? flowing : batched;
    const given = distinct.map(([first]) => prompts[first!]!);
    for await (const finished of work(given, stops, options)) {
      for (const { index, tokens } of finished) {
        const text = ended(tokens, stops, tokenizer);
        for (const i of distinct[index]!) {
          texts[i] = text;
          onText?.(i, text);
          done++;
        }
      }
      bar.update(done);
    }
  } finally {
    bar.finish();
  }
  return texts;
}

/** Tokens a model can read, prompt and answer together; those of encoder–decoders have no end. */
export function contextOf(model: AnsweringModel): number {
  return (model.startIds ? undefined : model.config?.maxPositionEmbeddings) ?? Number.POSITIVE_INFINITY;
}

/** Prompts that no model could answer, before any of them is: by their place among those given, which the model does not know. */
export function checkLengths(prompts: readonly number[][], context: number): void {
  const at = prompts.findIndex(({ length }) => length === 0 || length > context);
  if (at < 0) return;
  const { length } = prompts[at]!;
  const more = prompts.filter(prompt => prompt.length > context).length - 1;
  throw new BadInput({
    problem: length === 0 ? `prompt ${at} has no tokens` : `the prompt of row ${at} is longer than the model's context`,
    expected: length === 0 ? 'a token to go on from' : `at most ${context} tokens`,
    found: length === 0 ? 'none' : `${length}${more > 0 ? `; ${more} other prompts are too long as well` : ''}`,
    fix:
      length === 0
        ? 'ask something, or take a tokenizer with a BOS token'
        : 'leave such rows out, shorten them, or use a model with a longer context',
  });
}

type Finished = { index: number; tokens: number[] }[];

/** A prompt that ends makes room for the next. */
async function* flowing(prompts: number[][], stops: Stops, options: GenerationOptions): AsyncGenerator<Finished> {
  const { model, batchSize = 50, maxNewTokens = 32, signal } = options;
  const settings = { maxNewTokens, temperature: 0, stopIds: stops.ids, slots: batchSize, signal };
  for await (const one of model.continuous!(prompts, settings)) yield [one];
}

/** For models that know batches alone. */
async function* batched(prompts: number[][], stops: Stops, options: GenerationOptions): AsyncGenerator<Finished> {
  const { model, batchSize = 50, maxNewTokens = 32, signal, label = 'answering' } = options;
  for (let start = 0; start < prompts.length; start += batchSize) {
    if (signal?.aborted) throw new Interrupted({ problem: `${label} was stopped after ${start} of ${prompts.length} prompts` });
    const batch = prompts.slice(start, start + batchSize);
    const { ids } = await model.generate(batch, { maxNewTokens, temperature: 0, stopIds: stops.ids, signal });
    yield ids.map((row, k) => ({ index: start + k, tokens: row.slice(model.startIds ? 0 : batch[k]!.length) }));
  }
}

function ended(ids: number[], stops: Stops, tokenizer: Tokenizer): string {
  const end = ids.findIndex(id => stops.ids.includes(id));
  const text = tokenizer.decode(end < 0 ? ids : ids.slice(0, end), { skipSpecial: true });
  const cuts = stops.texts.map(stop => text.indexOf(stop)).filter(at => at >= 0);
  return cuts.length ? text.slice(0, Math.min(...cuts)) : text;
}

import { BadInput, progress, quote } from '../../../base/core/index.js';
import { checkOptions, expectedCapacity, type GenerateOptions } from './options.js';
import type { Finish, GeneratingRow } from './row.js';
import { startRows } from './row.js';
import { interrupt, takeTokens, turn } from './run.js';
import { groupsOf } from './shared-beginnings.js';
import type { GenerativeModel, Stepper } from './stepper.js';

/** Options of {@link continuous}. */
export interface ContinuousOptions extends GenerateOptions {
  /** Rows generated at the same time; 16 unless told. */
  slots?: number;
  /** Shown beside the progress bar; no bar without it. */
  label?: string;
}

/** One finished prompt. */
export interface Completion {
  /** Which of the prompts. */
  index: number;
  /** New tokens. */
  tokens: number[];
  finish: Finish;
  /** With a tokenizer. */
  text?: string;
  logProbs?: number[];
}

/**
 * Many prompts through few slots: a row that ends leaves at once and a waiting prompt takes its place, so that no row
 * waits for the longest of its batch. Every prompt gets the tokens it would get alone. Yields results as they finish;
 * breaking out of the loop frees everything.
 */
export async function* continuous(
  model: GenerativeModel,
  prompts: readonly (readonly number[])[],
  options: ContinuousOptions = {},
): AsyncGenerator<Completion, void> {
  checkOptions(options, prompts.length, ['slots', 'label']);
  const { slots = 16, label } = options;
  if (!(Number.isInteger(slots) && slots >= 1))
    throw new BadInput({
      problem: 'There must be slots for rows',
      where: { key: 'slots' },
      expected: 'an integer from 1',
      found: quote(slots),
    });
  const bar = label === undefined ? undefined : progress(label, { total: prompts.length, unit: 'prompts' });
  let done = 0;
  let rows: GeneratingRow[] | undefined;
  try {
    for (const { rows: members, shared } of groupsOf(model, prompts, options)) {
      const own = members.map(index => prompts[index]!);
      const stepper = model.stepper({ capacity: expectedCapacity(own, options), prefix: own[0]?.slice(0, shared) });
      try {
        rows ??= startRows(model, prompts, options, stepper.reserved);
        const group = members.map(index => rows![index]!);
        for await (const row of flow(stepper, prompts, group, slots, options)) {
          bar?.update(++done);
          yield completion(row, options);
        }
      } finally {
        stepper.dispose();
      }
    }
  } finally {
    bar?.finish();
  }
}

/** Rows through the slots of one stepper, as they finish. */
async function* flow(
  stepper: Stepper,
  prompts: readonly (readonly number[])[],
  rows: readonly GeneratingRow[],
  slots: number,
  options: ContinuousOptions,
): AsyncGenerator<GeneratingRow, void> {
  // The longest first, so that rows of like length share the cache and no long one is left for the end.
  const waiting = rows.toSorted((a, b) => prompts[a.index]!.length - prompts[b.index]!.length || b.index - a.index);
  let hand: GeneratingRow[] = [];
  let fed: number[] = [];
  while (hand.length > 0 || waiting.length > 0) {
    interrupt(options.signal);
    const entering: GeneratingRow[] = [];
    // A prompt's first pass costs much of a step: prompts enter together, a quarter of the slots at least.
    if (hand.length === 0 || slots - hand.length >= slots / 4)
      while (waiting.length > 0 && hand.length + entering.length < slots) entering.push(waiting.pop()!);
    const started = entering.filter(row => row.finish === undefined);
    // Rows in hand go first: those that enter come with the logits of their own first pass.
    const next: number[] = [];
    if (hand.length > 0) takeTokens(stepper.advance(fed), hand, options, next);
    if (started.length > 0) takeTokens(stepper.admit(started.map(row => prompts[row.index]!)), started, options, next);
    const all = [...hand, ...started];
    const finished = all.filter(row => row.finish !== undefined);
    if (finished.length > 0) stepper.select(all.flatMap((row, i) => (row.finish === undefined ? [i] : [])));
    fed = next.filter((_, i) => all[i]!.finish === undefined);
    hand = all.filter(row => row.finish === undefined);
    yield* [...finished, ...entering.filter(row => !started.includes(row))];
    await turn(options.signal);
  }
}

function completion(row: GeneratingRow, { logProbs, tokenizer }: GenerateOptions): Completion {
  const result: Completion = { index: row.index, tokens: row.tokens, finish: row.finish! };
  if (tokenizer) result.text = row.text ?? '';
  if (logProbs) result.logProbs = row.logProbs;
  return result;
}

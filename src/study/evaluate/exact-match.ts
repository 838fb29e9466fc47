import { BadInput, setView } from '../../base/core/index.js';
import { contentText, type Row } from '../../prepare/data/index.js';
import type { Template } from '../../prepare/templates/index.js';
import { encodePrompt, encodeSeq2SeqPrompt, stopIds } from '../../prepare/tokens/index.js';
import { continuations, type GenerationOptions } from './generate.js';

/** One scored answer. */
export interface ScoredSample {
  /** What the user asked, as in the row. */
  prompt: string;
  expected: string;
  got: string;
  correct: boolean;
  task?: string;
}

/** Share of right answers among the rows of one task. */
export interface TaskScore {
  task: string;
  n: number;
  score: number;
}

export interface ExactMatchOptions extends GenerationOptions {
  template: Template;
  /** Conversations that end with the assistant's answer, which is what is expected. */
  rows: readonly Row[];
  /** How texts are made comparable; defaults to {@link normalise}. */
  normalise?: (text: string) => string;
}

/** Lower case, single spaces, none at the ends. Punctuation counts. */
export function normalise(text: string): string {
  return text.trim().toLowerCase().replace(/\s+/g, ' ');
}

/** Result of {@link exactMatch}. */
export class Scores {
  readonly samples: readonly ScoredSample[];

  constructor(samples: readonly ScoredSample[]) {
    this.samples = samples;
  }

  /** Number of rows. */
  get n(): number {
    return this.samples.length;
  }

  /** Share of right answers, 0 to 1. */
  get score(): number {
    return this.samples.filter(sample => sample.correct).length / this.n;
  }

  /** One entry for each task, in the order the tasks first occur; rows without a task are left out. */
  get byTask(): TaskScore[] {
    const tasks = new Map<string, ScoredSample[]>();
    for (const sample of this.samples)
      if (sample.task !== undefined) tasks.set(sample.task, [...(tasks.get(sample.task) ?? []), sample]);
    return [...tasks].map(([task, samples]) => ({
      task,
      n: samples.length,
      score: samples.filter(s => s.correct).length / samples.length,
    }));
  }
}

setView(Scores, it => ({ kind: 'scores', data: { score: it.score, n: it.n, byTask: it.byTask, samples: it.samples } }));

/**
 * Let the model answer every row greedily and count the answers that equal the expected one after normalisation.
 * @throws BadInput when there are no rows or a row does not end with an assistant message.
 */
export async function exactMatch(options: ExactMatchOptions): Promise<Scores> {
  const { rows, tokenizer, template, normalise: comparable = normalise } = options;
  if (rows.length === 0)
    throw new BadInput({
      problem: 'there are no rows to score',
      where: { key: 'rows' },
      fix: 'hold some rows out with data.split',
    });
  const encode = options.model.startIds ? encodeSeq2SeqPrompt : encodePrompt;
  const prompts = rows.map((row, i) => encode(promptOf(row, i), { tokenizer, template }));
  const texts = await continuations(prompts, { ids: stopIds(template, tokenizer), texts: [] }, options);
  return new Scores(
    rows.map((row, i) => {
      const expected = contentText(row.messages.at(-1)!);
      const got = texts[i]!.trim();
      return {
        prompt: question(row),
        expected,
        got,
        correct: comparable(got) === comparable(expected),
        ...(row.task === undefined ? {} : { task: row.task }),
      };
    }),
  );
}

function promptOf(row: Row, index: number): Row['messages'] {
  if (row.messages.at(-1)?.role !== 'assistant')
    throw new BadInput({
      problem: `row ${index} does not end with an answer`,
      where: { file: row.source, line: row.line },
      expected: 'an assistant message at the end',
      found: row.messages.at(-1)?.role ?? 'no messages',
      fix: 'leave such rows out of the held-out set',
    });
  return row.messages.slice(0, -1);
}

/** The last user message with its context passage. */
function question(row: Row): string {
  const user = row.messages.findLast(message => message.role === 'user');
  return [user ? contentText(user) : '', user?.input ?? ''].filter(Boolean).join('\n');
}

import { setView } from '../../base/core/index.js';
import type { Row } from '../../prepare/data/index.js';
import type { Template } from '../../prepare/templates/index.js';
import { encodePrompt, encodeSeq2SeqPrompt, stopsOf } from '../../prepare/tokens/index.js';
import { continuations, type GenerationOptions } from './generate.js';
import { normalise } from './normalise.js';
import { answerOf, needRows, needTemplate, promptOf, question } from './questions.js';

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
  needRows(rows);
  needTemplate(template);
  const encode = options.model.startIds ? encodeSeq2SeqPrompt : encodePrompt;
  const prompts = rows.map((row, i) => encode(promptOf(row, i), { tokenizer, template }));
  const texts = await continuations(prompts, stopsOf(template, tokenizer), options);
  return new Scores(
    rows.map((row, i) => {
      const expected = answerOf(row);
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

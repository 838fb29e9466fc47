import { BadInput, Interrupted, progress, quote } from '../../base/core/index.js';
import { type TaskMatrix, taskMatrix } from './task-matrix.js';

/** Options of {@link sequence}. */
export interface SequenceOptions {
  /** Names of the tasks, in the order of training. */
  tasks: readonly string[];
  /** Train the model on one task: `task => train.sft({ model, rows: rows[task] }).finish()`. */
  train(task: string, index: number): unknown;
  /** Score of the model on one task as it is now, e.g. exact match. Higher is better. */
  score(task: string, index: number): number | Promise<number>;
  /** a*: scores of models trained on each task alone, by task, for intransigence. */
  alone?: Readonly<Record<string, number>>;
  /** Rows of scores that are there from before (after task 1, 2 …): these tasks are not trained again, the model being the one after them. */
  scores?: readonly (readonly number[])[];
  /** Scores before any training, where they are there from before. */
  untrained?: readonly number[];
  /** Called with every row of scores when it is measured; `after` is undefined for the scores before any training. */
  onScores?(scores: readonly number[], after: string | undefined): void | Promise<void>;
  signal?: AbortSignal;
}

/**
 * Train on one task after another and score all of them before the first and after each: {@link TaskMatrix}, with backward and forward
 * transfer, forgetting and intransigence.
 *
 *     await forgetting.sequence({
 *       tasks: ['reverse', 'count', 'classify'],
 *       train: task => train.sft({ model, rows: rows[task], steps: 100 }).finish(),
 *       score: async task => (await evaluate.exactMatch({ model, tokenizer, template, rows: held[task] })).score,
 *     })
 * @throws BadInput for tasks that are not different, scores that are no numbers
 */
export async function sequence(options: SequenceOptions): Promise<TaskMatrix> {
  const { tasks, signal, alone } = options;
  if (!Array.isArray(tasks) || tasks.length === 0 || new Set(tasks).size < tasks.length)
    throw new BadInput({
      problem: 'A sequence needs tasks, each with a name of its own',
      where: { key: 'tasks' },
      found: quote(tasks ?? null),
    });
  const missing = alone && tasks.find(task => !Number.isFinite(alone[task]));
  if (missing !== undefined)
    throw new BadInput({ problem: `There is no score of a model trained on ${quote(missing)} alone`, where: { key: 'alone' } });
  const scores = [...(options.scores ?? [])];
  // What is there from before must fit, or the training would be for nothing.
  const wrong = [...scores, ...(options.untrained ? [options.untrained] : [])].some(row => row?.length !== tasks.length);
  if (scores.length > tasks.length || wrong)
    throw new BadInput({
      problem: 'The scores from before are not those of this sequence',
      where: { key: 'scores' },
      expected: `at most ${tasks.length} rows of ${tasks.length} scores, one a task`,
      found: quote({ scores, untrained: options.untrained }),
    });
  const bar = progress('a sequence of tasks', { total: tasks.length, unit: 'tasks' });
  const measure = async (after: string | undefined): Promise<number[]> => {
    const found: number[] = [];
    for (const [j, task] of tasks.entries()) {
      if (signal?.aborted)
        throw new Interrupted({ problem: `the sequence was stopped after ${scores.length} of ${tasks.length} tasks` });
      const score = await options.score(task, j);
      if (!Number.isFinite(score))
        throw new BadInput({
          problem: `The score on ${quote(task)} ${after === undefined ? 'before training' : `after ${quote(after)}`} is no number`,
          where: { key: 'score' },
          found: String(score),
        });
      found.push(score);
    }
    await options.onScores?.(found, after);
    return found;
  };
  try {
    const untrained = options.untrained ?? (scores.length === 0 ? await measure(undefined) : undefined);
    for (const [i, task] of tasks.entries()) {
      if (i < scores.length) continue;
      bar.update(i, task);
      await options.train(task, i);
      scores.push(await measure(task));
    }
    return taskMatrix(scores, untrained, { tasks, ...(alone && { alone: tasks.map(task => alone[task]!) }) });
  } finally {
    bar.finish();
  }
}

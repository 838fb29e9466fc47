import { BadInput, quote, setView } from '../../base/core/index.js';

/** Options of {@link taskMatrix}. */
export interface TaskMatrixOptions {
  /** Names of the tasks in the order in which they were trained; `task 1` … unless told. */
  tasks?: readonly string[];
  /** a*: score on each task of a model trained on it alone (or on all tasks at once), for intransigence. */
  alone?: readonly number[];
}

/** What one task came to. */
export interface TaskFate {
  task: string;
  /** b: before anything was trained. */
  untrained: number | undefined;
  /** a_{j−1,j}: just before its own training. */
  before: number | undefined;
  /** a_{j,j}: just after it. */
  learned: number;
  /** a_{T,j}: at the end. */
  last: number;
  /** Best score before the last moment minus the last; undefined for the last task. */
  forgotten: number | undefined;
  /** a*_j − a_{j,j}: what a model trained for it alone has over this one. */
  intransigence: number | undefined;
}

/**
 * Scores of every task after the training on each, and the measures of continual learning that are made of them. With a_{i,j} the score on
 * task j after task i, of T, and b_j the score before any training:
 *
 *     ACC = 1/T Σ_j a_{T,j}                                BWT = 1/(T−1) Σ_{j<T} (a_{T,j} − a_{j,j})
 *     FWT = 1/(T−1) Σ_{j>1} (a_{j−1,j} − b_j)              (Lopez-Paz & Ranzato 2017)
 *     F   = 1/(T−1) Σ_{j<T} (max_{i<T} a_{i,j} − a_{T,j})  I = 1/T Σ_j (a*_j − a_{j,j})   (Chaudhry et al. 2018)
 *
 * Avalanche's `StreamBWT` after the last experience is this BWT, its `StreamForgetting` is −BWT (its first value, not its best, minus its
 * last), at most our F and equal to it where every task is best right after its training; its `StreamForwardTransfer` is this FWT. Its
 * `StreamAccuracy` is the mean over samples, equal to ACC for tasks of equal size. It has no intransigence.
 */
export class TaskMatrix {
  readonly tasks: readonly string[];
  /** `scores[i][j]`: on task j after task i; NaN where a task to come was not measured. */
  readonly scores: readonly (readonly number[])[];
  readonly untrained: readonly number[] | undefined;
  readonly alone: readonly number[] | undefined;

  constructor(scores: readonly (readonly number[])[], untrained?: readonly number[], options: TaskMatrixOptions = {}) {
    const tasks = options.tasks ?? scores.map((_, j) => `task ${j + 1}`);
    check(scores, tasks, untrained, options.alone);
    this.tasks = tasks;
    this.scores = scores.map(row => [...row]);
    this.untrained = untrained && [...untrained];
    this.alone = options.alone && [...options.alone];
  }

  /** Mean score over all tasks at the end. */
  get acc(): number {
    return mean(this.fates.map(({ last }) => last))!;
  }

  /** Backward transfer: what later tasks did to earlier ones; below 0 is forgetting. Undefined for one task. */
  get bwt(): number | undefined {
    return mean(this.fates.slice(0, -1).map(({ last, learned }) => last - learned));
  }

  /** Forward transfer: what earlier tasks did for later ones. Undefined for one task, and where tasks to come were not measured. */
  get fwt(): number | undefined {
    return mean(
      this.fates
        .slice(1)
        .map(({ before, untrained }) => (before === undefined || untrained === undefined ? undefined : before - untrained)),
    );
  }

  /** Mean forgetting: from each task's best score before the last moment to its last. Undefined for one task. */
  get forgetting(): number | undefined {
    return mean(this.fates.slice(0, -1).map(({ forgotten }) => forgotten));
  }

  /** Mean intransigence: what was not learned for the sake of what was known. Undefined without `alone`. */
  get intransigence(): number | undefined {
    return mean(this.fates.map(({ intransigence }) => intransigence));
  }

  /** One entry for each task, in the order of training. */
  get fates(): TaskFate[] {
    const { scores, untrained, alone, tasks } = this;
    const end = tasks.length - 1;
    return tasks.map((task, j) => {
      const [learned, last] = [scores[j]![j]!, scores[end]![j]!];
      const earlier = scores.slice(0, end).map(row => row[j]!);
      const before = j > 0 ? scores[j - 1]![j]! : Number.NaN;
      return {
        task,
        untrained: untrained?.[j],
        before: Number.isNaN(before) ? undefined : before,
        learned,
        last,
        forgotten: j < end ? Math.max(...earlier.filter(score => !Number.isNaN(score))) - last : undefined,
        intransigence: alone && alone[j]! - learned,
      };
    });
  }
}

setView(TaskMatrix, ({ tasks, scores, untrained }) => ({
  kind: 'taskMatrix',
  data: untrained ? { tasks, times: ['(untrained)', ...tasks], scores: [untrained, ...scores] } : { tasks, times: tasks, scores },
}));

/**
 * Measures of a sequence of tasks from scores that are there: `taskMatrix(a, b).bwt`.
 * @param a `a[i][j]`: score on task j after training on task i. Tasks to come may be NaN; there is then no forward transfer.
 * @param b scores before any training
 * @throws BadInput unless the scores are a square of finite numbers, the tasks to come aside
 */
export function taskMatrix(
  a: readonly (readonly number[])[],
  b?: readonly number[],
  options: TaskMatrixOptions = {},
): TaskMatrix {
  return new TaskMatrix(a, b, options);
}

/** Undefined where there is nothing to average, or where part of it was not measured. */
function mean(values: readonly (number | undefined)[]): number | undefined {
  if (values.length === 0 || values.includes(undefined)) return undefined;
  return (values as number[]).reduce((sum, value) => sum + value, 0) / values.length;
}

function check(
  scores: readonly (readonly number[])[],
  tasks: readonly string[],
  untrained: readonly number[] | undefined,
  alone: readonly number[] | undefined,
): void {
  const square =
    Array.isArray(scores) &&
    scores.length > 0 &&
    scores.every(row => row?.length === scores.length) &&
    tasks.length === scores.length;
  if (!square)
    throw new BadInput({
      problem: 'The scores are not those of a sequence of tasks',
      expected: 'as many rows as tasks (after training on each) with as many numbers (on each)',
      found: `${tasks?.length} tasks, ${quote(scores)}`,
    });
  scores.forEach((row, i) => {
    row.forEach((score: number, j: number) => {
      if (Number.isFinite(score) || (j > i && Number.isNaN(score))) return;
      throw new BadInput({
        problem: `The score on ${tasks[j]} after ${tasks[i]} is not a number`,
        where: { key: `scores[${i}][${j}]` },
        found: String(score),
        fix: 'measure every task that was trained by then; NaN is for tasks to come',
      });
    });
  });
  for (const [key, list] of Object.entries({ untrained, alone }))
    if (list && (list.length !== tasks.length || !list.every(Number.isFinite)))
      throw new BadInput({
        problem: `"${key}" is not one score for each task`,
        where: { key },
        expected: `${tasks.length} numbers`,
        found: quote(list),
      });
}

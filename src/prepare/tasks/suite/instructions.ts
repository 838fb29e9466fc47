import { BadInput, progress, Random } from '../../../base/core/index.js';
import { apportion } from '../../data/index.js';
import type { Phrase } from './phrasing.js';
import { drawRow, keyOf, type Span, type SuiteRow } from './rows.js';
import type { SplitTask } from './splits.js';

/** One instruction: a task, what it names, and its wording. */
export interface Instruction {
  split: SplitTask;
  parameter: string;
  phrase: Phrase;
}

/** How many different instructions the trained wordings and parameters of these tasks make. */
export function poolSize(tasks: readonly SplitTask[]): number {
  return tasks.reduce((sum, { phrases, parameters }) => sum + phrases.trained.length * parameters.trained.length, 0);
}

/**
 * `count` different instructions, the tasks in turns, so that few instructions are still many tasks. With an equal seed
 * the first hundred of a thousand are the hundred one gets for a hundred: arms of an experiment are nested.
 * @throws BadInput when the tasks have not so many.
 */
export function chooseInstructions(tasks: readonly SplitTask[], count: number, seed: number | string): Instruction[] {
  const most = poolSize(tasks);
  if (!Number.isInteger(count) || count < 1 || count > most)
    throw new BadInput({
      problem: 'there are not so many instructions',
      where: { key: 'diversity' },
      expected: `an integer from 1 to ${most}, the number of different instructions of these ${tasks.length} tasks`,
      found: String(count),
      fix: 'ask for fewer instructions, or name more tasks',
    });
  let dealers = new Random(`suite/${seed}/instructions`).shuffle(tasks).map(split => dealer(split, seed));
  const chosen: Instruction[] = [];
  while (chosen.length < count) {
    dealers = dealers.filter(next => {
      const instruction = chosen.length < count ? next() : undefined;
      if (instruction) chosen.push(instruction);
      return instruction !== undefined;
    });
  }
  return chosen;
}

/** Deals the instructions of one task in random order, each once. */
function dealer(split: SplitTask, seed: number | string): () => Instruction | undefined {
  const { task, phrases, parameters } = split;
  const random = new Random(`suite/${seed}/instructions/${task.cluster}/${task.name}`);
  const size = phrases.trained.length * parameters.trained.length;
  // A shuffle that has moved only what was dealt: large pools are never laid out.
  const moved = new Map<number, number>();
  let dealt = 0;
  return () => {
    if (dealt === size) return undefined;
    const at = dealt + random.int(size - dealt);
    const index = moved.get(at) ?? at;
    moved.set(at, moved.get(dealt) ?? dealt);
    dealt++;
    return {
      split,
      parameter: parameters.trained[index % parameters.trained.length]!,
      phrase: phrases.trained[Math.floor(index / parameters.trained.length)]!,
    };
  };
}

/** How training rows are spread over instructions: evenly, or by Zipf's law (the r-th has a share ∝ 1 ⁄ r), each at least one. */
export type Distribution = 'uniform' | 'long-tail';

/** How many of `rows` rows each of `count` instructions gets; the sum is `rows`. */
export function spread(rows: number, count: number, distribution: Distribution, key = 'diversity'): number[] {
  if (count > rows)
    throw new BadInput({
      problem: 'there are more instructions than rows',
      where: { key },
      expected: `at most ${rows}, the number of rows`,
      found: String(count),
      fix: 'ask for fewer instructions, or give more rows',
    });
  const weights = Array.from({ length: count }, (_, rank) => (distribution === 'uniform' ? 1 : 1 / (rank + 1)));
  const sum = weights.reduce((a, b) => a + b, 0);
  return apportion(
    weights.map(weight => weight / sum),
    rows - count,
  ).map(more => more + 1);
}

/** What training rows are drawn by. */
export interface TrainingPlan {
  rows: number;
  seed: number | string;
  tasks: readonly SplitTask[];
  /** The instructions to spread the rows over; without them every row draws its own. */
  instructions?: readonly Instruction[];
  distribution: Distribution;
  styles: readonly string[];
  difficulty: Span;
  shots: Span;
  /** Keys of test questions: neither asked nor shown as an example. */
  reserved: ReadonlySet<string>;
}

/** The training rows, in random order. */
export function trainingRows(plan: TrainingPlan): SuiteRow[] {
  const { rows, seed, tasks, instructions, distribution, styles, reserved } = plan;
  const random = new Random(`suite/${seed}/rows`);
  const bar = progress('making instructions', { total: rows, unit: 'rows' });
  let drawn = 0;
  const draw = (split: SplitTask, phrases: readonly Phrase[], parameters: readonly string[]): SuiteRow => {
    if (++drawn % 1000 === 0) bar.update(drawn);
    const { task } = split;
    const usable = (row: SuiteRow) => !reserved.has(keyOf(row, task.few ?? false));
    const row = drawRow(random, { task, phrases, parameters, styles }, plan, usable);
    if (row) return row;
    throw new BadInput({
      problem: `the task "${task.name}" has no question left that is not a test`,
      where: { key: 'difficulty' },
      expected: 'a difficulty at which it has more questions',
      found: JSON.stringify(plan.difficulty),
      fix: 'raise the difficulty, or ask for fewer test rows',
    });
  };
  const any = () => {
    const split = random.pick(tasks);
    return draw(split, split.phrases.trained, split.parameters.trained);
  };
  try {
    if (!instructions) return Array.from({ length: rows }, any);
    const counts = spread(rows, instructions.length, distribution);
    const made = instructions.flatMap(({ split, parameter, phrase }, i) =>
      Array.from({ length: counts[i]! }, () => draw(split, [phrase], [parameter])),
    );
    return random.shuffle(made);
  } finally {
    bar.finish();
  }
}

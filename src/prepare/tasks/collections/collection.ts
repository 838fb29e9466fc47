import { BadInput, Random, refuseUnknown } from '../../../base/core/index.js';
import { contentText, type ReadReport, type Row } from '../../data/index.js';
import { counted, named } from '../names.js';
import type { TaskRow, TaskSet } from '../types.js';
import { type CollectionExample, type CollectionFormat, FORMATS } from './formats.js';
import { readCollection } from './read.js';
import { cutCollection } from './split.js';

/** Options of {@link fromCollection}. */
export interface CollectionOptions {
  /** The collection's format; by default it is told from the rows. */
  format?: CollectionFormat;
  /** Chooses what is held out; defaults to 1. */
  seed?: number | string;
  /** Tasks held out as a whole: their names, or how many. Defaults to a fifth of the tasks where there are five or more. */
  heldOutTasks?: number | readonly string[];
  /** Training rows of a task, at most; Super-NaturalInstructions saturates at 64. Defaults to all. */
  perTask?: number;
  /** Test rows of a task on each rung, at most; and never more than a fifth of its rows. Defaults to 20. */
  perTest?: number;
  /** Solved examples in the prompt, for SuperNI: so many of the task's positive examples. Defaults to 0. */
  shots?: number;
  /** Rows whose prompt holds one of these phrases are a rung `compositions` and never trained. Defaults to `around right` for SCAN, else to none. */
  heldOutPhrases?: readonly string[];
  /** What becomes of a malformed row: `throw` (the default), or `skip`, and it is listed in {@link Collection.reports}. */
  onBad?: 'throw' | 'skip';
}

const OPTIONS = ['format', 'seed', 'heldOutTasks', 'perTask', 'perTest', 'shots', 'heldOutPhrases', 'onBad'];

/** A collection as a task set. */
export interface Collection extends TaskSet {
  rows: TaskRow[];
  /** `new inputs`, `paraphrases` (wordings or templates never trained), `compositions` and `tasks`, as far as there are any. */
  rungs: Record<string, TaskRow[]>;
  format: CollectionFormat;
  /** Every task with its number of training rows, of wordings, and whether it is held out. */
  tasks: { name: string; cluster: string; rows: number; wordings: number; heldOut: boolean }[];
  /** How each file was read: nothing was left out that is not told here. */
  reports: ReadReport[];
}

/**
 * Rows of a known collection as a task set: Super-NaturalInstructions task files (or rows of definition, inputs and targets), P3/T0 and
 * FLAN rows with their templates, instruction induction, Self-Instruct seeds, SCAN. Give a file, a folder of files, several of these, or parsed objects.
 * `const set = await tasks.fromCollection('data/superni', {perTask: 64, shots: 2})`
 * @throws BadInput for an unknown option, when nothing can be read, the format is another, a held-out task is unknown, or no task is left.
 */
export async function fromCollection(
  source: string | readonly (string | object)[],
  options: CollectionOptions = {},
): Promise<Collection> {
  refuseUnknown('tasks.fromCollection', options, OPTIONS);
  const { seed = 1, perTest = 20, perTask = Number.MAX_SAFE_INTEGER, shots = 0, heldOutTasks } = options;
  if (options.format !== undefined) named('format', [options.format], Object.keys(FORMATS));
  counted('perTest', perTest, 1, 1_000_000);
  counted('perTask', perTask, 1, Number.MAX_SAFE_INTEGER);
  counted('shots', shots, 0, 100);
  const { examples, reports, format } = await readCollection(source, { asked: options.format, shots, onBad: options.onBad });
  const names = [...new Set(examples.map(({ row }) => row.task))];
  const held = new Set(chooseTasks(names, heldOutTasks, seed));
  const phrases = options.heldOutPhrases ?? (format === 'scan' ? ['around right'] : []);
  const prompt = (row: Row) =>
    row.messages.map((m, i) => (i < row.messages.length - 1 ? `${contentText(m)}\n${m.input ?? ''}` : '')).join('\n');
  const { rows, rungs } = cutCollection(examples, {
    seed,
    heldOutTasks: held,
    perTest,
    perTask,
    heldOutExample: row => phrases.some(phrase => prompt(row).includes(phrase)),
  });
  if (rows.length === 0)
    throw new BadInput({
      problem: 'no row is left to train',
      expected: 'rows that no rung holds out',
      found: `${examples.length} rows, all of them held out`,
      fix: 'hold out fewer phrases or tasks; rows that the collection itself keeps for testing are never trained',
    });
  return {
    rows,
    rungs,
    heldOut: Object.keys(rungs).filter(name => name !== 'new inputs'),
    format,
    tasks: describe(examples, rows, held),
    reports,
  };
}

function describe(
  examples: readonly CollectionExample[],
  trained: readonly TaskRow[],
  heldOut: ReadonlySet<string>,
): Collection['tasks'] {
  const rows = new Map<string, number>();
  for (const { task } of trained) rows.set(task, (rows.get(task) ?? 0) + 1);
  const wordings = new Map<string, Set<string>>();
  const clusters = new Map<string, string>();
  for (const { row, wording, otherWordings } of examples) {
    const own = wordings.get(row.task) ?? new Set();
    for (const name of otherWordings ?? [wording]) own.add(name);
    wordings.set(row.task, own);
    clusters.set(row.task, row.cluster);
  }
  return [...clusters].map(([name, cluster]) => ({
    name,
    cluster,
    rows: rows.get(name) ?? 0,
    wordings: wordings.get(name)!.size,
    heldOut: heldOut.has(name),
  }));
}

function chooseTasks(
  names: readonly string[],
  wanted: number | readonly string[] | undefined,
  seed: number | string,
): readonly string[] {
  if (typeof wanted === 'object') {
    named('task', wanted, names);
    counted('heldOutTasks', new Set(wanted).size, 0, names.length - 1);
    return wanted;
  }
  const count = wanted ?? (names.length < 5 ? 0 : Math.round(names.length / 5));
  return new Random(`collection/${seed}/tasks`).sample(names, counted('heldOutTasks', count, 0, names.length - 1));
}

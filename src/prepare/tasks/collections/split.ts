import { Random } from '../../../base/core/index.js';
import { contentText, type Row } from '../../data/index.js';
import type { TaskRow } from '../types.js';
import type { CollectionExample } from './formats.js';

/** How a collection is cut. */
export interface Cut {
  seed: number | string;
  /** Tasks that are tests as a whole. */
  heldOutTasks: ReadonlySet<string>;
  /** Rows of each task on each rung, at most. */
  perTest: number;
  /** Training rows of each task, at most. */
  perTask: number;
  /** Whether an example is of a kind that only tests see. */
  heldOutExample(row: TaskRow): boolean;
}

/** Training rows and rungs. */
export interface Cuts {
  rows: TaskRow[];
  rungs: Record<string, TaskRow[]>;
}

const HELD_OUT_WORDINGS = 0.25;
/** Of the questions that a collection does not itself keep for testing, so many become tests. */
const HELD_OUT_QUESTIONS = 0.2;

/** Rows to train on, and rungs: `new inputs`, `paraphrases`, `compositions` and `tasks`. Empty rungs are left out. */
export function cutCollection(examples: readonly CollectionExample[], cut: Cut): Cuts {
  const byTask = new Map<string, CollectionExample[]>();
  for (const example of examples) {
    const own = byTask.get(example.row.task);
    if (own) own.push(example);
    else byTask.set(example.row.task, [example]);
  }
  const rows: TaskRow[] = [];
  const rungs: Record<string, TaskRow[]> = { 'new inputs': [], paraphrases: [], compositions: [], tasks: [] };
  for (const [task, all] of byTask) {
    const shuffled = new Random(`collection/${cut.seed}/${task}`).shuffle(all);
    if (cut.heldOutTasks.has(task)) {
      rungs.tasks!.push(...shuffled.slice(0, cut.perTest).map(({ row }) => row));
      continue;
    }
    const part = cutTask(shuffled, cut);
    rows.push(...part.rows);
    for (const [name, tests] of Object.entries(part.rungs)) rungs[name]!.push(...tests);
  }
  // A question of one task may be asked by another in the same words.
  const tested = new Set(Object.values(rungs).flat().map(promptOf));
  return {
    rows: new Random(`collection/${cut.seed}`).shuffle(rows.filter(row => !tested.has(promptOf(row)))),
    rungs: Object.fromEntries(Object.entries(rungs).filter(([, tests]) => tests.length > 0)),
  };
}

const promptOf = (row: Row) => JSON.stringify(row.messages.slice(0, -1).map(m => [contentText(m).trim(), m.input?.trim() ?? '']));

/** One task, its examples in random order. */
function cutTask(all: readonly CollectionExample[], { perTest, perTask, heldOutExample }: Cut): Cuts {
  const composed = all.filter(({ row }) => heldOutExample(row));
  const rest = all.filter(({ row }) => !heldOutExample(row));

  const wordings = [...new Set(rest.flatMap(({ wording, otherWordings }) => otherWordings ?? [wording]))];
  const held = wordings.length < 4 ? [] : wordings.slice(0, Math.round(wordings.length * HELD_OUT_WORDINGS));
  const trained = wordings.slice(held.length);
  // Where wordings can be exchanged, any example may have any of them; elsewhere an example is tied to its own.
  const free = rest.every(({ otherWordings }) => otherWordings !== undefined);

  const [fresh, rephrased] = testQuestions(rest, perTest, free && held.length > 0);
  const tested = new Set([...fresh, ...rephrased]);
  const kept = (of: ReadonlySet<string>) => rest.filter(({ question }) => of.has(question));
  const inTraining = rest.filter(({ question, test }) => !test && !tested.has(question));
  const worded = (from: readonly CollectionExample[], names: readonly string[]): TaskRow[] =>
    free
      ? from.map(({ row }, i) => withInstruction(row, names[i % names.length]!))
      : from.filter(({ wording }) => names.includes(wording)).map(({ row }) => row);
  return {
    rows: worded(inTraining, trained).slice(0, perTask),
    rungs: {
      'new inputs': worded(kept(fresh), trained).slice(0, perTest),
      paraphrases: held.length ? worded(kept(free ? rephrased : fresh), held).slice(0, perTest) : [],
      compositions: composed.slice(0, perTest).map(({ row }) => row),
    },
  };
}

/** Questions that are never trained: those the collection keeps for testing, else a fifth; on request every other one for new wordings. */
function testQuestions(rest: readonly CollectionExample[], perTest: number, halved: boolean): [Set<string>, Set<string>] {
  const all = new Set(rest.map(({ question }) => question));
  const own = new Set(rest.filter(({ test }) => test).map(({ question }) => question));
  const most = own.size || Math.floor(all.size * HELD_OUT_QUESTIONS);
  const chosen = [...(own.size ? own : all)].slice(0, Math.min(most, halved ? 2 * perTest : perTest));
  return halved
    ? [new Set(chosen.filter((_, i) => i % 2 === 0)), new Set(chosen.filter((_, i) => i % 2 === 1))]
    : [new Set(chosen), new Set()];
}

function withInstruction(row: TaskRow, instruction: string): TaskRow {
  return {
    ...row,
    messages: row.messages.map(message => (message.role === 'user' ? { ...message, content: instruction } : message)),
  };
}

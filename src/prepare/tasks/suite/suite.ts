import { BadInput, quote, Random, refuseUnknown } from '../../../base/core/index.js';
import { CLUSTERS, TASKS } from '../clusters/index.js';
import { counted, named } from '../names.js';
import { FACTS } from '../quickstart/world.js';
import type { World } from '../types.js';
import { baseText } from './base-text.js';
import { chooseInstructions, type Distribution, poolSize, trainingRows } from './instructions.js';
import { type Roster, rungRows, rungSources, SUITE_RUNGS, type SuiteRung } from './ladder.js';
import { type Phrase, TRAINED_STYLES } from './phrasing.js';
import { keyOf, type Span, type SuiteRow } from './rows.js';
import { type Parts, splitTask } from './splits.js';

/** Options of {@link suite}. */
export interface SuiteOptions {
  /** Chooses which questions are drawn; defaults to 1. Words, facts and what is held out stay the same. */
  seed?: number | string;
  /** Number of training rows, whatever the number of instructions; defaults to 20,000. */
  rows?: number;
  /** Number of test rows on each rung; defaults to 100. */
  perRung?: number;
  /** Names of tasks to train; with `clusters`, both together. Defaults to all whose cluster is not held out. */
  tasks?: readonly string[];
  /** Names of clusters to train. */
  clusters?: readonly string[];
  /** Names of clusters that only the rung `clusters` (and base text) sees. Defaults to `extraction` and `rewrite`, where they are not asked for. */
  heldOutClusters?: readonly string[];
  /** From 1 (short, small) to 5, or a span of these; defaults to [1, 3]. */
  difficulty?: Span;
  /** Solved examples in the prompt, from 0 to 8, or a span of these; defaults to 0. */
  shots?: Span;
  /** Layouts of training rows and of all rungs but `templates`; defaults to the five trained ones. */
  styles?: readonly string[];
  /** Number of different instructions (task × parameter × wording) that the training rows are spread over. Left out, every row draws its own. */
  diversity?: number;
  /** How the rows are spread over `diversity` instructions; defaults to `uniform`. */
  distribution?: Distribution;
  /** Chooses which wordings and parameters are held out; defaults to 1. */
  split?: number | string;
}

/** Generated instruction tasks with a ladder of held-out tests and a base text that shows their skills. */
export interface Suite extends World {
  rows: SuiteRow[];
  /** Tests from near to far: see {@link SUITE_RUNGS}. A rung for which the chosen tasks have nothing is absent. */
  rungs: Record<string, SuiteRow[]>;
  heldOut: SuiteRung[];
  /** Names of the trained tasks. */
  tasks: string[];
  /** Names of the held-out clusters. */
  heldOutClusters: string[];
  /** How many different instructions the trained tasks have: the largest `diversity`. */
  instructions: number;
}

const OPTIONS: readonly string[] = [
  ...['seed', 'rows', 'perRung', 'tasks', 'clusters', 'heldOutClusters', 'difficulty', 'shots', 'styles'],
  ...['diversity', 'distribution', 'split'],
];
const HELD_OUT_CLUSTERS = ['extraction', 'rewrite'];
const HELD_OUT_LINES = 300;
const HELD_OUT_RUNGS: readonly SuiteRung[] = ['paraphrases', 'parameters', 'templates', 'compositions', 'clusters'];

/**
 * The task suite. Equal options give an equal suite on every machine, and no test question, held-out wording, parameter,
 * layout, composition or cluster is among the training rows.
 * `const {rows, rungs} = tasks.suite({rows: 5000, diversity: 500})`
 * @throws BadInput when an option or a name is unknown, a cluster is both trained and held out, or a count is impossible.
 */
export function suite(options: SuiteOptions = {}): Suite {
  refuseUnknown('tasks.suite', options, OPTIONS);
  const { seed = 1, rows = 20_000, perRung = 100, diversity, distribution = 'uniform', split = 1 } = options;
  counted('rows', rows, 1, 1_000_000);
  counted('perRung', perRung, 1, 10_000);
  named('distribution', [distribution], ['uniform', 'long-tail']);
  const plan = {
    seed,
    difficulty: span('difficulty', options.difficulty ?? [1, 3], 1, 5),
    shots: span('shots', options.shots ?? 0, 0, 8),
    styles: named('style', options.styles ?? TRAINED_STYLES, TRAINED_STYLES),
  };
  counted('styles', plan.styles.length, 1, TRAINED_STYLES.length);
  const roster = chooseTasks(options, split);
  const instructions = diversity === undefined ? undefined : chooseInstructions(roster.trained, diversity, seed);

  const rungs: Record<string, SuiteRow[]> = {};
  const sources = rungSources(roster, plan.styles, instructions);
  for (const name of SUITE_RUNGS) if (sources[name].length) rungs[name] = rungRows(name, sources[name], { ...plan, perRung });

  const few = new Set(TASKS.filter(task => task.few).map(task => task.name));
  const reserved = new Set(
    Object.values(rungs)
      .flat()
      .map(row => keyOf(row, few.has(row.task))),
  );
  const baseSources = { all: [...roster.trained, ...roster.heldOut, ...roster.baseOnly], trained: roster.trained };
  const text = (lines: number, stream = 'train') =>
    baseText(counted('lines', lines, 0, 10_000_000), new Random(`suite/${seed}/base/${stream}`), baseSources);
  return {
    rows: trainingRows({ ...plan, rows, tasks: roster.trained, instructions, distribution, reserved }),
    rungs,
    heldOut: HELD_OUT_RUNGS.filter(name => rungs[name] !== undefined),
    tasks: roster.trained.map(({ task }) => task.name),
    heldOutClusters: [...new Set(roster.heldOut.map(({ task }) => task.cluster))],
    instructions: poolSize(roster.trained),
    baseText: text,
    heldOutText: text(HELD_OUT_LINES, 'held out'),
    facts: FACTS,
  };
}

/** Which tasks are trained, held out, and left to base text. */
function chooseTasks({ tasks, clusters, heldOutClusters }: SuiteOptions, split: number | string): Roster {
  const instructed = TASKS.filter(task => !task.baseOnly);
  const [wantedTasks, wantedClusters] = [
    named(
      'task',
      tasks ?? [],
      instructed.map(task => task.name),
    ),
    named('cluster', clusters ?? [], CLUSTERS),
  ];
  const all = tasks === undefined && clusters === undefined;
  const asked = (task: { name: string; cluster: string }) =>
    wantedTasks.includes(task.name) || wantedClusters.includes(task.cluster);
  const heldOut = named(
    'cluster',
    heldOutClusters ?? HELD_OUT_CLUSTERS.filter(name => !instructed.some(task => task.cluster === name && asked(task))),
    CLUSTERS,
  );
  const both = instructed.find(task => asked(task) && heldOut.includes(task.cluster));
  if (both)
    throw new BadInput({
      problem: `the cluster ${quote(both.cluster)} is both trained and held out`,
      where: { key: 'heldOutClusters' },
      expected: 'clusters that are not among the trained ones',
      found: `${quote(both.cluster)} with its task ${quote(both.name)}`,
      fix: 'take it out of one of the two',
    });
  const trained = instructed.filter(task => !heldOut.includes(task.cluster) && (all || asked(task)));
  if (trained.length === 0)
    throw new BadInput({
      problem: 'no task is left to train',
      where: { key: heldOut.length === CLUSTERS.length ? 'heldOutClusters' : 'tasks' },
      expected: 'at least one task or cluster',
      found: quote({ tasks, clusters, heldOutClusters }),
    });
  const inTrained = new Set(trained.map(task => task.cluster));
  const cut = (of: typeof TASKS) => of.map(task => splitTask(task, split));
  return {
    trained: cut(trained),
    heldOut: cut(instructed.filter(task => heldOut.includes(task.cluster))),
    baseOnly: cut(TASKS.filter(task => task.baseOnly && inTrained.has(task.cluster))),
  };
}

function span(key: string, value: Span, least: number, most: number): Span {
  const [low, high] = typeof value === 'number' ? [value, value] : value;
  counted(key, low, least, most);
  counted(key, high, low, most);
  return value;
}

/** What one task is, for a table of the suite. */
export interface TaskInfo {
  name: string;
  cluster: string;
  /** Its different instructions: wordings × parameters, trained and held out. */
  instructions: number;
  parameters: number;
  /** Whether only base text shows it. */
  baseOnly: boolean;
}

/** Every task of the suite with its number of instructions. `tasks.list().filter(t => t.cluster === 'lists')` */
export function listTasks(): TaskInfo[] {
  return TASKS.map(task => {
    const { phrases, parameters } = splitTask(task, 1);
    const count = parameters.trained.length + parameters.heldOut.length;
    return {
      name: task.name,
      cluster: task.cluster,
      instructions: count * (phrases.trained.length + phrases.heldOut.length),
      parameters: task.parameters?.length ?? 0,
      baseOnly: task.baseOnly ?? false,
    };
  });
}

/** The wordings of a task, as a suite of the same `split` trains and holds them out. `tasks.wordings('sort').heldOut` */
export function wordingsOf(name: string, split: number | string = 1): Parts<Phrase> {
  named(
    'task',
    [name],
    TASKS.map(task => task.name),
  );
  return splitTask(TASKS.find(task => task.name === name)!, split).phrases;
}

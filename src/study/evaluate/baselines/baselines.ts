import type { ColumnTable } from 'arquero';
import { BadInput, nearest, Random, refuseUnknown, setView } from '../../../base/core/index.js';
import type { Row } from '../../../prepare/data/index.js';
import { contextOf } from '../generate.js';
import type { AnsweringModel } from '../model.js';
import { answerOf, needRows } from '../questions.js';
import { judgeAnswers, type ScoreOptions, score, scorePrompts } from '../score.js';
import type { Scored } from '../scored.js';
import { ExamplePool, type FewShotOptions, fewShotPrompts } from './few-shot.js';
import { type RequestParts, requestParts, withRequest } from './parts.js';

/** Baselines there are, in the order they are shown. */
export const BASELINES = [
  'copy input',
  'random',
  'majority',
  'no instruction',
  'shuffled instruction',
  'base',
  'few-shot base',
] as const;

/**
 * What a score is held against.
 *
 * | | answers with |
 * |---|---|
 * | copy input | the row's input, as it is |
 * | random | an answer drawn from the training rows of the same task |
 * | majority | the commonest answer of those rows |
 * | no instruction | what the model says to the input alone |
 * | shuffled instruction | what the model says to the instruction of another task |
 * | base | what the untuned model says |
 * | few-shot base | what the untuned model says after examples from the training rows |
 */
export type Baseline = (typeof BASELINES)[number];

/** Options of {@link baselines}. */
export interface BaselineOptions extends Omit<ScoreOptions, 'name' | 'log'> {
  /** The model before tuning, for `base` and `few-shot base`. */
  base?: AnsweringModel;
  /** Which ones; default: all that can be made of what is given. */
  include?: readonly Baseline[];
  /** How `few-shot base` is asked. */
  fewShot?: FewShotOptions;
  /** Instruction and input of a row; default {@link requestParts}. */
  parts?: (row: Row) => RequestParts;
  /** Of the model, where it is scored already. */
  scored?: Scored;
  /** Of what is drawn; default 1. */
  seed?: number | string;
}

/** One line of {@link Baselines}. */
export interface BaselineScore {
  name: string;
  n: number;
  score: number;
  low: number;
  high: number;
}

/** Result of {@link baselines}: the model's score and what it is held against. */
export class Baselines {
  /** By name, `model` first. */
  readonly scored: ReadonlyMap<string, Scored>;
  /** What must be known to read them. */
  readonly notes: readonly string[];

  constructor(scored: ReadonlyMap<string, Scored>, notes: readonly string[] = []) {
    this.scored = scored;
    this.notes = notes;
  }

  /** One entry for the model and for each baseline, with Wilson's interval over the rows. */
  get rows(): BaselineScore[] {
    return Array.from(this.scored, ([name, { n, score, interval }]) => ({ name, n, score, ...interval }));
  }

  /** Every answer of the model and of each baseline as a row of an arquero table: `name`, and the columns of {@link Scored.table}. */
  async table(): Promise<ColumnTable> {
    const { from } = await import('arquero');
    const parts = await Promise.all(Array.from(this.scored, async ([name, scored]) => ({ name, table: await scored.table() })));
    return from(parts.flatMap(({ name, table }) => table.objects().map(row => ({ name, ...row }))));
  }

  /** The score of one of them. */
  get(name: 'model' | Baseline): Scored {
    const found = this.scored.get(name);
    if (found) return found;
    const names = [...this.scored.keys()];
    const close = nearest(name, names);
    throw new BadInput({
      problem: `there is no baseline "${name}" here`,
      expected: names.join(', '),
      ...(close ? { fix: `did you mean "${close}"?` } : {}),
    });
  }
}

setView(Baselines, it => ({
  kind: 'intervals',
  data: {
    title: 'Right answers beside the baselines',
    unit: 'share',
    rows: it.rows.map(({ name, score, low, high }) => ({ label: name, value: score, low, high, strong: name === 'model' })),
    notes: it.notes,
  },
}));

/**
 * The model's score beside what it must beat: `await evaluate.baselines({ model, base, tokenizer, template, rows, trainRows })`.
 * @throws BadInput for a baseline that is asked for and cannot be made: without `trainRows` or `base`.
 */
export async function baselines(options: BaselineOptions): Promise<Baselines> {
  const { rows, trainRows = [], base, seed = 1, parts = requestParts } = options;
  needRows(rows);
  refuseUnknown('fewShot', options.fewShot ?? {}, ['shots', 'form', 'write', 'seed']);
  const chosen = choose(options);
  const has = (name: Baseline) => chosen.includes(name);
  const judging = { rows, check: options.check, metrics: options.metrics, ...(trainRows.length > 0 ? { trainRows } : {}) };
  const asking = (name: string) => ({ ...options, ...judging, name, label: `answering: ${name}` });
  const found = new Map<string, Scored>();
  const notes: string[] = [];
  found.set('model', options.scored ?? (await score(asking('model'))));
  const judged = async (name: Baseline, answer: (row: Row, index: number) => string) => {
    if (has(name)) found.set(name, await judgeAnswers(rows.map(answer), { ...judging, name }));
  };
  const asked = async (name: Baseline, rewrite: (row: Row, index: number) => Row) => {
    if (!has(name)) return;
    // Asked otherwise, judged as the rows themselves are.
    const { samples } = await score({ ...asking(name), rows: rows.map(rewrite), metrics: [], check: () => SILENT });
    found.set(
      name,
      await judgeAnswers(
        samples.map(sample => sample.got),
        { ...judging, name },
      ),
    );
  };
  const requests = rows.map(parts);
  const pool = new ExamplePool(trainRows, seed);
  const random = new Random(`baselines/${seed}`);
  const draw = random.fork('random');
  await judged('copy input', (_, i) => requests[i]!.input || requests[i]!.instruction);
  await judged('random', row => answerOf(draw.pick(pool.like(row).rows)));
  const common = new Map<readonly Row[], string>();
  await judged('majority', row => {
    const { rows: like } = pool.like(row);
    if (!common.has(like)) common.set(like, commonest(like.map(answerOf)));
    return common.get(like)!;
  });
  await asked('no instruction', (row, i) => withRequest(row, { instruction: '', input: requests[i]!.input }));
  const others = shuffled(rows, requests, random.fork('shuffled'));
  await asked('shuffled instruction', (row, i) => withRequest(row, { ...requests[i]!, instruction: others[i]! }));
  if (has('base')) found.set('base', await score({ ...asking('base'), model: base! }));
  if (has('few-shot base')) {
    const { tokenizer, template, maxNewTokens = 32 } = options;
    const { startIds } = base!;
    const longest = contextOf(base!) - maxNewTokens;
    const made = fewShotPrompts(rows, trainRows, { seed, ...options.fewShot, tokenizer, template, startIds, longest });
    found.set('few-shot base', await scorePrompts(made.prompts, made.stops, { ...asking('few-shot base'), model: base! }));
    if (made.shortened > 0)
      notes.push(`${made.shortened} of ${rows.length} rows got fewer examples: more have no room in the model's context.`);
    if (made.elsewhere > 0)
      notes.push(`${made.elsewhere} of ${rows.length} rows got examples of another task, as their own was not trained.`);
  }
  return new Baselines(found, [...found.get('model')!.notes, ...notes]);
}

const SILENT = { correct: false, score: 0 };

function choose({ include, trainRows, base }: BaselineOptions): readonly Baseline[] {
  const trained = trainRows !== undefined && trainRows.length > 0;
  const lacks = (name: Baseline): string | undefined => {
    if (!trained && ['random', 'majority', 'few-shot base'].includes(name)) return 'trainRows';
    return !base && ['base', 'few-shot base'].includes(name) ? 'base' : undefined;
  };
  if (!include) return BASELINES.filter(name => !lacks(name));
  for (const name of include) {
    const known = BASELINES.includes(name);
    const lacking = known ? lacks(name) : undefined;
    if (known && !lacking) continue;
    const close = nearest(name, BASELINES);
    throw new BadInput({
      problem: known ? `the baseline "${name}" cannot be made` : `there is no baseline "${name}"`,
      where: { key: known ? lacking : 'include' },
      expected: known ? `"${lacking}" among the options` : BASELINES.join(', '),
      fix: known ? `give ${lacking}, or leave "${name}" out` : close ? `did you mean "${close}"?` : 'leave it out',
    });
  }
  return include;
}

/** The commonest answer; of equally common ones the first. */
function commonest(answers: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const answer of answers) counts.set(answer, (counts.get(answer) ?? 0) + 1);
  return [...counts].reduce((best, one) => (one[1] > best[1] ? one : best))[0];
}

/** For every row the instruction of a row of another task, where there is one; else of another instruction. */
function shuffled(rows: readonly Row[], requests: readonly RequestParts[], random: Random): string[] {
  const order = random.shuffle([...rows.keys()]);
  return rows.map((row, i) => {
    const from = random.int(order.length);
    const around = order.map((_, k) => order[(from + k) % order.length]!);
    const other =
      around.find(j => rows[j]!.task !== row.task) ?? around.find(j => requests[j]!.instruction !== requests[i]!.instruction);
    return requests[other ?? i]!.instruction;
  });
}

import { BadInput, quote, Random, refuseUnknown } from '../../base/core/index.js';
import type { EvalResult, Hooks } from '../../learn/train/index.js';
import type { Row } from '../../prepare/data/index.js';
import { checkLengths, contextOf } from './generate.js';
import type { AnsweringModel } from './model.js';
import { needRows, promptOf } from './questions.js';
import { promptsOf, type ScoreOptions, score } from './score.js';
import { Scored } from './scored.js';

/** What an evaluation may cost. */
export interface EvaluationBudget {
  /** Rows of one evaluation at most: always the same ones, of every task in its share. */
  rows?: number;
  /** Seconds of one evaluation, about: rows are answered in a fixed order until they are over, `batchSize` at a time. */
  seconds?: number;
}

/** Options of {@link hook}. */
export interface HookOptions extends Omit<ScoreOptions, 'model' | 'rows' | 'name' | 'log' | 'label'> {
  rows: readonly Row[];
  /** Defaults to the model of the run. */
  model?: AnsweringModel;
  /** Steps between two evaluations; without it whenever the run evaluates (`evaluateEvery`). The end always counts. */
  every?: number;
  budget?: EvaluationBudget;
  /** Begins the names of what is found; default `score`. */
  name?: string;
  /** Chooses the rows; default 1. */
  seed?: number | string;
}

/** Hooks for `train.sft` that score the model on its way. */
export interface EvaluationHook extends Hooks {
  /** Every evaluation with its answers. */
  readonly scored: readonly { step: number; scored: Scored }[];
}

const OWN = ['rows', 'model', 'every', 'budget', 'name', 'seed', 'tokenizer', 'template', 'batchSize', 'maxNewTokens'];
const JUDGING = ['signal', 'check', 'metrics', 'trainRows'];

/**
 * Score the model while it is trained: `train.sft({ …, hooks: evaluate.hook({ tokenizer, template, rows, every: 100, budget: { rows: 100 } }) })`.
 * `run.evaluations` then has `score`, the share of right answers, `score/low` and `score/high`, its 95 % interval over the rows, and
 * `score/rows`, how many were answered. For `best` and `stopEarly` give the run `evaluateEvery` instead of `every` here.
 */
export function hook(options: HookOptions): EvaluationHook {
  refuseUnknown('evaluate.hook', options, [...OWN, ...JUDGING]);
  const { rows, every, budget = {}, name = 'score', seed = 1, ...rest } = options;
  needRows(rows);
  rows.forEach(promptOf);
  refuseUnknown('budget', budget, ['rows', 'seconds']);
  check('every', every, value => Number.isInteger(value) && value >= 1, 'a whole number from 1');
  check('budget.rows', budget.rows, value => Number.isInteger(value) && value >= 1, 'a whole number from 1');
  check('budget.seconds', budget.seconds, value => value > 0, 'a number above 0');
  const order = fairOrder(rows, seed).slice(0, budget.rows ?? rows.length);
  const scored: { step: number; scored: Scored }[] = [];
  // The same hook may serve another run, which has the same steps.
  let latest: { run: object; step: number } | undefined;
  const evaluated = async (step: number, run: { model: unknown }, signal: AbortSignal | undefined): Promise<EvalResult> => {
    if (latest?.run !== run || latest.step !== step) {
      const model = modelOf(options.model ?? run.model);
      const found = await withinBudget(order, budget.seconds, { ...rest, model, signal: rest.signal ?? signal });
      scored.push({ step, scored: found });
      latest = { run, step };
    }
    const { score, n, interval } = scored.at(-1)!.scored;
    return { [name]: score, [`${name}/low`]: interval.low, [`${name}/high`]: interval.high, [`${name}/rows`]: n };
  };
  const hooks: Hooks = {
    onStart({ run }) {
      const model = modelOf(options.model ?? run.model);
      // A question that cannot be asked is told before the training, not in the middle of it.
      checkLengths(promptsOf({ ...rest, rows: order, model }), contextOf(model));
    },
    async onEval({ step }, { run, signal }) {
      if (every !== undefined && step % every !== 0 && step !== run.total) return {};
      // What onStep found at this step is told once, with all else that the run finds.
      const own = run.evaluations.findIndex(entry => entry.step === step && name in entry);
      if (own >= 0) run.evaluations.splice(own, 1);
      return evaluated(step, run, signal);
    },
  };
  if (every !== undefined)
    hooks.onStep = async ({ step }, { run, signal }) => {
      if (step % every === 0 && step !== run.total) run.evaluations.push({ step, ...(await evaluated(step, run, signal)) });
    };
  // Not among the hooks' own keys, which the run knows by name.
  return Object.defineProperty(hooks, 'scored', { value: scored }) as EvaluationHook;
}

/** Score rows in their order, a part at a time, until the seconds are over; at least one part. */
async function withinBudget(
  rows: readonly Row[],
  seconds: number | undefined,
  options: Omit<ScoreOptions, 'rows'>,
): Promise<Scored> {
  const part = seconds === undefined ? rows.length : (options.batchSize ?? 50);
  const start = performance.now();
  const samples: Scored['samples'][number][] = [];
  let leaked = 0;
  while (samples.length < rows.length) {
    const from = samples.length;
    const found = await score({ ...options, rows: rows.slice(from, from + part), label: 'scoring' });
    samples.push(...found.samples.map(sample => ({ ...sample, index: sample.index + from })));
    leaked += found.leaked;
    if (seconds !== undefined && performance.now() - start >= 1000 * seconds) break;
  }
  return new Scored('model', samples, { leaked });
}

/** Rows in a fixed random order in which every task has about its share of every beginning. */
export function fairOrder(rows: readonly Row[], seed: number | string): Row[] {
  const random = new Random(`evaluate/${seed}`);
  const tasks = new Map<string, Row[]>();
  for (const row of random.shuffle(rows)) {
    const task = row.task ?? '';
    const list = tasks.get(task);
    if (list) list.push(row);
    else tasks.set(task, [row]);
  }
  // A row's place is its share of its task that comes before it.
  const placed = [...tasks.values()].flatMap(list => list.map((row, i) => ({ row, at: (i + random.next()) / list.length })));
  return placed.sort((a, b) => a.at - b.at).map(({ row }) => row);
}

function modelOf(model: unknown): AnsweringModel {
  if (typeof (model as Partial<AnsweringModel> | undefined)?.generate === 'function') return model as AnsweringModel;
  throw new BadInput({
    problem: 'the model of this run cannot answer',
    expected: 'a model with generate(ids, options)',
    fix: 'give evaluate.hook the model',
  });
}

function check(key: string, value: number | undefined, good: (value: number) => boolean, expected: string): void {
  if (value === undefined || (typeof value === 'number' && good(value))) return;
  throw new BadInput({ problem: 'evaluate.hook cannot use this', where: { key }, expected, found: quote(value) });
}

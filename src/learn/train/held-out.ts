import { BadInput, quote, refuseUnknown } from '../../base/core/index.js';
import type { Row } from '../../prepare/data/index.js';
import { batchOf, type Tokenizer } from '../../prepare/tokens/index.js';
import { checkNumber } from './check.js';
import { countLabels } from './labels.js';
import { prepare, type RowOptions } from './rows.js';
import { isSeq2Seq, type TrainableModel, type TrainRow } from './types.js';

/** Evaluation inside a run. */
export interface EvaluateOptions {
  /** Held-out rows, by task: an object of lists, or a list whose rows may name their `task`. */
  rows: readonly (Row | TrainRow)[] | Readonly<Record<string, readonly (Row | TrainRow)[]>>;
  /** Steps between two evaluations. Default: `evaluateEvery`, else only at the end. */
  every?: number;
  /** Also before the first step. Default false. */
  atStart?: boolean;
  /** Rows at once. Default: the run's. */
  batchSize?: number;
  /** Rows of every task whose answers are generated and shown, the first ones. Default 0. */
  samples?: number;
  /** Length of those answers. Default 64. */
  maxNewTokens?: number;
}

/** What an evaluation found. */
export interface Evaluation {
  step: number;
  /** Mean loss over all labelled tokens of the held-out rows (nats per token). */
  loss: number;
  /** The same by task. */
  byTask: Record<string, number>;
  labelTokens: number;
  samples: Sample[];
}

/** An answer of the model in the middle of its training, beside the one it is to learn. Text where the run has a tokenizer, else ids. */
export interface Sample {
  step: number;
  task: string;
  prompt: string;
  expected: string;
  got: string;
}

/** Evaluates held-out rows with a run's model. */
export class HeldOut {
  readonly every: number | undefined;
  readonly atStart: boolean;
  readonly #model: TrainableModel;
  readonly #tokenizer: Tokenizer | undefined;
  readonly #tasks: ReadonlyMap<string, readonly TrainRow[]>;
  readonly #batchSize: number;
  readonly #samples: number;
  readonly #maxNewTokens: number;

  constructor(options: EvaluateOptions, run: RowOptions & { batchSize: number }) {
    if (Array.isArray(options))
      throw new BadInput({
        problem: 'The held-out rows are given in the place of the evaluation',
        where: { key: 'evaluate' },
        found: `an array of ${options.length}`,
        fix: 'write evaluate: { rows: heldOut, every: 50 }',
      });
    refuseUnknown('evaluate', options, ['rows', 'every', 'atStart', 'batchSize', 'samples', 'maxNewTokens']);
    const whole = { from: 1, integer: true };
    this.every = options.every === undefined ? undefined : checkNumber('evaluate.every', options.every, whole);
    this.atStart = options.atStart ?? false;
    this.#batchSize = checkNumber('evaluate.batchSize', options.batchSize ?? run.batchSize, whole);
    this.#samples = checkNumber('evaluate.samples', options.samples ?? 0, { from: 0, integer: true });
    this.#maxNewTokens = checkNumber('evaluate.maxNewTokens', options.maxNewTokens ?? 64, whole);
    this.#model = run.model;
    this.#tokenizer = run.tokenizer;
    this.#tasks = byTask(options.rows, { ...run, packing: undefined, promptLossWeight: undefined });
    if (this.#samples > 0 && !run.model.generate)
      throw new BadInput({
        problem: 'The model cannot generate samples',
        where: { key: 'evaluate.samples' },
        expected: 'a model with generate(ids, options)',
        found: quote(run.model.constructor.name),
        fix: 'leave samples out',
      });
  }

  /** Evaluate; undefined when `signal` was aborted on the way. */
  async evaluate(step: number, signal?: AbortSignal): Promise<Evaluation | undefined> {
    const found: Evaluation = { step, loss: 0, byTask: {}, labelTokens: 0, samples: [] };
    let numerators = 0;
    for (const [task, rows] of this.#tasks) {
      let [numerator, denominator] = [0, 0];
      for (let at = 0; at < rows.length; at += this.#batchSize) {
        // Interrupts and messages get their turn.
        await new Promise<void>(resolve => setImmediate(resolve));
        if (signal?.aborted) return undefined;
        const part = this.#lossOf(rows.slice(at, at + this.#batchSize));
        numerator += part.numerator;
        denominator += part.denominator;
      }
      found.byTask[task] = numerator / denominator;
      found.labelTokens += denominator;
      numerators += numerator;
      if (this.#samples > 0) found.samples.push(...(await this.#sample(step, task, rows.slice(0, this.#samples), signal)));
    }
    found.loss = numerators / found.labelTokens;
    return signal?.aborted ? undefined : found;
  }

  #lossOf(rows: readonly TrainRow[]): { numerator: number; denominator: number } {
    const batch = batchOf(rows);
    if (this.#model.lossSum) return this.#model.lossSum(batch);
    const { numerator, denominator, gradients } = this.#model.lossAndGradients(batch);
    const [value] = numerator.dataSync();
    numerator.dispose();
    for (const gradient of gradients) gradient.dispose();
    return { numerator: value!, denominator };
  }

  async #sample(step: number, task: string, rows: readonly TrainRow[], signal?: AbortSignal): Promise<Sample[]> {
    const seq2seq = isSeq2Seq(this.#model);
    const promptOf = (row: TrainRow) => (seq2seq ? row.ids : row.ids.slice(0, firstLabel(row)));
    const prompts = rows.map(row => [...promptOf(row)]);
    const { ids } = await this.#model.generate!(prompts, { maxNewTokens: this.#maxNewTokens, signal }).catch(error => {
      if (signal?.aborted) return { ids: prompts };
      throw error;
    });
    const text = (tokens: readonly number[]) => this.#tokenizer?.decode([...tokens], { skipSpecial: true }) ?? tokens.join(' ');
    return rows.map((row, i) => {
      const expected = row.labels.filter((id, at) => id !== -100 && (seq2seq || at > 0));
      const got = seq2seq ? ids[i]! : ids[i]!.slice(prompts[i]!.length);
      return { step, task, prompt: text(prompts[i]!), expected: text(expected), got: text(got) };
    });
  }
}

/** What predicts the first label is the end of the prompt; a row that is trained from its first token on keeps that one. */
function firstLabel({ labels }: TrainRow): number {
  const first = labels.findIndex((id, at) => at > 0 && id !== -100);
  return first < 0 ? labels.length : first;
}

function byTask(given: EvaluateOptions['rows'], options: RowOptions): Map<string, readonly TrainRow[]> {
  const tasks = new Map<string, readonly TrainRow[]>();
  // Rows without a label have no loss; a task of nothing else would have a mean of nothing.
  const labelled = (key: string, rows: unknown) =>
    prepare(key, rows, options).rows.filter(row => countLabels(row, isSeq2Seq(options.model)) > 0);
  if (!Array.isArray(given)) {
    for (const [task, rows] of Object.entries(given ?? {})) tasks.set(task, labelled(`evaluate.rows.${task}`, rows));
    if (tasks.size > 0) return tasks;
  }
  for (const row of labelled('evaluate.rows', given)) {
    const task = row.task ?? 'rows';
    tasks.set(task, [...(tasks.get(task) ?? []), row]);
  }
  return tasks;
}

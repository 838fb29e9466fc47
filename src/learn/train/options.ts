import { BadInput, type ErrorParts, quote } from '../../base/core/index.js';
import type { Row } from '../../prepare/data/index.js';
import type { Template } from '../../prepare/templates/index.js';
import { type EncodeSummary, encodeRows, type Tokenizer } from '../../prepare/tokens/index.js';
import { checkNumber, refuseUnknown } from './check.js';
import type { CheckpointOptions } from './checkpoint.js';
import type { Hooks } from './hooks.js';
import { adamw } from './optimizers/adamw.js';
import { sgd } from './optimizers/sgd.js';
import { constant, cosine, linear, type Schedule, type ScheduleName } from './schedules.js';
import { countLabels } from './step.js';
import type { Optimizer, TrainableModel, TrainRow } from './types.js';

/** Optimizers that can be named. */
export type OptimizerName = 'adamw' | 'sgd';

/** What `train.sft` takes. Only `model` and `rows` have no default. */
export interface SftOptions {
  model: TrainableModel;
  /** Conversations ({messages}; `tokenizer` and `template` then say how they are encoded) or encoded rows ({ids, labels}). */
  rows: readonly (Row | TrainRow)[];
  tokenizer?: Tokenizer;
  /** How a conversation becomes text: `templates.get('chatml')` or its name. */
  template?: Template | string;
  /** Rows of one forward and backward pass. Default 8. */
  batchSize?: number;
  /** Batches whose gradients make one optimizer step. Default 1. */
  accumulate?: number;
  /** Optimizer steps in all. Give `steps` or `epochs`; default: one epoch. */
  steps?: number;
  /** Passes over the rows. */
  epochs?: number;
  /** `train.adamw({…})`, `train.sgd({…})`, or a name for either with its defaults. Default 'adamw'. */
  optimizer?: Optimizer | OptimizerName;
  /** Peak learning rate. Default: the optimizer's own, else 5e-5 (for models of billions; small ones want 1e-4 to 1e-3). */
  learningRate?: number;
  /** A name or a function (step, total) → factor. Default 'constant'; 'linear' and 'cosine' fall to 0. */
  schedule?: ScheduleName | Schedule;
  /** Warm-up of a schedule given by name: steps, or a share of all steps below 1. Default 0. */
  warmup?: number;
  /** Largest global gradient norm; `false` or 0 switches clipping off. Default 1. */
  clip?: number | false;
  /** New row order every epoch. Default true. */
  shuffle?: boolean;
  /** Seed of the row order. Default 0. */
  seed?: number | string;
  /** Longer rows are cut to this many tokens. */
  maxLength?: number;
  /** Rows of other text (what the model should not forget) that take a share of every step's places. */
  replay?: { rows: readonly (Row | TrainRow)[]; share: number };
  hooks?: Hooks;
  /** Steps between two calls of `hooks.onEval`. */
  evaluateEvery?: number;
  checkpoint?: CheckpointOptions;
  /** Aborting it ends the run after the current step. */
  signal?: AbortSignal;
  /** Shown beside the progress bar and on figures. Default 'sft'. */
  name?: string;
}

/** The options with defaults filled in and everything checked. */
export interface SftPlan {
  model: TrainableModel;
  rows: readonly TrainRow[];
  replay: { rows: readonly TrainRow[]; share: number } | undefined;
  batchSize: number;
  accumulate: number;
  steps: number | undefined;
  epochs: number;
  optimizer: Optimizer;
  learningRate: number;
  schedule: Schedule;
  /** Name and warm-up of the schedule; undefined when it is a function, which a checkpoint cannot hold. */
  scheduleName: { schedule: ScheduleName; warmup: number } | undefined;
  clip: number | undefined;
  shuffle: boolean;
  seed: number | string;
  hooks: Hooks;
  evaluateEvery: number | undefined;
  checkpoint: CheckpointOptions | undefined;
  name: string;
  /** What became of the conversations: dropped and truncated rows; undefined for rows that came encoded. */
  encoding: EncodeSummary | undefined;
}

const KNOWN: { [K in keyof Required<SftOptions>]: true } = {
  model: true,
  rows: true,
  tokenizer: true,
  template: true,
  batchSize: true,
  accumulate: true,
  steps: true,
  epochs: true,
  optimizer: true,
  learningRate: true,
  schedule: true,
  warmup: true,
  clip: true,
  shuffle: true,
  seed: true,
  maxLength: true,
  replay: true,
  hooks: true,
  evaluateEvery: true,
  checkpoint: true,
  signal: true,
  name: true,
};

const HOOKS: { [K in keyof Required<Hooks>]: true } = {
  onStart: true,
  onStep: true,
  onEval: true,
  onCheckpoint: true,
  onStop: true,
  loss: true,
};

export function plan(options: SftOptions): SftPlan {
  refuseUnknown('train.sft', options, Object.keys(KNOWN));
  refuseUnknown('hooks', options.hooks ?? {}, Object.keys(HOOKS));
  if (typeof options.model?.lossAndGradients !== 'function')
    throw new BadInput({
      problem: 'There is no model to train',
      where: { key: 'model' },
      expected: 'a model from models.load(…) or models.init(…)',
      found: quote(options.model),
      fix: 'pass model: await models.load(dir)',
    });
  if (options.steps !== undefined && options.epochs !== undefined)
    throw new BadInput({ problem: 'Both steps and epochs are given', where: { key: 'steps' }, fix: 'keep one of them' });
  const whole = { from: 1, integer: true };
  const optional = (key: 'steps' | 'maxLength' | 'evaluateEvery') =>
    options[key] === undefined ? undefined : checkNumber(key, options[key], whole);
  const steps = optional('steps');
  const maxLength =
    options.maxLength === undefined ? undefined : checkNumber('maxLength', options.maxLength, { from: 2, integer: true });
  const optimizer = chooseOptimizer(options.optimizer);
  const learningRate = checkNumber('learningRate', options.learningRate ?? optimizer.learningRate ?? 5e-5, { from: 0 });
  const prepared = prepare('rows', options.rows, options, maxLength);
  return {
    model: options.model,
    rows: prepared.rows,
    encoding: prepared.summary,
    replay: options.replay && {
      rows: prepare('replay.rows', options.replay.rows, options, maxLength).rows,
      share: checkNumber('replay.share', options.replay.share, { from: 0, below: 1 }),
    },
    batchSize: checkNumber('batchSize', options.batchSize ?? 8, whole),
    accumulate: checkNumber('accumulate', options.accumulate ?? 1, whole),
    steps,
    epochs: checkNumber('epochs', options.epochs ?? 1, { from: 0 }),
    optimizer,
    learningRate,
    schedule: chooseSchedule(options),
    scheduleName:
      typeof options.schedule === 'function'
        ? undefined
        : { schedule: options.schedule ?? 'constant', warmup: options.warmup ?? 0 },
    clip:
      options.clip === false || options.clip === 0
        ? undefined
        : checkNumber('clip', options.clip ?? 1, { from: Number.MIN_VALUE }),
    shuffle: options.shuffle ?? true,
    seed: options.seed ?? 0,
    hooks: options.hooks ?? {},
    evaluateEvery: optional('evaluateEvery'),
    checkpoint: checkCheckpoint(options),
    name: options.name ?? 'sft',
  };
}

function checkCheckpoint({ checkpoint, model }: SftOptions): CheckpointOptions | undefined {
  if (!checkpoint) return undefined;
  refuseUnknown('checkpoint', checkpoint, ['dir', 'every', 'keep']);
  if (checkpoint.every !== undefined) checkNumber('checkpoint.every', checkpoint.every, { from: 1, integer: true });
  if (typeof checkpoint.dir === 'string' && checkpoint.dir && typeof model.save === 'function') return checkpoint;
  throw new BadInput({
    problem: 'Checkpoints cannot be written',
    where: { key: 'checkpoint' },
    expected: 'checkpoint: { dir } and a model with save(dir)',
    found: quote(checkpoint),
    fix: "write checkpoint: { dir: 'runs/mine', every: 100 }",
  });
}

function chooseOptimizer(optimizer: Optimizer | OptimizerName = 'adamw'): Optimizer {
  if (typeof optimizer === 'object' && typeof optimizer?.step === 'function') return optimizer;
  if (optimizer === 'adamw') return adamw();
  if (optimizer === 'sgd') return sgd();
  throw new BadInput({
    problem: 'There is no such optimizer',
    where: { key: 'optimizer' },
    expected: "train.adamw({…}), train.sgd({…}), 'adamw' or 'sgd'",
    found: quote(optimizer),
    fix: 'write optimizer: train.adamw({ learningRate: 1e-4 })',
  });
}

function chooseSchedule({ schedule = 'constant', warmup }: SftOptions): Schedule {
  if (typeof schedule === 'function') {
    if (warmup === undefined) return schedule;
    throw new BadInput({
      problem: 'A warm-up is given beside a schedule function, which has its own',
      where: { key: 'warmup' },
      fix: 'write schedule: train.cosine({ warmup: 10, floor: 0.1 }) and leave warmup out',
    });
  }
  const named: Record<ScheduleName, Schedule> = {
    constant: constant({ warmup }),
    linear: linear({ warmup }),
    cosine: cosine({ warmup }),
  };
  if (Object.hasOwn(named, schedule)) return named[schedule];
  throw new BadInput({
    problem: 'There is no such schedule',
    where: { key: 'schedule' },
    expected: "'constant', 'linear', 'cosine' or a function (step, total) → factor",
    found: quote(schedule),
    fix: "write schedule: 'cosine'",
  });
}

/** Rows ready for the model: encoded when they are conversations, cut to length, and checked. */
function prepare(key: string, rows: readonly (Row | TrainRow)[], options: SftOptions, maxLength: number | undefined): Prepared {
  if (!Array.isArray(rows) || rows.length === 0)
    throw new BadInput({
      problem: 'There are no rows to train on',
      where: { key },
      expected: 'an array of conversations or encoded rows',
      found: Array.isArray(rows) ? 'an empty array' : quote(rows),
      fix: 'read some with await data.readRows(file)',
    });
  const conversations = rows.filter((row): row is Row => Array.isArray((row as Row)?.messages));
  const ready: Prepared =
    conversations.length === 0
      ? { rows: rows.map((row, index) => checkedRow(key, row as TrainRow, index, maxLength)), summary: undefined }
      : encodeConversations(key, conversations, rows.length, options, maxLength);
  if (ready.rows.some(row => countLabels(row) > 0)) return ready;
  throw new BadInput({
    problem: `None of the ${rows.length} rows has a token that carries loss`,
    where: { key },
    expected: 'labels other than −100 in at least one row',
    fix:
      maxLength === undefined
        ? 'encode the rows with labels on the response'
        : 'raise maxLength: the responses may have been cut off',
  });
}

interface Prepared {
  rows: TrainRow[];
  summary: EncodeSummary | undefined;
}

function encodeConversations(
  key: string,
  rows: Row[],
  total: number,
  options: SftOptions,
  maxLength: number | undefined,
): Prepared {
  const { tokenizer, template } = options;
  if (!tokenizer || !template || rows.length < total) throw new BadInput(whyNotEncodable(key, total - rows.length, options));
  const { rows: encoded, summary } = encodeRows(rows, { tokenizer, template, maxLength });
  // The encoder drops rows that train nothing; the others keep the line they came from.
  const dropped = new Set(summary.dropped.map(({ index }) => index));
  const lines = rows.filter((_, index) => !dropped.has(index)).map(({ line }) => line);
  return { rows: encoded.map(({ ids, labels, weights }, i) => ({ ids, labels, weights, line: lines[i] })), summary };
}

function whyNotEncodable(key: string, others: number, { tokenizer, template }: SftOptions): ErrorParts {
  if (others > 0)
    return {
      problem: `${others} of the rows have no messages, the others have`,
      where: { key },
      fix: 'give conversations or encoded rows, not both',
    };
  if (!tokenizer)
    return {
      problem: 'Conversations need a tokenizer',
      where: { key: 'tokenizer' },
      fix: 'pass tokenizer: await tokens.Tokenizer.fromFile(dir), or encoded rows',
    };
  return {
    problem: 'Conversations need a template',
    where: { key: 'template' },
    found: quote(template),
    fix: "pass template: templates.get('chatml'), or encoded rows",
  };
}

function checkedRow(key: string, row: TrainRow, index: number, maxLength: number | undefined): TrainRow {
  const problem =
    !Array.isArray(row?.ids) || !Array.isArray(row.labels)
      ? 'has no ids and labels'
      : row.ids.length !== row.labels.length
        ? `has ${row.ids.length} ids but ${row.labels.length} labels`
        : row.weights && row.weights.length !== row.ids.length
          ? `has ${row.ids.length} ids but ${row.weights.length} weights`
          : undefined;
  if (problem)
    throw new BadInput({
      problem: `Row ${index} ${problem}`,
      where: { key },
      expected:
        'a conversation {messages} or an encoded row {ids, labels} of equal lengths, labels unshifted, −100 where nothing is trained',
      found: quote(row),
      fix: 'make rows with data.readRows(…) or tokens.encodeRows(…)',
    });
  if (maxLength === undefined || row.ids.length <= maxLength) return row;
  return {
    ...row,
    ids: row.ids.slice(0, maxLength),
    labels: row.labels.slice(0, maxLength),
    weights: row.weights?.slice(0, maxLength),
  };
}

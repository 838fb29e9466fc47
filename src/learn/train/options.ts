import { BadInput, quote } from '../../base/core/index.js';
import type { Row } from '../../prepare/data/index.js';
import type { Template } from '../../prepare/templates/index.js';
import {
  type Bucket,
  bucketWindow,
  type EncodeSummary,
  type PackOptions,
  type PackReport,
  type Tokenizer,
} from '../../prepare/tokens/index.js';
import { checkNumber, refuseUnknown } from './check.js';
import type { CheckpointOptions } from './checkpoint.js';
import type { Hooks } from './hooks.js';
import { adamw } from './optimizers/adamw.js';
import { sgd } from './optimizers/sgd.js';
import { prepare } from './rows.js';
import { constant, cosine, linear, type Schedule, type ScheduleName } from './schedules.js';
import type { RowStream } from './source.js';
import type { Optimizer, TrainableModel, TrainRow } from './types.js';

/** Optimizers that can be named. */
export type OptimizerName = 'adamw' | 'sgd';

/** What `train.sft` takes. Only `model` and `rows` have no default. */
export interface SftOptions {
  model: TrainableModel;
  /**
   * Conversations ({messages}; `tokenizer` and `template` then say how they are encoded) or encoded rows ({ids, labels},
   * packed ones with segmentIds). A function that gives them one by one, anew at every call, streams a data set that does
   * not fit in memory; `steps` is then required.
   */
  rows: readonly (Row | TrainRow)[] | RowStream;
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
  /** Put rows together into packs of so many tokens, see `tokens.pack`; `batchSize` then counts packs. */
  packing?: Omit<PackOptions, 'seed' | 'firstRow'>;
  /** Batches of rows of like length, see `tokens.batches`. Default false. */
  bucket?: Bucket;
  /** Of streamed rows, how many are held and shuffled (packed, sorted) among each other. Default 2,048. */
  shuffleBuffer?: number;
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
  /** The rows, ready; none where they are streamed. */
  rows: readonly TrainRow[];
  stream: RowStream | undefined;
  /** As given: what a stream's rows are encoded with. */
  options: SftOptions;
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
  packing: Omit<PackOptions, 'seed' | 'firstRow'> | undefined;
  bucket: Bucket;
  shuffleBuffer: number;
  hooks: Hooks;
  evaluateEvery: number | undefined;
  checkpoint: CheckpointOptions | undefined;
  name: string;
  /** What became of the conversations: dropped and truncated rows; undefined for rows that came encoded. */
  encoding: EncodeSummary | undefined;
  /** How the rows were packed. */
  packed: PackReport | undefined;
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
  packing: true,
  bucket: true,
  shuffleBuffer: true,
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
  const optional = (key: 'steps' | 'evaluateEvery') =>
    options[key] === undefined ? undefined : checkNumber(key, options[key], whole);
  const steps = optional('steps');
  if (options.maxLength !== undefined) checkNumber('maxLength', options.maxLength, { from: 2, integer: true });
  const optimizer = chooseOptimizer(options.optimizer);
  const learningRate = checkNumber('learningRate', options.learningRate ?? optimizer.learningRate ?? 5e-5, { from: 0 });
  const batchSize = checkNumber('batchSize', options.batchSize ?? 8, whole);
  bucketWindow(options.bucket, batchSize);
  if (options.packing) refuseUnknown('packing', options.packing, ['length', 'algorithm', 'tooLong']);
  const stream = typeof options.rows === 'function' ? options.rows : undefined;
  if (stream && steps === undefined)
    throw new BadInput({
      problem: 'The length of a run on streamed rows is not known',
      where: { key: 'steps' },
      fix: 'say how many optimizer steps to take: steps: 1000',
    });
  const prepared = stream ? undefined : prepare('rows', options.rows, options);
  return {
    model: options.model,
    rows: prepared?.rows ?? [],
    stream,
    options,
    encoding: prepared?.summary,
    packed: prepared?.packed,
    replay: options.replay && {
      rows: prepare('replay.rows', options.replay.rows, options).rows,
      share: checkNumber('replay.share', options.replay.share, { from: 0, below: 1 }),
    },
    batchSize,
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
    packing: options.packing,
    bucket: options.bucket ?? false,
    shuffleBuffer: checkNumber('shuffleBuffer', options.shuffleBuffer ?? 2048, whole),
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

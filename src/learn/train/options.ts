import { BadInput, quote, refuseUnknown } from '../../base/core/index.js';
import type { Row, ShareOptions } from '../../prepare/data/index.js';
import type { Template } from '../../prepare/templates/index.js';
import {
  type Bucket,
  bucketWindow,
  type EncodeSummary,
  type PackOptions,
  type PackReport,
  type Tokenizer,
} from '../../prepare/tokens/index.js';
import { checkNonFinite, type NonFiniteOptions, type NonFinitePolicy } from './accidents.js';
import { type BestOptions, checkBest, type StopEarlyOptions } from './best.js';
import { checkNumber } from './check.js';
import type { CheckpointOptions } from './checkpoints/index.js';
import { checkLoss, chooseOptimizer, chooseSchedule } from './choices.js';
import { oneOf } from './combine.js';
import { type EvaluateOptions, HeldOut } from './held-out.js';
import type { Hooks } from './hooks.js';
import type { RunLogger } from './logs/logger.js';
import { matching, type WeightMatch } from './match.js';
import { withEma } from './optimizers/ema.js';
import type { RecordOptions } from './record/types.js';
import { type RecordPlace, recordPlace } from './record/where.js';
import { prepare } from './rows.js';
import type { Schedule, ScheduleName } from './schedules.js';
import type { RowStream } from './source.js';
import type { SpikeOptions } from './spikes.js';
import { taskShares } from './task-source.js';
import { isSeq2Seq, type Optimizer, type TrainableModel, type TrainRow } from './types.js';

/** Optimizers that can be named. */
export type OptimizerName = 'adamw' | 'adafactor' | 'lion' | 'sgd';

/** What `train.sft` takes. Only `model` and `rows` have no default. */
export interface SftOptions {
  model: TrainableModel;
  /**
   * Conversations ({messages}; `tokenizer` and `template` then say how they are encoded) or encoded rows ({ids, labels},
   * packed ones with segmentIds). A function that gives them one by one, anew at every call, streams a data set that does
   * not fit in memory, or all at once (`() => data.readRows(file)`); `steps` is then required.
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
  /** `train.adamw({…})`, `adafactor`, `lion`, `sgd`, or the name of one with its defaults. Default 'adamw'. */
  optimizer?: Optimizer | OptimizerName;
  /** Peak learning rate. Default: the optimizer's own, else 5e-5 (for models of billions; small ones want 1e-4 to 1e-3). */
  learningRate?: number;
  /** A name or a function (step, total) → factor. Default 'constant'; 'linear' and 'cosine' fall to 0. */
  schedule?: ScheduleName | Schedule;
  /** Warm-up of a schedule given by name: steps, or a share of all steps below 1. Default 0. */
  warmup?: number;
  /** Largest global gradient norm; `false` or 0 switches clipping off. Default 1. */
  clip?: number | false;
  /** Label smoothing ε (Szegedy et al. 2016): the target is 1 − ε on the label and ε ÷ vocabulary everywhere. Default 0. */
  labelSmoothing?: number;
  /** NEFTune's alpha (Jain et al. 2023): noise on the embeddings while training; 5 is usual. Default 0. */
  neftune?: number;
  /**
   * Gradient checkpointing (Chen et al. 2016): keep the input of every layer alone and compute the layer again in the backward
   * pass. Less memory, about a third more time, the same numbers. Default false.
   */
  recompute?: boolean;
  /** Train prompts too, with this weight beside the 1 of a response's tokens. Default 0. */
  promptLossWeight?: number;
  /** Weights that are not trained until the run is done or disposed, e.g. ['model.embed_tokens', /layers\.[0-3]\./]. */
  freeze?: WeightMatch | readonly WeightMatch[];
  /**
   * Keep an exponential moving average of the weights with this decay, e.g. 0.999. Evaluations, samples and the best checkpoint see
   * the average, and when the run is done (or ended by `stopEarly`) the model has it; other checkpoints hold both.
   */
  ema?: number;
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
  /**
   * Shares of the tasks that rows name, see `data.mixingShares`: { strategy: 'temperature', temperature: 2 }, or { strategy:
   * 'weights', weights: { sum: 2, translate: 1 } }. Every stretch of rows then has these shares. Not for streams, packs and buckets.
   */
  mixture?: ShareOptions;
  /**
   * Rows of other text (what the model should not forget) that take a share of every step's places. `weight` is that of their tokens in
   * the loss, 1 unless told; with 0 they are read but not trained on, for hooks that look at them (`train.klAnchor({ on: 'replay' })`).
   */
  replay?: { rows: readonly (Row | TrainRow)[]; share: number; weight?: number };
  /** Functions called on the way, or a list of such objects, remedies against forgetting among them: see {@link Hooks}. */
  hooks?: Hooks | readonly Hooks[];
  /** Held-out loss by task, and samples, every so many steps: in `run.evaluations` (`heldOut`, `heldOut/<task>`) and `run.samples`. */
  evaluate?: EvaluateOptions;
  /** Steps between two calls of `hooks.onEval`. */
  evaluateEvery?: number;
  /** End the run when evaluations get no better. */
  stopEarly?: StopEarlyOptions;
  /** Keep the weights of the best evaluation in the folder `best` of the checkpoints. */
  keepBest?: boolean | BestOptions;
  /** Steps between two reports with entropy, token accuracy and the gradient norm of every matrix. Default: none. */
  detailEvery?: number;
  /** What to do with a step whose loss or gradient is not finite. Default 'halt'. */
  nonFinite?: NonFinitePolicy | NonFiniteOptions;
  /** When a loss is flagged as a spike (`report.spike`); `false`: never. Default: 5 standard deviations of the last 50 losses. */
  spikes?: SpikeOptions | false;
  checkpoint?: CheckpointOptions;
  /**
   * Folder of run records: this run's own, in it, gets the configuration, seeds, hashes, versions, git state, hardware, curves and
   * answers, see `train.readRecord`. Default: what TUNEBOOK_RECORD names ('off': nothing), else 'runs'; `false` records nothing.
   */
  record?: string | RecordOptions | false;
  /** Where else the numbers go: [train.jsonl('log.jsonl'), train.tensorboard('tb'), train.mlflow({ url })]. */
  logs?: readonly RunLogger[];
  /**
   * A record whose settings are taken where no others are given; what it cannot hold is given again and must be the same (of the model its
   * size is compared; `train.rerun` compares the weights).
   */
  from?: string;
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
  /** Options that shape the trajectory, as given and where JSON can hold them, for checkpoints. */
  shaping: Pick<SftOptions, Shaping>;
  labelSmoothing: number;
  neftune: number;
  recompute: boolean;
  freeze: readonly WeightMatch[];
  averaged: boolean;
  mixture: ShareOptions | undefined;
  heldOut: HeldOut | undefined;
  best: ReturnType<typeof checkBest>;
  detailEvery: number | undefined;
  nonFinite: Required<NonFiniteOptions>;
  spikes: SpikeOptions | false;
  shuffle: boolean;
  seed: number | string;
  packing: Omit<PackOptions, 'seed' | 'firstRow'> | undefined;
  bucket: Bucket;
  shuffleBuffer: number;
  hooks: Hooks;
  evaluateEvery: number | undefined;
  checkpoint: CheckpointOptions | undefined;
  /** Where the run is recorded. */
  record: RecordPlace | undefined;
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
  mixture: true,
  labelSmoothing: true,
  neftune: true,
  recompute: true,
  promptLossWeight: true,
  freeze: true,
  ema: true,
  hooks: true,
  evaluate: true,
  evaluateEvery: true,
  stopEarly: true,
  keepBest: true,
  detailEvery: true,
  nonFinite: true,
  spikes: true,
  checkpoint: true,
  record: true,
  logs: true,
  from: true,
  signal: true,
  name: true,
};

/** Options that shape the trajectory and that JSON can hold. */
type Shaping =
  | 'maxLength'
  | 'labelSmoothing'
  | 'neftune'
  | 'recompute'
  | 'promptLossWeight'
  | 'freeze'
  | 'ema'
  | 'mixture'
  | 'stopEarly'
  | 'keepBest'
  | 'evaluateEvery'
  | 'detailEvery'
  | 'nonFinite'
  | 'spikes'
  | 'record';

const SHAPING: { [K in Shaping]: true } = {
  maxLength: true,
  labelSmoothing: true,
  neftune: true,
  recompute: true,
  promptLossWeight: true,
  freeze: true,
  ema: true,
  mixture: true,
  stopEarly: true,
  keepBest: true,
  evaluateEvery: true,
  detailEvery: true,
  nonFinite: true,
  spikes: true,
  record: true,
};

export function plan(options: SftOptions): SftPlan {
  refuseUnknown('train.sft', options, Object.keys(KNOWN));
  const hooks = oneOf(options.hooks);
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
  const optional = (key: 'steps' | 'evaluateEvery' | 'detailEvery') =>
    options[key] === undefined ? undefined : checkNumber(key, options[key], whole);
  const steps = optional('steps');
  if (options.maxLength !== undefined) checkNumber('maxLength', options.maxLength, { from: 2, integer: true });
  const chosen = chooseOptimizer(options);
  chosen.check?.(options.model.parameters);
  const optimizer = options.ema === undefined ? chosen : withEma(chosen, options.ema);
  const freeze = options.freeze === undefined ? [] : [options.freeze].flat();
  matching('freeze', freeze, options.model.parameters);
  checkLoss(options, hooks);
  const learningRate = checkNumber('learningRate', options.learningRate ?? optimizer.learningRate ?? 5e-5, { from: 0 });
  const batchSize = checkNumber('batchSize', options.batchSize ?? 8, whole);
  bucketWindow(options.bucket, batchSize);
  if (options.packing) refuseUnknown('packing', options.packing, ['length', 'algorithm', 'tooLong']);
  if (options.packing && isSeq2Seq(options.model))
    throw new BadInput({
      problem: 'Rows of an encoder–decoder cannot be packed: each has two sides',
      where: { key: 'packing' },
      fix: 'leave packing out; nothing is computed on padding outside attention',
    });
  const stream = typeof options.rows === 'function' ? options.rows : undefined;
  if (stream && steps === undefined)
    throw new BadInput({
      problem: 'The length of a run on streamed rows is not known',
      where: { key: 'steps' },
      fix: 'say how many optimizer steps to take: steps: 1000',
    });
  if (options.mixture && (stream || options.packing || options.bucket))
    throw new BadInput({
      problem: 'A mixture of tasks needs rows that are all there, one by one',
      where: { key: 'mixture' },
      found: stream ? 'streamed rows' : options.packing ? 'packing' : 'bucket, which puts them in another order',
      fix: 'mix the rows beforehand: data.mix(…)',
    });
  const best = checkBest(options.stopEarly, options.keepBest);
  if (best?.keep && !options.checkpoint)
    throw new BadInput({
      problem: 'There is no folder for the best weights',
      where: { key: 'keepBest' },
      fix: "write checkpoint: { dir: 'runs/mine' } too",
    });
  refuseUnwatched(options, hooks);
  if (options.spikes) {
    refuseUnknown('spikes', options.spikes, ['window', 'deviations']);
    checkNumber('spikes.window', options.spikes.window ?? 50, { from: 2, integer: true });
    checkNumber('spikes.deviations', options.spikes.deviations ?? 5, { from: 0 });
  }
  const prepared = stream ? undefined : prepare('rows', options.rows, options);
  if (options.mixture) taskShares(prepared!.rows, options.mixture);
  const record = recordPlace(options.record, options.name ?? 'sft');
  checkLogs(options.logs);
  return {
    model: options.model,
    rows: prepared?.rows ?? [],
    stream,
    options,
    encoding: prepared?.summary,
    packed: prepared?.packed,
    replay: options.replay && replayOf(options.replay, options),
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
    shaping: shapingOf(options, freeze, record),
    labelSmoothing: options.labelSmoothing ?? 0,
    neftune: options.neftune ?? 0,
    recompute: options.recompute ?? false,
    freeze,
    averaged: options.ema !== undefined,
    mixture: options.mixture,
    heldOut: options.evaluate && new HeldOut(options.evaluate, { ...options, batchSize }),
    best,
    detailEvery: optional('detailEvery'),
    nonFinite: checkNonFinite(options.nonFinite),
    spikes: options.spikes ?? {},
    shuffle: options.shuffle ?? true,
    seed: options.seed ?? 0,
    packing: options.packing,
    bucket: options.bucket ?? false,
    shuffleBuffer: checkNumber('shuffleBuffer', options.shuffleBuffer ?? 2048, whole),
    hooks,
    evaluateEvery: optional('evaluateEvery'),
    checkpoint: checkCheckpoint(options),
    record,
    name: options.name ?? 'sft',
  };
}

/** What looks at evaluations does nothing in a run that has none, and nobody would notice. */
function refuseUnwatched({ stopEarly, keepBest, evaluate, evaluateEvery }: SftOptions, hooks: Hooks): void {
  const key = stopEarly ? 'stopEarly' : 'keepBest';
  if (!stopEarly && !keepBest) return;
  if (!evaluate && !hooks.onEval)
    throw new BadInput({
      problem: `${key} looks at evaluations, and the run has none`,
      where: { key },
      fix: 'give evaluate: { rows: heldOut, every: 50 }, or hooks with onEval and evaluateEvery: 50',
    });
  if (stopEarly && (evaluate?.every ?? evaluateEvery) === undefined)
    throw new BadInput({
      problem: 'stopEarly looks at evaluations, and the only one is at the end',
      where: { key },
      fix: `say how often: ${evaluate ? 'evaluate: { …, every: 50 }' : 'evaluateEvery: 50'}`,
    });
}

function replayOf(given: NonNullable<SftOptions['replay']>, options: SftOptions): SftPlan['replay'] {
  refuseUnknown('replay', given, ['rows', 'share', 'weight']);
  const { rows, share, weight = 1 } = given;
  checkNumber('replay.weight', weight, { from: 0 });
  const ready = prepare('replay.rows', rows, options).rows;
  const weighed = (row: TrainRow) => ({ ...row, weights: (row.weights ?? row.labels.map(() => 1)).map(own => own * weight) });
  return {
    rows: weight === 1 ? ready : ready.map(weighed),
    share: checkNumber('replay.share', share, { from: 0, below: 1 }),
  };
}

function checkCheckpoint({ checkpoint, model }: SftOptions): CheckpointOptions | undefined {
  if (!checkpoint) return undefined;
  refuseUnknown('checkpoint', checkpoint, ['dir', 'every', 'keep']);
  if (checkpoint.every !== undefined) checkNumber('checkpoint.every', checkpoint.every, { from: 1, integer: true });
  if (checkpoint.keep !== undefined) checkNumber('checkpoint.keep', checkpoint.keep, { from: 1, integer: true });
  if (typeof checkpoint.dir === 'string' && checkpoint.dir && typeof model.save === 'function') return checkpoint;
  throw new BadInput({
    problem: 'Checkpoints cannot be written',
    where: { key: 'checkpoint' },
    expected: 'checkpoint: { dir } and a model with save(dir)',
    found: quote(checkpoint),
    fix: "write checkpoint: { dir: 'runs/mine', every: 100 }",
  });
}

function checkLogs(logs: readonly RunLogger[] | undefined): void {
  if (logs === undefined || (Array.isArray(logs) && logs.every(log => typeof log?.name === 'string'))) return;
  throw new BadInput({
    problem: 'These are no logs',
    where: { key: 'logs' },
    expected: 'a list of logs',
    found: quote(logs),
    fix: "write logs: [train.jsonl('log.jsonl')]",
  });
}

function shapingOf(options: SftOptions, freeze: readonly WeightMatch[], record: RecordPlace | undefined): SftPlan['shaping'] {
  const given = Object.fromEntries(Object.entries(options).filter(([key, value]) => key in SHAPING && value !== undefined));
  // So that a run which is resumed goes on in its record.
  given.record = record ?? false;
  // Patterns and functions become the names of the weights they mean.
  if (freeze.length > 0) given.freeze = matching('freeze', freeze, options.model.parameters).map(({ name }) => name);
  return given;
}

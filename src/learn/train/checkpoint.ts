import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import * as tf from '@tensorflow/tfjs-core';
import { BadInput, type Parameter, quote, shield, writeFileAtomic } from '../../base/core/index.js';
import { type SavedAdapters, writeWeights } from './checkpoint-weights.js';
import type { History } from './history.js';
import type { SftPlan } from './options.js';
import type { OrderState } from './order.js';
import type { LoopState } from './sft.js';
import type { StreamState } from './source.js';
import { readTensors, type StoredTensor, writeTensors } from './tensors-file.js';
import type { Optimizer, OptimizerState, TrainRow } from './types.js';

export interface CheckpointOptions {
  /** Folder that holds the checkpoints, one subfolder `step-…` each. */
  dir: string;
  /** Steps between checkpoints. Whenever the run ends or is stopped one is written too; without `every` only then. */
  every?: number;
  /** Checkpoints kept; older ones are deleted. Default 2. */
  keep?: number;
}

/** What a run hands over to be saved. */
export interface Snapshot {
  plan: SftPlan;
  step: number;
  order: OrderState | StreamState;
  replay: OrderState | undefined;
  history: History;
  state: OptimizerState;
  /** What else the loop knows. */
  loop: LoopState;
}

/** Settings that shape the trajectory, kept so that `train.resume` needs only model and rows. */
export interface SavedSettings
  extends Pick<
    SftPlan,
    | 'batchSize'
    | 'accumulate'
    | 'steps'
    | 'epochs'
    | 'learningRate'
    | 'clip'
    | 'shuffle'
    | 'seed'
    | 'packing'
    | 'bucket'
    | 'shuffleBuffer'
    | 'name'
    | 'scheduleName'
    | 'shaping'
  > {
  saving: Omit<CheckpointOptions, 'dir'>;
}

/** `checkpoint.json`. */
interface Manifest {
  format: 2;
  step: number;
  order: OrderState | StreamState;
  replay: OrderState | undefined;
  history: History;
  loop: LoopState;
  settings: SavedSettings;
  optimizer: { name: string; settings: Record<string, unknown>; updates: number };
  /** Hash of the rows the run was training on: other rows would be another run. */
  rows: string;
  replayRows: string | undefined;
  /** The file with the weights: of the whole model, or of its adapters alone. */
  weights: string;
  /** Where adapters were trained: which, and on what base. */
  adapters: SavedAdapters | undefined;
  /** SHA-256 of every other file, so that a damaged one is noticed. */
  files: Record<string, string>;
}

/** A checkpoint as read back. */
export interface Checkpointed {
  dir: string;
  step: number;
  order: OrderState | StreamState;
  replay: OrderState | undefined;
  history: History;
  loop: LoopState;
  settings: SavedSettings;
  /** Where adapters were trained: their base is not in the checkpoint. */
  adapters: SavedAdapters | undefined;
  /** Throws BadInput unless rows and optimizer are the ones of the saved run. */
  verify(plan: SftPlan): void;
  /** Put the saved weights into a model's parameters. */
  restore(parameters: readonly Parameter<tf.Tensor>[]): void;
  /** The saved optimizer memory, on `optimizer`'s own slots. */
  optimizer(optimizer: Optimizer, parameters: readonly Parameter<tf.Tensor>[]): OptimizerState;
}

const OPTIMIZER = 'optimizer.safetensors';
const MANIFEST = 'checkpoint.json';
/** In place of the hash of rows that are streamed: they are not all known. */
const STREAMED = 'streamed';

/**
 * Write `dir/step-…`: the model (a folder `models.load` reads) or, where adapters are trained, these alone; optimizer memory,
 * data position and history. It is
 * assembled beside and renamed, so that a checkpoint is there whole or not at all (contract 8). Returns its folder.
 */
export async function saveCheckpoint(options: CheckpointOptions, snapshot: Snapshot): Promise<string> {
  return shield(() => write(options, snapshot));
}

async function write({ dir, every, keep = 2 }: CheckpointOptions, snapshot: Snapshot): Promise<string> {
  const { plan, step, state } = snapshot;
  const target = join(dir, `step-${String(step).padStart(6, '0')}`);
  const beside = join(dir, `.writing-${process.pid}-${randomBytes(4).toString('hex')}`);
  try {
    await mkdir(beside, { recursive: true });
    const { file: weights, adapters } = await writeWeights(plan.model, beside);
    const slots = Object.entries(state.slots).flatMap(([slot, values]) =>
      values.map(value => ({ name: `${slot}/${value.name}`, shape: value.shape, size: value.size, value })),
    );
    await writeTensors(join(beside, OPTIMIZER), slots, index => readValues(slots[index]!.value));
    const { batchSize, accumulate, steps, epochs, learningRate, clip, shuffle, seed, name, scheduleName } = plan;
    const { packing, bucket, shuffleBuffer } = plan;
    const manifest: Manifest = {
      format: 2,
      step,
      order: snapshot.order,
      replay: snapshot.replay,
      history: snapshot.history,
      loop: snapshot.loop,
      settings: {
        batchSize,
        accumulate,
        steps,
        epochs,
        learningRate,
        clip,
        shuffle,
        seed,
        packing,
        bucket,
        shuffleBuffer,
        name,
        scheduleName,
        shaping: plan.shaping,
        saving: { every, keep },
      },
      optimizer: { name: plan.optimizer.name, settings: plan.optimizer.settings, updates: state.updates },
      rows: plan.stream ? STREAMED : hashRows(plan.rows),
      replayRows: plan.replay && hashRows(plan.replay.rows),
      weights,
      adapters,
      files: { [weights]: await hashFile(join(beside, weights)), [OPTIMIZER]: await hashFile(join(beside, OPTIMIZER)) },
    };
    await writeFileAtomic(join(beside, MANIFEST), JSON.stringify(manifest));
    await rm(target, { recursive: true, force: true });
    await rename(beside, target);
  } catch (error) {
    await rm(beside, { recursive: true, force: true });
    throw error;
  }
  for (const old of (await listCheckpoints(dir)).slice(0, -Math.max(1, keep)))
    await rm(join(dir, old), { recursive: true, force: true });
  return target;
}

/** Read the newest checkpoint under `dir` (or the checkpoint `dir` itself). */
export async function readCheckpoint(dir: string): Promise<Checkpointed> {
  const folder = await newest(dir);
  const manifest = await readManifest(folder);
  for (const [name, hash] of Object.entries(manifest.files)) {
    const found = await hashFile(join(folder, name)).catch(() => 'no such file');
    if (found !== hash)
      throw new BadInput({
        problem: 'The checkpoint is damaged',
        where: { file: join(folder, name) },
        expected: `SHA-256 ${hash.slice(0, 12)}…`,
        found: found.slice(0, 12),
        fix: 'delete this checkpoint folder; train.resume then takes the one before',
      });
  }
  const weights = await readTensors(join(folder, manifest.weights));
  const slots = await readTensors(join(folder, OPTIMIZER));
  const { step, order, replay, history, loop, settings, adapters } = manifest;
  return {
    dir: folder,
    step,
    order,
    replay,
    history,
    loop,
    settings,
    adapters,
    verify: plan => verify(folder, manifest, plan),
    restore: parameters => {
      for (const parameter of parameters) writeParameter(folder, parameter, weights.get(parameter.name));
    },
    optimizer: (optimizer, parameters) => {
      const state = optimizer.init(parameters);
      state.updates = manifest.optimizer.updates;
      for (const [slot, values] of Object.entries(state.slots))
        for (const value of values) writeParameter(folder, value, slots.get(`${slot}/${value.name}`));
      return state;
    },
  };
}

function verify(folder: string, manifest: Manifest, plan: SftPlan): void {
  const file = join(folder, MANIFEST);
  if (
    manifest.rows !== (plan.stream ? STREAMED : hashRows(plan.rows)) ||
    manifest.replayRows !== (plan.replay && hashRows(plan.replay.rows))
  )
    throw new BadInput({
      problem: 'The rows are not those of the run that was saved',
      where: { file },
      fix: 'pass the same rows, encoded the same way, in the same order; to train on other rows start a new run from the saved model',
    });
  const { name, settings } = plan.optimizer;
  if (name !== manifest.optimizer.name || JSON.stringify(settings) !== JSON.stringify(manifest.optimizer.settings))
    throw new BadInput({
      problem: 'The optimizer is not that of the run that was saved',
      where: { file },
      expected: `${manifest.optimizer.name} ${JSON.stringify(manifest.optimizer.settings)}`,
      found: `${name} ${JSON.stringify(settings)}`,
      fix: 'pass the same optimizer with the same settings',
    });
}

async function newest(dir: string): Promise<string> {
  const inside = await listCheckpoints(dir);
  if (inside.length > 0) return join(dir, inside.at(-1)!);
  const itself = await readFile(join(dir, MANIFEST)).catch(() => undefined);
  if (itself) return dir;
  throw new BadInput({
    problem: 'There is no checkpoint here',
    where: { file: dir },
    expected: 'a folder with subfolders step-…',
    fix: 'give the dir that train.sft had in checkpoint: { dir }',
  });
}

async function readManifest(folder: string): Promise<Manifest> {
  const file = join(folder, MANIFEST);
  let manifest: Manifest;
  try {
    manifest = JSON.parse(await readFile(file, 'utf8')) as Manifest;
  } catch (cause) {
    throw new BadInput({
      problem: 'The checkpoint cannot be read',
      where: { file },
      fix: 'delete this checkpoint folder; train.resume then takes the one before',
      cause,
    });
  }
  if (manifest.format === 2) return manifest;
  throw new BadInput({
    problem: 'The checkpoint has a format this version does not know',
    where: { file },
    expected: 'format 2',
    found: quote(manifest.format),
    fix: 'resume it with the version of tunebook that wrote it',
  });
}

async function listCheckpoints(dir: string): Promise<string[]> {
  const names = await readdir(dir).catch(() => [] as string[]);
  return names.filter(name => /^step-\d+$/.test(name)).sort((a, b) => Number(a.slice(5)) - Number(b.slice(5)));
}

function readValues(parameter: Parameter<tf.Tensor>): Float32Array {
  const tensor = parameter.read();
  try {
    return tensor.dataSync() as Float32Array;
  } finally {
    tensor.dispose();
  }
}

function writeParameter(folder: string, parameter: Parameter<tf.Tensor>, stored: StoredTensor | undefined): void {
  if (!stored || stored.shape.join() !== parameter.shape.join())
    throw new BadInput({
      problem: `The checkpoint does not fit the model at ${parameter.name}`,
      where: { file: folder },
      expected: `shape [${parameter.shape}]`,
      found: stored ? `shape [${stored.shape}]` : 'no such parameter',
      fix: 'resume with the model the run was started with',
    });
  tf.tidy(() => parameter.write(tf.tensor(stored.values, [...stored.shape], 'float32')));
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

function hashRows(rows: readonly TrainRow[]): string {
  const hash = createHash('sha256');
  for (const { ids, labels, weights, segmentIds } of rows) {
    hash.update(Int32Array.from([ids.length, ...ids, ...labels]));
    if (weights) hash.update(Float64Array.from(weights));
    if (segmentIds) hash.update(Int32Array.from(segmentIds));
  }
  return hash.digest('hex');
}

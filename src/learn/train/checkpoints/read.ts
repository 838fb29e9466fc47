import { readdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { BadInput, type Parameter } from '../../../base/core/index.js';
import type { SavedHookState } from '../hooks.js';
import type { SftPlan } from '../options.js';
import { TensorsFile } from '../tensors-file.js';
import type { Optimizer, OptimizerState } from '../types.js';
import { hashFile, recover } from './folder.js';
import { listCheckpoints } from './list.js';
import { Damaged, MANIFEST, type Manifest, readManifest, rowHashes } from './manifest.js';
import { warn } from './warn.js';
import { weightsIn } from './weights.js';
import { HOOKS, OPTIMIZER } from './write.js';

/** A checkpoint as read back. */
export interface Checkpointed
  extends Pick<
    Manifest,
    'step' | 'order' | 'replay' | 'history' | 'evaluations' | 'samples' | 'loop' | 'settings' | 'resting' | 'adapters'
  > {
  dir: string;
  /** What the hooks keep; undefined where they keep nothing. */
  hooks: SavedHookState | undefined;
  /** Throws BadInput unless rows and optimizer are the ones of the saved run. */
  verify(plan: SftPlan): void;
  /** Put the saved weights into a model's parameters. */
  restore(parameters: readonly Parameter<tf.Tensor>[]): void;
  /** The saved optimizer memory, on `optimizer`'s own slots. */
  optimizer(optimizer: Optimizer, parameters: readonly Parameter<tf.Tensor>[]): OptimizerState;
}

/**
 * Read the newest checkpoint under `dir` that is as it was written, or the checkpoint `dir` itself. A damaged one is passed over with a
 * warning that names the file and what is wrong with it.
 * @throws BadInput where there is none, where all are damaged (it says how each is), or where another version wrote it
 */
export async function readCheckpoint(dir: string): Promise<Checkpointed> {
  await recover(dir);
  const inside = (await listCheckpoints(dir)).reverse();
  if (inside.length === 0) return readOne(dir);
  const damaged: string[] = [];
  for (const { name } of inside) {
    try {
      const manifest = await verified(join(dir, name));
      if (damaged.length > 0) warn(`${damaged.join('; ')}. Going on from ${join(dir, name)}`);
      return checkpointed(join(dir, name), manifest);
    } catch (error) {
      if (!(error instanceof Damaged)) throw error;
      damaged.push(`The checkpoint ${join(dir, name)} is damaged: ${error.message}`);
    }
  }
  throw new BadInput({
    problem: inside.length === 1 ? 'The only checkpoint is damaged' : `All ${inside.length} checkpoints are damaged`,
    where: { file: dir },
    found: damaged.join('; '),
    fix: 'start the run anew, or bring the files back from a copy',
  });
}

/** The checkpoint in this very folder. */
async function readOne(folder: string): Promise<Checkpointed> {
  const there = await readdir(folder).catch(() => [] as string[]);
  if (!there.includes(MANIFEST) && !/^step-\d+$/.test(basename(resolve(folder))))
    throw new BadInput({
      problem: 'There is no checkpoint here',
      where: { file: folder },
      expected: 'a folder with subfolders step-…',
      fix: 'give the dir that train.sft had in checkpoint: { dir }',
    });
  try {
    return checkpointed(folder, await verified(folder));
  } catch (error) {
    if (!(error instanceof Damaged)) throw error;
    throw new BadInput({
      problem: `The checkpoint is damaged: ${error.message}`,
      where: { file: folder },
      fix: `train.resume(${JSON.stringify(dirname(resolve(folder)))}, …) takes the newest good one beside it`,
      cause: error,
    });
  }
}

/** The manifest of a checkpoint, all of whose files are as they were written. Throws Damaged. */
async function verified(folder: string): Promise<Manifest> {
  const manifest = await readManifest(folder);
  for (const [name, hash] of Object.entries(manifest.files)) {
    let found: string;
    try {
      found = await hashFile(join(folder, name));
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      throw new Damaged(code === 'ENOENT' ? `${name} is missing` : `${name} cannot be read (${message})`, { cause });
    }
    if (found !== hash) throw new Damaged(`${name} is not what was written (its SHA-256 differs)`);
  }
  return manifest;
}

function checkpointed(dir: string, manifest: Manifest): Checkpointed {
  const { step, order, replay, history, evaluations, samples, loop, settings, resting, adapters } = manifest;
  return {
    ...{ dir, step, order, replay, history, evaluations, samples, loop, settings, resting, adapters },
    hooks: hooksOf(dir, manifest),
    verify: plan => verify(dir, manifest, plan),
    restore: parameters => {
      const files = weightsIn(manifest).map(name => new TensorsFile(join(dir, name)));
      const known = new Set(parameters.map(({ name }) => name));
      const strange = files.flatMap(({ names }) => names).find(name => !known.has(name));
      if (strange !== undefined)
        throw new BadInput({
          problem: 'The checkpoint is of a model with other weights',
          where: { file: dir },
          expected: strange,
          found: `no such parameter among the ${known.size} of the model given`,
          fix: 'resume with the model the run was started with, or leave model out: it is in the checkpoint',
        });
      for (const parameter of parameters) writeParameter(dir, parameter, parameter.name, files);
    },
    optimizer: (optimizer, parameters) => {
      const files = [new TensorsFile(join(dir, OPTIMIZER))];
      const state = optimizer.init(parameters);
      state.updates = manifest.optimizer.updates;
      for (const [slot, values] of Object.entries(state.slots))
        for (const value of values) writeParameter(dir, value, `${slot}/${value.name}`, files);
      return state;
    },
  };
}

function hooksOf(dir: string, { hooks, files }: Manifest): SavedHookState | undefined {
  if (!hooks) return undefined;
  const tensors = HOOKS in files ? new TensorsFile(join(dir, HOOKS)) : undefined;
  return { json: hooks.json, tensor: name => tensors?.read(name) };
}

function verify(folder: string, manifest: Manifest, plan: SftPlan): void {
  const file = join(folder, MANIFEST);
  const { rows, replayRows } = rowHashes(plan);
  if (manifest.rows !== rows || manifest.replayRows !== replayRows)
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
  const { hooks } = manifest;
  if (!hooks && !plan.hooks.onSave) return;
  const [then, now] = [hooks?.about, plan.hooks.about].map(about => JSON.stringify(about ?? null));
  if (then === now && Boolean(hooks) === Boolean(plan.hooks.onSave)) return;
  throw new BadInput({
    problem: 'The hooks are not those of the run that was saved: what they kept does not fit',
    where: { file, key: 'hooks' },
    expected: hooks ? then : 'hooks that keep nothing',
    found: plan.hooks.onSave ? now : 'hooks that keep nothing',
    fix: 'pass the same hooks in the same order; to train with other ones start a new run from the saved model',
  });
}

function writeParameter(folder: string, parameter: Parameter<tf.Tensor>, name: string, files: readonly TensorsFile[]): void {
  let stored: ReturnType<TensorsFile['read']>;
  for (const file of files) stored ??= file.read(name);
  if (!stored || stored.shape.join() !== parameter.shape.join())
    throw new BadInput({
      problem: `The checkpoint does not fit the model at ${name}`,
      where: { file: folder },
      expected: `shape [${parameter.shape}]`,
      found: stored ? `shape [${stored.shape}]` : 'no such parameter',
      fix: 'resume with the model the run was started with',
    });
  const { values, shape } = stored;
  tf.tidy(() => parameter.write(tf.tensor(values, [...shape], 'float32')));
}

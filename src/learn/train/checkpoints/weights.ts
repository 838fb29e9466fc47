import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { BadInput, type Parameter, quote } from '../../../base/core/index.js';
import { loadAdapter, Model, saveAdapter } from '../../models/index.js';
import { writeTensors } from '../tensors-file.js';
import type { TrainableModel } from '../types.js';

/** The adapters a checkpoint was written with; its base is not in it. */
export interface SavedAdapters {
  /** Names of the adapters in use, in order. */
  names: string[];
  /** Weights of the base that were trained beside them. */
  also: string[];
  /** Tells another base: see {@link fingerprint}. */
  base: string;
}

const TRAINED = 'trained.safetensors';

/**
 * Write what a checkpoint holds of a model into `folder`. A model with adapters in use: their weights alone, as they are here
 * (`trained.safetensors`) and, to be loaded elsewhere, each as a folder PEFT loads (`adapters/<name>`); the frozen base is where
 * it came from. Any other model: all of it, as a folder `models.load` reads (`model`). Returns what is to be known of adapters.
 * @param remembered weights the run has trained, of which some may rest now
 */
export async function writeWeights(
  model: TrainableModel,
  folder: string,
  remembered: readonly string[] = [],
): Promise<SavedAdapters | undefined> {
  if (!(model instanceof Model) || model.inUse.length === 0) {
    await mkdir(join(folder, 'model'), { recursive: true });
    await model.save!(join(folder, 'model'));
    return undefined;
  }
  const names = [...model.inUse];
  for (const name of names) {
    await mkdir(join(folder, 'adapters', name), { recursive: true });
    await saveAdapter(model, join(folder, 'adapters', name), { name });
  }
  const also = model.baseParameters.filter(({ name, trainable }) => trainable || remembered.includes(name));
  const trained = [...names.flatMap(name => model.adapters.get(name)!.parameters), ...also];
  await writeTensors(join(folder, TRAINED), trained, index => valuesOf(trained[index]!));
  const alsoNames = also.map(({ name }) => name);
  return { names, also: alsoNames, base: fingerprint(model, alsoNames) };
}

/** The parameters whose values a checkpoint without adapters holds: an adapter that is not in use was not trained. */
export function savedParameters(model: TrainableModel): readonly Parameter<tf.Tensor>[] {
  return model instanceof Model ? model.baseParameters : model.parameters;
}

/** The files of a checkpoint that hold the weights: one, or those into which a large model is divided. */
export function weightsIn({ adapters, files }: { adapters: SavedAdapters | undefined; files: Record<string, string> }): string[] {
  if (adapters) return [TRAINED];
  return Object.keys(files).filter(name => name.startsWith('model/') && name.endsWith('.safetensors'));
}

/** A checkpoint of all weights does not go on with an adapter's. */
export function refuseAdapters(model: TrainableModel | undefined, folder: string): void {
  if (!(model instanceof Model) || model.adapters.size === 0) return;
  const [name] = model.adapters.keys();
  throw new BadInput({
    problem: "The run trained the model's own weights, and the model given has an adapter",
    where: { file: folder, key: 'model' },
    found: quote(name),
    fix: `model.detach(${quote(name)}) takes it off; to train an adapter start a new run from the saved model: models.load(step folder + "/model")`,
  });
}

/**
 * Make a model ready for the weights of a checkpoint with adapters: adapters it has not are put on it, and those of the checkpoint
 * are used. Throws BadInput for a model that is not the base of the run. Returns the parameters that are in the checkpoint.
 */
export async function readyForAdapters(
  model: TrainableModel | undefined,
  folder: string,
  { names, also, base }: SavedAdapters,
): Promise<readonly Parameter<tf.Tensor>[]> {
  const where = { file: folder };
  if (!(model instanceof Model))
    throw new BadInput({
      problem: `The run trained ${names.length > 1 ? 'adapters' : 'an adapter'}; its checkpoint does not hold the frozen base`,
      where,
      fix: 'pass the base it was trained on: train.resume(dir, { model, rows })',
    });
  if (fingerprint(model, also) !== base)
    throw new BadInput({
      problem: 'The model is not the base of the run that was saved',
      where,
      fix: 'pass the model the adapter was trained on',
    });
  for (const name of names) if (!model.adapters.has(name)) await loadAdapter(model, join(folder, 'adapters', name), { name });
  model.use(names);
  const beside = model.baseParameters.filter(({ name }) => also.includes(name));
  for (const parameter of beside) parameter.trainable = true;
  return [...names.flatMap(name => model.adapters.get(name)!.parameters), ...beside];
}

/** A hash of the names and shapes of all base weights and of the first and last values of each that was not trained. */
function fingerprint(model: Model, trained: readonly string[]): string {
  const hash = createHash('sha256');
  for (const parameter of model.baseParameters) {
    hash.update(`${parameter.name}[${parameter.shape}]`);
    if (trained.includes(parameter.name)) continue;
    const count = Math.min(16, parameter.size);
    const ends = tf.tidy(() => {
      const flat = tf.reshape(parameter.read(), [-1]) as tf.Tensor1D;
      return tf.concat([tf.slice(flat, 0, count), tf.slice(flat, parameter.size - count, count)]);
    });
    hash.update(Uint8Array.from(new Uint8Array((ends.dataSync() as Float32Array).slice().buffer)));
    ends.dispose();
  }
  return hash.digest('hex');
}

/** The values of a parameter. */
export function valuesOf(parameter: Parameter<tf.Tensor>): Float32Array {
  const tensor = parameter.read();
  try {
    return tensor.dataSync() as Float32Array;
  } finally {
    tensor.dispose();
  }
}

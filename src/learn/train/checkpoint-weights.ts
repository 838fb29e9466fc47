import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { BadInput, type Parameter } from '../../base/core/index.js';
import { loadAdapter, Model, saveAdapter } from '../models/index.js';
import { writeTensors } from './tensors-file.js';
import type { TrainableModel } from './types.js';

/** The adapters a checkpoint was written with; its base is not in it. */
export interface SavedAdapters {
  /** Names of the adapters in use, in order. */
  names: string[];
  /** Tells another base: see {@link fingerprint}. */
  base: string;
}

const TRAINED = 'trained.safetensors';

/**
 * Write what a checkpoint holds of a model into `folder`. A model with adapters in use: their weights alone, as they are here
 * (`trained.safetensors`) and, to be loaded elsewhere, each as a folder PEFT loads (`adapters/<name>`); the frozen base is where
 * it came from. Any other model: all of it, as a folder `models.load` reads. Returns the file with the weights and what the
 * manifest must know.
 */
export async function writeWeights(
  model: TrainableModel,
  folder: string,
): Promise<{ file: string; adapters: SavedAdapters | undefined }> {
  if (!(model instanceof Model) || model.inUse.length === 0) {
    await mkdir(join(folder, 'model'), { recursive: true });
    await model.save!(join(folder, 'model'));
    return { file: join('model', 'model.safetensors'), adapters: undefined };
  }
  const names = [...model.inUse];
  for (const name of names) {
    await mkdir(join(folder, 'adapters', name), { recursive: true });
    await saveAdapter(model, join(folder, 'adapters', name), { name });
  }
  const trained = names.flatMap(name => model.adapters.get(name)!.parameters);
  await writeTensors(join(folder, TRAINED), trained, index => valuesOf(trained[index]!));
  return { file: TRAINED, adapters: { names, base: fingerprint(model) } };
}

/**
 * Make a model ready for the weights of a checkpoint with adapters: adapters it has not are put on it, and those of the checkpoint
 * are used. Throws BadInput for a model that is not the base of the run. Returns the parameters that are in the checkpoint.
 */
export async function readyForAdapters(
  model: TrainableModel | undefined,
  folder: string,
  { names, base }: SavedAdapters,
): Promise<readonly Parameter<tf.Tensor>[]> {
  const where = { file: folder };
  if (!(model instanceof Model))
    throw new BadInput({
      problem: `The run trained ${names.length > 1 ? 'adapters' : 'an adapter'}; its checkpoint does not hold the frozen base`,
      where,
      fix: 'pass the base it was trained on: train.resume(dir, { model, rows })',
    });
  if (fingerprint(model) !== base)
    throw new BadInput({
      problem: 'The model is not the base of the run that was saved',
      where,
      fix: 'pass the model the adapter was trained on',
    });
  for (const name of names) if (!model.adapters.has(name)) await loadAdapter(model, join(folder, 'adapters', name), { name });
  model.use(names);
  return names.flatMap(name => model.adapters.get(name)!.parameters);
}

/** A hash of the names and shapes of all base weights and of the first and last values of each. */
function fingerprint(model: Model): string {
  const hash = createHash('sha256');
  for (const parameter of model.baseParameters) {
    hash.update(`${parameter.name}[${parameter.shape}]`);
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

function valuesOf(parameter: Parameter<tf.Tensor>): Float32Array {
  const tensor = parameter.read();
  try {
    return tensor.dataSync() as Float32Array;
  } finally {
    tensor.dispose();
  }
}

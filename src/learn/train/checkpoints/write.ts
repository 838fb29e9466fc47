import { join } from 'node:path';
import type * as tf from '@tensorflow/tfjs-core';
import type { Parameter } from '../../../base/core/index.js';
import type { HookState } from '../hooks.js';
import type { SftPlan } from '../options.js';
import type { OrderState } from '../order.js';
import type { LoopState } from '../sft.js';
import type { StreamState } from '../source.js';
import { writeTensors } from '../tensors-file.js';
import type { OptimizerState } from '../types.js';
import { filesIn, hashFile, writeFolder } from './folder.js';
import { nameOf, tidy } from './list.js';
import { type CheckpointOptions, rowHashes, type Told, writeManifest } from './manifest.js';
import { valuesOf, writeWeights } from './weights.js';

/** What a run hands over to be saved. */
export interface Snapshot {
  plan: SftPlan;
  step: number;
  order: OrderState | StreamState;
  replay: OrderState | undefined;
  /** Every slot of the optimizer is written, an average of the weights (EMA) among them. */
  state: OptimizerState;
  /** What else the loop knows. */
  loop: LoopState;
  /** What its hooks keep. */
  hooks?: HookState;
  /** What the run has told so far. */
  told: Told;
}

export const OPTIMIZER = 'optimizer.safetensors';
export const HOOKS = 'hooks.safetensors';

/**
 * Write `dir/step-…`: the model (a folder `models.load` reads, in several files where it is large) or, where adapters are trained, these
 * alone; optimizer memory, data position and history, with the SHA-256 of each file. It is there whole or not at all (contract 8).
 * Random numbers need no state of their own: each is made from the seed, the step and the batch. Returns its folder.
 */
export async function saveCheckpoint({ dir, every, keep = 2 }: CheckpointOptions, snapshot: Snapshot): Promise<string> {
  const { plan, step, state, order, replay, loop, hooks, told } = snapshot;
  const target = await writeFolder(dir, nameOf(step), async folder => {
    const adapters = await writeWeights(plan.model, folder, loop.remembered);
    await writeSlots(join(folder, OPTIMIZER), state);
    const kept = hooks?.tensors ?? [];
    if (kept.length > 0) await writeTensors(join(folder, HOOKS), kept, index => kept[index]!.values());
    const files: Record<string, string> = {};
    for (const file of await filesIn(folder)) files[file] = await hashFile(join(folder, file));
    const { batchSize, accumulate, steps, epochs, learningRate, clip, shuffle, seed, name, scheduleName, shaping } = plan;
    const { packing, bucket, shuffleBuffer } = plan;
    const chosen = { batchSize, accumulate, steps, epochs, learningRate, clip, shuffle, seed, name, scheduleName, shaping };
    await writeManifest(folder, {
      step,
      order,
      replay,
      loop,
      hooks: hooks && { json: hooks.json, about: plan.hooks.about },
      ...told,
      settings: { ...chosen, packing, bucket, shuffleBuffer, saving: { every, keep } },
      optimizer: { name: plan.optimizer.name, settings: plan.optimizer.settings, updates: state.updates },
      ...rowHashes(plan),
      resting: resting(plan),
      adapters,
      files,
    });
  });
  await tidy(dir, step, Math.max(1, keep));
  return target;
}

async function writeSlots(path: string, state: OptimizerState): Promise<void> {
  const slots: { name: string; shape: readonly number[]; size: number; value: Parameter<tf.Tensor> }[] = [];
  for (const [slot, values] of Object.entries(state.slots))
    for (const value of values) slots.push({ name: `${slot}/${value.name}`, shape: value.shape, size: value.size, value });
  await writeTensors(path, slots, index => valuesOf(slots[index]!.value));
}

/** Weights that rest, but for those that the option `freeze` says: they are its own to set. */
function resting({ model, shaping }: SftPlan): string[] {
  const frozen = new Set((shaping.freeze ?? []) as string[]);
  return model.parameters.filter(({ name, trainable }) => !trainable && !frozen.has(name)).map(({ name }) => name);
}

import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { readSafetensorsHeader, readTensor, withFile } from '../../../src/learn/models/files/safetensors.js';
import type { TrainBatch } from '../../../src/learn/models/index.js';

/** What transformers computed; see fixtures/make.py. */
export interface Expected {
  input: { ids: number[][]; attentionMask: number[][] };
  /** Rows beyond the length from which the model turns its positions otherwise, where there is one. */
  long?: { ids: number[][]; attentionMask: number[][] };
  greedy: { ids: number[][]; mask: number[][]; count: number; new: number[][]; margin: number[][] };
  batches: TrainBatch[];
  first: { numerator: number; denominator: number };
  /** Eight steps of torch.optim.AdamW on the mean loss over trained tokens, gradient norm before clipping. */
  optimizer: { lr: number; betas: [number, number]; eps: number; weight_decay: number; clip: number };
  steps: { loss: number; gradNorm: number }[];
}

export function fixture(name: string): string {
  return fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));
}

/** The decoders whose logits and gradients transformers computed, one or more of every family. */
export const DECODERS: readonly string[] = readdirSync(fixture(''))
  .filter(name => existsSync(`${fixture(name)}/expected.safetensors`))
  .sort();

export async function expected(name: string): Promise<Expected> {
  return JSON.parse(await readFile(`${fixture(name)}/expected.json`, 'utf8')) as Expected;
}

/** All tensors of a safetensors file. */
export function tensorsOf(path: string): Promise<Map<string, Float32Array>> {
  return withFile(path, async file => {
    const found = new Map<string, Float32Array>();
    for (const entry of await readSafetensorsHeader(file, path)) found.set(entry.name, await readTensor(file, entry, path));
    return found;
  });
}

/** Largest difference, relative to the largest expected value. */
export function relative(ours: ArrayLike<number>, theirs: ArrayLike<number>): number {
  let most = 1e-12;
  let off = ours.length === theirs.length ? 0 : Number.POSITIVE_INFINITY;
  for (let i = 0; i < theirs.length; i++) {
    most = Math.max(most, Math.abs(theirs[i]!));
    off = Math.max(off, Math.abs(theirs[i]! - ours[i]!));
  }
  return off / most;
}

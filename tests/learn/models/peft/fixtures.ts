import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Adapter, Model, TrainBatch } from '../../../../src/learn/models/index.js';
import { load } from '../../../../src/learn/models/index.js';
import { tensorsOf } from '../fixtures.js';

/** What PEFT computed with an adapter; see fixtures/make.py. */
export interface Expected {
  base: string;
  ids: number[][];
  decoderIds: number[][] | null;
  batches: TrainBatch[];
  first: { numerator: number; denominator: number };
  optimizer: { lr: number; betas: [number, number]; eps: number; weight_decay: number; clip: number };
  steps: { loss: number; gradNorm: number }[];
}

export const baseFolder = (name: string): string => fileURLToPath(new URL(`./fixtures/bases/${name}`, import.meta.url));
export const adapterFolder = (name: string): string => fileURLToPath(new URL(`./fixtures/adapters/${name}`, import.meta.url));

export async function expected(name: string): Promise<Expected> {
  return JSON.parse(await readFile(`${adapterFolder(name)}/expected.json`, 'utf8')) as Expected;
}

/** Logits, gradients, and values after three steps, by name. */
export function tensors(name: string): Promise<Map<string, Float32Array>> {
  return tensorsOf(`${adapterFolder(name)}/expected.safetensors`);
}

export function base(name: string): Promise<Model> {
  return load(baseFolder(name));
}

/** Logits of whole rows as numbers. */
export function logits(model: Model, { ids, decoderIds }: Pick<Expected, 'ids' | 'decoderIds'>): Float32Array {
  const tensor = model.logits({ ids, ...(decoderIds ? { decoderIds } : {}) });
  try {
    return tensor.dataSync() as Float32Array;
  } finally {
    tensor.dispose();
  }
}

/** The name each parameter has in the adapter's file, by its name here. */
export function fileNames(adapter: Adapter): Map<string, string> {
  return new Map(adapter.toPeft().tensors.map(({ name, parameter }) => [parameter.name, name]));
}

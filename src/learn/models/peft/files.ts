import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { BadInput, quote, writeFileAtomic } from '../../../base/core/index.js';
import type { Adapter } from '../adapter.js';
import { exists, readJson } from '../files/json.js';
import { printable, readSafetensorsHeader, readTensor, type TensorEntry, withFile } from '../files/safetensors.js';
import { safetensorsChunks } from '../files/write.js';
import type { Model } from '../model.js';
import type { ModelParameter } from '../parameter.js';
import { type Carried, carriedTensor, differs } from './carried.js';
import { type FiledSpec, PeftConfig, type PeftFormat, type PlannedTensor } from './format.js';

/** Which of a model's adapters, and what it is called. */
export interface AdapterFileOptions {
  /** Name of the adapter in the model. Default 'default', or for saving the only one there is. */
  name?: string;
}

const CONFIG = 'adapter_config.json';
const WEIGHTS = 'adapter_model.safetensors';

/**
 * Write an adapter as PEFT's `save_pretrained` does: adapter_model.safetensors with PEFT's names and adapter_config.json, each
 * whole or not at all, the configuration last.
 */
export async function writeAdapter(adapter: Adapter, dir: string): Promise<void> {
  const { config, tensors } = adapter.toPeft();
  const sorted = [...tensors].sort((a, b) => (a.name < b.name ? -1 : 1));
  const headers = sorted.map(({ name, parameter: { shape, size } }) => ({ name, shape, size }));
  const values = (index: number) => {
    const tensor = sorted[index]!.parameter.read();
    try {
      return tensor.dataSync() as Float32Array;
    } finally {
      tensor.dispose();
    }
  };
  await writeFileAtomic(join(dir, WEIGHTS), safetensorsChunks(headers, values));
  await writeFileAtomic(join(dir, CONFIG), `${JSON.stringify(config, undefined, 2)}\n`);
}

/** An adapter of a folder, ready to be built on the model it was checked against. */
export interface ReadAdapter {
  readonly spec: FiledSpec;
  readonly values: ReadonlyMap<string, Float32Array>;
  /** Gives the base the rows of added tokens that the adapter brings; to be called when it is attached. */
  adopt(): void;
}

/**
 * Read the adapter in `dir` and check it against `model`: its modules must exist there and every tensor must have the shape this
 * model asks for. Nothing of a tensor's size is allocated before; the model is not touched. Throws BadInput listing what is
 * missing, unknown or of another shape.
 */
export async function readAdapter(model: Model, dir: string, formats: readonly PeftFormat[]): Promise<ReadAdapter> {
  const file = join(dir, CONFIG);
  const config = new PeftConfig(await readJson(file), file);
  const type = config.values.peft_type;
  const format = formats.find(({ peftType }) => peftType === type);
  if (!format)
    throw new BadInput({
      problem: 'This kind of adapter is not known',
      where: { file, key: 'peft_type' },
      expected: formats.map(({ peftType }) => peftType).join(', '),
      found: quote(type ?? null),
      fix: 'merge it into its base with PEFT (merge_and_unload) and load the merged model',
    });
  const weights = join(dir, WEIGHTS);
  await refusePickle(dir, weights);
  const spec = format.spec(config);
  const plan = planOf(spec, model, file);
  const adopted = new Map<ModelParameter, Float32Array>();
  const values = await withFile(weights, async handle => {
    const entries = await readSafetensorsHeader(handle, weights);
    const carried = checkPlan(plan, entries, model, weights);
    const read = new Map<string, Float32Array>();
    const copies: { name: string; of: string; tensor: Float32Array }[] = [];
    for (const entry of entries) {
      const tensor = await readTensor(handle, entry, weights);
      const bad = tensor.findIndex(value => !Number.isFinite(value));
      if (bad >= 0)
        throw new BadInput({
          problem: 'A weight of the adapter is not a number',
          where: { file: weights, key: entry.name },
          found: `${tensor[bad]} at position ${bad}`,
          fix: 'use an earlier checkpoint: this training has diverged',
        });
      const other = carried.get(entry.name);
      if (!other) read.set(entry.name, tensor);
      else if ('copyOf' in other) copies.push({ name: entry.name, of: other.copyOf, tensor });
      else if (differs(model, other.base, tensor, entry.dtype, weights)) adopted.set(other.base, tensor);
    }
    for (const { name, of, tensor } of copies)
      if (!tensor.every((value, i) => value === read.get(of)![i]))
        throw new BadInput({
          problem: 'Two tensors that must be alike are not',
          where: { file: weights, key: name },
          expected: of,
        });
    return read;
  });
  const adopt = () => {
    for (const [parameter, own] of adopted) tf.tidy(() => parameter.write(tf.tensor(own, [...parameter.shape], 'float32')));
  };
  return { spec, values, adopt };
}

/** The plan of a spec that was read from a file: where it cannot be put on the model, the error says which file and what that means. */
function planOf(spec: FiledSpec, model: Model, file: string): readonly PlannedTensor[] {
  try {
    return spec.plan(model);
  } catch (cause) {
    if (!(cause instanceof BadInput)) throw cause;
    const { problem, where, expected, found } = cause.parts;
    throw new BadInput({
      problem: `The adapter does not fit this model – ${problem}`,
      where: { ...where, file },
      expected,
      found,
      fix: 'load it on the base it was trained on (base_model_name_or_path in adapter_config.json); after tokens were added, resize the vocabulary first: models.resizeVocabulary',
      cause,
    });
  }
}

/**
 * Throws BadInput unless plan and file agree. Returns the tensors that PEFT wrote along with the adapter's own.
 */
function checkPlan(
  plan: readonly PlannedTensor[],
  entries: readonly TensorEntry[],
  model: Model,
  file: string,
): Map<string, Carried> {
  const wanted = new Map(plan.map(tensor => [tensor.file, tensor.shape]));
  const found = new Map(entries.map(entry => [entry.name, entry.shape]));
  const carried = new Map<string, Carried>();
  const unknown: string[] = [];
  const misshaped: string[] = [];
  const compare = (name: string, shape: readonly number[], expected: readonly number[]) => {
    if (shape.join() !== expected.join()) misshaped.push(`${name} is [${shape.join(', ')}] instead of [${expected.join(', ')}]`);
  };
  for (const [name, shape] of found) {
    const expected = wanted.get(name);
    const other = expected ? undefined : carriedTensor(name, model, wanted);
    if (other) carried.set(name, other);
    const fitting = expected ?? (other && ('copyOf' in other ? wanted.get(other.copyOf)! : other.base.shape));
    if (fitting) compare(name, shape, fitting);
    else unknown.push(name);
  }
  const missing = [...wanted.keys()].filter(name => !found.has(name));
  const list = (label: string, names: readonly string[]) => {
    const more = names.length > 12 ? `; and ${names.length - 12} more` : '';
    return names.length > 0 ? [`${label}: ${names.slice(0, 12).map(printable).join('; ')}${more}`] : [];
  };
  const problems = [
    ...list('of another shape', misshaped),
    ...list('missing', missing),
    ...list('that the model has no place for', unknown),
  ];
  if (problems.length > 0)
    throw new BadInput({
      problem: `The adapter does not fit this model – ${problems.join('. ')}`,
      where: { file },
      fix: 'load it on the base it was trained on (base_model_name_or_path in adapter_config.json); after tokens were added, resize the vocabulary first',
    });
  return carried;
}

async function refusePickle(dir: string, weights: string): Promise<void> {
  if ((await exists(weights)) || !(await exists(join(dir, 'adapter_model.bin')))) return;
  throw new BadInput({
    problem: 'The weights are a Python pickle, which can run code when it is read',
    where: { file: join(dir, 'adapter_model.bin') },
    expected: WEIGHTS,
    fix: 'save the adapter with safe_serialization=True (PEFT)',
  });
}

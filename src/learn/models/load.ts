import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { use } from '../../base/backend/index.js';
import { BadInput, progress, quote } from '../../base/core/index.js';
import { type DecoderConfig, decoderConfig, type Preset, parseConfig } from './config.js';
import { Model } from './model.js';
import { createParameter, type ModelParameter } from './parameter.js';
import { readSafetensorsHeader, readTensor, type TensorEntry, withFile } from './safetensors.js';
import { initialValues, type WeightSpec, weightSpecs } from './weights.js';

/** Options of {@link init}: the seed, and any field of the configuration to set. */
export interface InitOptions extends Partial<DecoderConfig> {
  /** 0 unless told. Equal seeds give equal weights on every machine. */
  seed?: number | string;
}

/**
 * A new model with random weights, for work from scratch: `init('nano', {vocabSize: tokenizer.vocabSize, seed: 1})`, or
 * `init({hiddenSize: 64, …}, {seed})`. Matrices begin as N(0, 1/√fan_in), see {@link weightSpecs}.
 */
export function init(from: Preset | Partial<DecoderConfig>, options: InitOptions = {}): Model {
  const { seed = 0, ...overrides } = options;
  const config = decoderConfig(from, overrides);
  const parameters = weightSpecs(config).map(spec => createParameter(spec.name, spec.shape, initialValues(spec, seed)));
  return new Model(config, parameters);
}

/**
 * Load a model directory as transformers writes it: config.json and model.safetensors, or shards with
 * model.safetensors.index.json; float32, float16 and bfloat16 weights become float32. Throws BadInput, before any weight
 * is allocated, for an unknown architecture and for missing, unknown or mis-shaped weights, all of them listed. Where no
 * backend was chosen yet, `backend.use()` chooses.
 */
export async function load(dir: string): Promise<Model> {
  if (!tf.engine().backendName) await use();
  const configFile = join(dir, 'config.json');
  const rawConfig = await readJson(configFile);
  const config = parseConfig(rawConfig, configFile);
  const generation = (await exists(join(dir, 'generation_config.json')))
    ? await readJson(join(dir, 'generation_config.json'))
    : undefined;
  const files = await weightFiles(dir);
  const found = new Map<string, TensorEntry & { file: string }>();
  const twice: string[] = [];
  for (const { path: file } of files) {
    for (const entry of await withFile(file, handle => readSafetensorsHeader(handle, file))) {
      if (found.has(entry.name)) twice.push(entry.name);
      found.set(entry.name, { ...entry, file });
    }
  }
  checkIndex(files, found, dir);
  const specs = weightSpecs(config);
  checkWeights(specs, found, twice, config, dir);

  const wanted = specs.map(({ name }) => found.get(name)!);
  const total = wanted.reduce((sum, { bytes }) => sum + bytes, 0);
  const report = progress(`load ${dir}`, { total, unit: 'B' });
  const byName = new Map<string, ModelParameter>();
  let done = 0;
  try {
    for (const { path } of files)
      await withFile(path, async handle => {
        const entries = wanted.filter(entry => entry.file === path).sort((a, b) => a.offset - b.offset);
        for (const entry of entries) {
          byName.set(entry.name, createParameter(entry.name, entry.shape, await readTensor(handle, entry, path)));
          done += entry.bytes;
          report.update(done);
        }
      });
  } catch (error) {
    for (const parameter of byName.values()) parameter.dispose();
    throw error;
  } finally {
    report.finish();
  }
  return new Model(
    config,
    specs.map(({ name }) => byName.get(name)!),
    { config: rawConfig, generation },
  );
}

interface WeightFile {
  path: string;
  /** Tensors the index places in it; undefined without an index. */
  names?: string[];
}

async function weightFiles(dir: string): Promise<WeightFile[]> {
  const single = join(dir, 'model.safetensors');
  const indexFile = join(dir, 'model.safetensors.index.json');
  if (await exists(single)) return [{ path: single }];
  if (!(await exists(indexFile)))
    throw new BadInput({
      problem: 'This directory holds no weights we can read',
      where: { file: dir },
      expected: 'model.safetensors, or model.safetensors.index.json and its shards',
      fix: 'save the model with safe_serialization=True (transformers), or model.save(dir)',
    });
  const map = (await readJson(indexFile)).weight_map;
  if (typeof map !== 'object' || map === null || Array.isArray(map))
    throw new BadInput({ problem: 'The index has no weight_map', where: { file: indexFile, key: 'weight_map' } });
  const byFile = new Map<string, string[]>();
  for (const [name, file] of Object.entries(map)) {
    // A shard lies beside its index; a path that leads elsewhere is not followed.
    if (typeof file !== 'string' || !/^[\w.-]+\.safetensors$/.test(file))
      throw new BadInput({
        problem: 'The index names a file that cannot be a shard',
        where: { file: indexFile, key: name },
        expected: 'a file name that ends in .safetensors',
        found: quote(file),
      });
    byFile.set(file, [...(byFile.get(file) ?? []), name]);
  }
  for (const file of byFile.keys())
    if (!(await exists(join(dir, file))))
      throw new BadInput({
        problem: 'The index names a shard that is not there',
        where: { file: indexFile },
        expected: `${file} beside it`,
        fix: 'download the missing shard',
      });
  return Array.from(byFile, ([file, names]) => ({ path: join(dir, file), names }));
}

function checkIndex(files: WeightFile[], found: Map<string, { file: string }>, dir: string): void {
  for (const { path, names } of files)
    for (const name of names ?? [])
      if (found.get(name)?.file !== path)
        throw new BadInput({
          problem: 'A shard lacks a weight that the index places in it',
          where: { file: path, key: name },
          fix: `download the shards of ${dir} again`,
        });
}

/** Buffers that old checkpoints carry although they are computed. */
const COMPUTED = /\.rotary_emb\.inv_freq$/;

function checkWeights(
  specs: WeightSpec[],
  found: Map<string, TensorEntry>,
  twice: string[],
  config: DecoderConfig,
  dir: string,
): void {
  const known = new Set(specs.map(({ name }) => name));
  const unknown = [...found.keys()].filter(
    name => !known.has(name) && !COMPUTED.test(name) && !(config.tieWordEmbeddings && name === 'lm_head.weight'),
  );
  const missing = specs.filter(({ name }) => !found.has(name)).map(({ name }) => name);
  const misshaped = specs.flatMap(({ name, shape }) => {
    const actual = found.get(name)?.shape;
    const same = !actual || (actual.length === shape.length && actual.every((n, i) => n === shape[i]));
    return same ? [] : [`${name} is [${actual.join(', ')}] instead of [${shape.join(', ')}]`];
  });
  const list = (label: string, names: string[]) =>
    names.length > 0
      ? [`${label}: ${names.slice(0, 20).map(printable).join('; ')}${names.length > 20 ? `; and ${names.length - 20} more` : ''}`]
      : [];
  const problems = [
    ...list('missing', missing),
    ...list('unknown', unknown),
    ...list('of another shape', misshaped),
    ...list('in two shards', twice),
  ];
  if (problems.length > 0)
    throw new BadInput({
      problem: `The weights do not fit config.json – ${problems.join('. ')}`,
      where: { file: dir },
      fix: 'use the config.json that was saved with these weights',
    });
}

/** Names come from the file: kept on one line, without the quotes of {@link quote}. */
function printable(name: string): string {
  return quote(name, 120).replace(/^"|"$/g, '');
}

async function readJson(path: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new BadInput({
      problem: `The file cannot be read (${(cause as NodeJS.ErrnoException).code})`,
      where: { file: path },
      fix: 'give the directory of a model: config.json, model.safetensors',
      cause,
    });
  }
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (cause) {
    throw new BadInput({
      problem: `The file is not JSON (${(cause as Error).message.slice(0, 120)})`,
      where: { file: path },
      cause,
    });
  }
  throw new BadInput({ problem: 'The file is not a JSON object', where: { file: path }, found: quote(text, 40) });
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { use } from '../../../base/backend/index.js';
import { Interrupted, progress } from '../../../base/core/index.js';
import { architectureOf } from '../architecture.js';
import type { Model } from '../model.js';
import { type ModelParameter, type ParameterInPieces, parameterInPieces } from '../parameter.js';
import { checkIndex, type FoundTensor, matchWeights, nonFiniteError } from './check.js';
import { type HubOptions, localFolder } from './hub.js';
import { exists, readJson } from './json.js';
import { readSafetensorsHeader, withFile } from './safetensors.js';
import { notADirectory, type WeightFile, weightFiles } from './shards.js';
import { readPieces } from './tensors.js';

/** Options of {@link load}; those of the hub matter for a model that is downloaded. */
export interface LoadOptions extends HubOptions {
  /** Load weights with NaN or infinite values too, which is an error otherwise. */
  allowNonFinite?: boolean;
}

/**
 * Load a model: a directory as transformers writes it, or the name of one on the Hugging Face hub (`owner/name`,
 * `owner/name@revision`), which is downloaded once and kept. Read are config.json and model.safetensors, or shards with
 * model.safetensors.index.json; float32, float16 and bfloat16 weights become float32. Memory grows by the weights and a few
 * megabytes. Throws BadInput, before any weight is allocated, for an unknown architecture and for missing, unknown or mis-shaped
 * weights, all of them listed; a load that fails leaves nothing behind. Where no backend was chosen yet, `backend.use()` chooses.
 */
export async function load(source: string, options: LoadOptions = {}): Promise<Model> {
  const dir = await localFolder(source, options);
  if ((await stat(dir).catch(() => undefined))?.isFile()) throw notADirectory(dir);
  const configFile = join(dir, 'config.json');
  const rawConfig = await readJson(configFile);
  const architecture = architectureOf(rawConfig, configFile);
  const generationFile = join(dir, 'generation_config.json');
  const generation = (await exists(generationFile)) ? await readJson(generationFile) : undefined;
  const files = await weightFiles(dir);
  const found = await tensorsIn(files);
  checkIndex(files, found, dir);
  const names = new Set(found.map(({ name }) => name));
  const { specs, canonical, make } = architecture.fitting?.(names) ?? architecture;
  const matched = matchWeights(specs, found, canonical, dir);
  if (!tf.engine().backendName) await use();
  const parameters = await readWeights(matched, files, dir, options);
  return make(
    specs.map(({ name }) => parameters.get(name)!),
    { config: rawConfig, generation, directory: resolve(dir) },
  );
}

/** The tensors of all files, from their headers. */
async function tensorsIn(files: readonly WeightFile[]): Promise<FoundTensor[]> {
  const found: FoundTensor[] = [];
  for (const { path: file } of files)
    for (const entry of await withFile(file, handle => readSafetensorsHeader(handle, file))) found.push({ ...entry, file });
  return found;
}

/** Read the matched tensors, file after file in the order of their bytes. Either all are returned, or all are freed. */
async function readWeights(
  matched: ReadonlyMap<string, FoundTensor>,
  files: readonly WeightFile[],
  dir: string,
  { allowNonFinite = false, signal }: LoadOptions,
): Promise<Map<string, ModelParameter>> {
  const names = new Map(Array.from(matched, ([name, tensor]) => [tensor, name]));
  const total = [...matched.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  const report = progress(`load ${dir}`, { total, unit: 'B' });
  const made = new Map<string, ModelParameter>();
  const broken = new Set<string>();
  let coming: ParameterInPieces | undefined;
  let done = 0;
  const onBytes = (bytes: number) => {
    if (signal?.aborted) throw new Interrupted({ problem: 'loading was stopped', where: { file: dir } });
    done += bytes;
    report.update(done);
  };
  try {
    for (const { path } of files)
      await withFile(path, async handle => {
        const tensors = [...names.keys()].filter(({ file }) => file === path).sort((a, b) => a.offset - b.offset);
        for await (const { entry, index, size, values, finite, last } of readPieces(handle, tensors, path, onBytes)) {
          const name = names.get(entry)!;
          coming ??= parameterInPieces(name, entry.shape);
          coming.put(values, index, size);
          if (!finite) broken.add(entry.name);
          if (!last) continue;
          made.set(name, coming.finish());
          coming = undefined;
        }
      });
    if (broken.size > 0 && !allowNonFinite) throw nonFiniteError([...broken], dir);
  } catch (error) {
    coming?.dispose();
    for (const parameter of made.values()) parameter.dispose();
    throw error;
  } finally {
    report.finish();
  }
  return made;
}

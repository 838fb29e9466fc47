import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { BadInput, progress, quote, type StagedFile, stageFile, syncDirectory } from '../../../base/core/index.js';
import type { Model } from '../model.js';
import { configJson } from './config-json.js';
import type { WeightType } from './half.js';
import { INDEX, SINGLE } from './shards.js';
import { safetensorsChunks, widthOf } from './write.js';

/** Options of `model.save`. */
export interface SaveOptions {
  /** Type of the weights in the files: float32 unless told. The 16-bit ones are rounded to the nearest, ties to even. */
  dtype?: WeightType;
  /**
   * Models with more bytes than this are written in several files with an index, each of at most so many bytes (a single larger
   * weight has a file of its own): a number, or `'500MB'`, `'5GB'` (powers of ten, as transformers counts). 5 GB unless told.
   */
  maxShardSize?: number | string;
}

/**
 * Write a model as transformers loads it: config.json, generation_config.json, and model.safetensors or shards with their index.
 * Everything is written beside and put in place when all of it is there: a full disk or a value that float16 cannot hold leaves
 * the directory as it was. Weights of an earlier save that are no longer named are removed; other files are left alone. The files of the
 * tokenizer and the chat template that the model was loaded with are copied, unless there is one of them in the directory.
 */
export async function saveModel(model: Model, dir: string, options: SaveOptions = {}): Promise<void> {
  const { dtype = 'float32', maxShardSize = '5GB' } = options;
  if (dtype !== 'float32' && dtype !== 'float16' && dtype !== 'bfloat16')
    throw new BadInput({
      problem: 'Unknown type of weights',
      expected: 'float32, float16 or bfloat16',
      found: quote(dtype),
      fix: 'leave dtype out for float32',
    });
  if (typeof dir !== 'string' || dir === '' || (await stat(dir).catch(() => undefined))?.isFile())
    throw new BadInput({
      problem: 'A model cannot be saved here',
      expected: 'a directory, which is made where it is not there',
      found: typeof dir === 'string' && dir !== '' ? `the file ${quote(dir)}` : quote(dir ?? null),
      fix: "for example await model.save('runs/my-model')",
    });
  const weights = model.baseParameters;
  const width = widthOf(dtype);
  const total = weights.reduce((sum, { size }) => sum + size * width, 0);
  const shards = intoShards(weights, width, byteCount(maxShardSize));
  const names = shards.map((_, i) => (shards.length === 1 ? SINGLE : shardName(i, shards.length)));

  const report = progress(`save ${dir}`, { total, unit: 'B' });
  const staged: StagedFile[] = [];
  const stage = async (name: string, content: Parameters<typeof stageFile>[1]) => {
    staged.push(await stageFile(join(dir, name), content));
  };
  try {
    let done = 0;
    for (const [i, shard] of shards.entries()) {
      const read = (index: number): Float32Array => {
        const tensor = shard[index]!.read();
        try {
          return tensor.dataSync() as Float32Array;
        } finally {
          tensor.dispose();
          done += shard[index]!.size * width;
          report.update(done);
        }
      };
      await stage(names[i]!, safetensorsChunks(shard, read, dtype));
    }
    if (shards.length > 1) await stage(INDEX, json(indexOf(shards, names, total)));
    const config = { ...model.huggingFaceConfig(), torch_dtype: dtype, dtype };
    await stage('config.json', configJson(config));
    await stage('generation_config.json', json(generationConfig(config, model)));
    for (const [name, content] of await companions(model, dir)) await stage(name, content);
    await putInPlace(dir, staged, new Set(names));
  } finally {
    for (const file of staged) await file.discard();
    report.finish();
  }
}

/**
 * Give the staged files their names, weights before the rest, and remove what the new weights replace at the end: until then a
 * loader, which looks for a single file first and then for an index, finds the old model or the new one. Only where new shards
 * take the names of old ones could it find shards of two models, so the old index goes first: then it finds none.
 */
async function putInPlace(dir: string, staged: readonly StagedFile[], names: ReadonlySet<string>): Promise<void> {
  const old = (await readdir(dir)).filter(name => name === SINGLE || name === INDEX || SHARD.test(name));
  if (old.some(name => SHARD.test(name) && names.has(name))) await rm(join(dir, INDEX), { force: true });
  for (const file of staged) await file.commit();
  const stays = (name: string) => names.has(name) || (name === INDEX && !names.has(SINGLE));
  for (const name of old) if (!stays(name)) await rm(join(dir, name), { force: true });
  await syncDirectory(resolve(dir));
}

/** What belongs to a model beside its weights and its configuration, in the names that transformers gives them. */
const COMPANIONS = [
  ...[
    'tokenizer.json',
    'tokenizer_config.json',
    'special_tokens_map.json',
    'added_tokens.json',
    'tokenizer.model',
    'spiece.model',
  ],
  ...['vocab.json', 'merges.txt', 'chat_template.jinja', 'chat_template.json'],
];

/** The files of tokenizer and template in the directory that the model came from; none where `dir` has some of its own. */
async function companions({ directory }: Model, dir: string): Promise<[name: string, content: Uint8Array][]> {
  if (directory === undefined) return [];
  const there = await readdir(dir).catch(() => [] as string[]);
  if (there.some(name => COMPANIONS.includes(name))) return [];
  const names = (await readdir(directory).catch(() => [] as string[])).filter(name => COMPANIONS.includes(name));
  return Promise.all(names.map(async (name): Promise<[string, Uint8Array]> => [name, await readFile(join(directory, name))]));
}

const SHARD = /^model-\d{5}-of-\d{5}\.safetensors$/;

function shardName(index: number, count: number): string {
  const five = (n: number) => String(n).padStart(5, '0');
  return `model-${five(index + 1)}-of-${five(count)}.safetensors`;
}

/** Weights in order, as many in a shard as fit. */
function intoShards<T extends { size: number }>(weights: readonly T[], width: number, most: number): T[][] {
  const shards: T[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const weight of weights) {
    if (bytes + weight.size * width > most) {
      shards.push([]);
      bytes = 0;
    }
    shards.at(-1)!.push(weight);
    bytes += weight.size * width;
  }
  return shards;
}

function indexOf(
  shards: readonly (readonly { name: string; size: number }[])[],
  names: readonly string[],
  total: number,
): object {
  const map = Object.fromEntries(shards.flatMap((shard, i) => shard.map(({ name }) => [name, names[i]!])));
  const parameters = shards.flat().reduce((sum, { size }) => sum + size, 0);
  return { metadata: { total_parameters: parameters, total_size: total }, weight_map: map };
}

/** What the model came with wins: chat models stop at more tokens than config.json names. */
function generationConfig(config: Record<string, unknown>, model: Model): object {
  const { bos_token_id, eos_token_id, pad_token_id } = config;
  return { bos_token_id, eos_token_id, pad_token_id, ...model.original.generation };
}

const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

/** 5_000_000_000, '5GB' or '200 MB' in bytes. */
function byteCount(value: number | string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(K|M|G|T)?(i)?B\s*$/i.exec(typeof value === 'number' ? `${value}B` : value);
  const unit = match?.[3] ? 1024 : 1000;
  const bytes = match ? Number(match[1]) * unit ** ['', 'K', 'M', 'G', 'T'].indexOf((match[2] ?? '').toUpperCase()) : 0;
  if (bytes >= 1) return bytes;
  throw new BadInput({
    problem: 'This is no size of a file',
    where: { key: 'maxShardSize' },
    expected: "a number of bytes from 1, or e.g. '500MB', '5GB'",
    found: quote(value),
    fix: 'leave it out for 5 GB',
  });
}

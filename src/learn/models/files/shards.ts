import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { BadInput, quote } from '../../../base/core/index.js';
import { exists, readJson } from './json.js';

/** A file with weights. */
export interface WeightFile {
  path: string;
  /** Tensors the index places in it; undefined without an index. */
  names?: string[];
}

export const SINGLE = 'model.safetensors';
export const INDEX = 'model.safetensors.index.json';

/** The safetensors files of a model directory: one, or the shards that its index names, all there. */
export async function weightFiles(dir: string): Promise<WeightFile[]> {
  const single = join(dir, SINGLE);
  if (await exists(single)) return [{ path: single }];
  const indexFile = join(dir, INDEX);
  if (!(await exists(indexFile))) throw await noWeights(dir);
  const shards = indexedShards(await readJson(indexFile), indexFile);
  for (const file of shards.keys())
    if (!(await exists(join(dir, file))))
      throw new BadInput({
        problem: 'The index names a shard that is not there',
        where: { file: indexFile },
        expected: `${file} beside it`,
        fix: 'download the missing shard',
      });
  return Array.from(shards, ([file, names]) => ({ path: join(dir, file), names }));
}

/** The shards that an index names, each with its tensors. A shard lies beside its index: names that lead elsewhere are refused. */
export function indexedShards(index: Record<string, unknown>, indexFile: string): Map<string, string[]> {
  const map = index.weight_map;
  if (typeof map !== 'object' || map === null || Array.isArray(map))
    throw new BadInput({
      problem: 'The index has no weight_map',
      where: { file: indexFile, key: 'weight_map' },
      expected: 'an object: weight → shard',
    });
  const shards = new Map<string, string[]>();
  for (const [name, file] of Object.entries(map)) {
    if (typeof file !== 'string' || file.length > 200 || !/^[\w.-]+\.safetensors$/.test(file))
      throw new BadInput({
        problem: 'The index names a file that cannot be a shard',
        where: { file: indexFile, key: quote(name, 120).slice(1, -1) },
        expected: 'a file name that ends in .safetensors',
        found: quote(file),
      });
    const names = shards.get(file);
    if (names) names.push(name);
    else shards.set(file, [name]);
  }
  if (shards.size === 0)
    throw new BadInput({ problem: 'The index names no shard', where: { file: indexFile, key: 'weight_map' } });
  return shards;
}

/** How to bring weights of another format here. Pickle is never opened: it runs code that the file brings. */
export const CONVERT =
  'convert it once in Python: AutoModelForCausalLM.from_pretrained(dir).save_pretrained(new_dir, safe_serialization=True), and load new_dir';

async function noWeights(dir: string): Promise<BadInput> {
  const there = await readdir(dir).catch(() => []);
  const pickle = there.find(name => /^(pytorch_model.*\.bin(\.index\.json)?|.*\.(pt|pth|ckpt))$/.test(name));
  const gguf = there.find(name => name.endsWith('.gguf'));
  const other = there.find(name => /^(tf_model\.h5|flax_model\.msgpack)$/.test(name));
  const expected = `${SINGLE}, or ${INDEX} and its shards`;
  if (pickle)
    return new BadInput({
      problem: 'The weights of this directory are pickled, and a pickle can run any code when it is opened',
      where: { file: join(dir, pickle) },
      expected,
      fix: CONVERT,
    });
  if (gguf) return ggufError(join(dir, gguf));
  if (other)
    return new BadInput({
      problem: 'The weights of this directory are in a format that is not read',
      where: { file: join(dir, other) },
      expected,
      fix: CONVERT,
    });
  return new BadInput({
    problem: 'This directory holds no weights we can read',
    where: { file: dir },
    expected,
    fix: 'save the model with safe_serialization=True (transformers), or model.save(dir)',
  });
}

/** GGUF holds quantized weights under names of its own. */
export function ggufError(path: string): BadInput {
  return new BadInput({
    problem: 'GGUF files are not read: their weights are quantized for llama.cpp',
    where: { file: path },
    expected: `a directory with config.json and ${SINGLE}`,
    fix: 'load the original model that the GGUF file was made from, or convert it in Python: AutoModelForCausalLM.from_pretrained(dir, gguf_file=…).save_pretrained(new_dir)',
  });
}

/** A path that is a file instead of a model directory: told by what it is. */
export function notADirectory(path: string): BadInput {
  if (path.endsWith('.gguf')) return ggufError(path);
  return new BadInput({
    problem: /\.(bin|pt|pth|ckpt)$/.test(path)
      ? 'This is a pickle file, which can run any code when it is opened, and not a model directory'
      : 'This is a file, not a model directory',
    where: { file: path },
    expected: `a directory with config.json and ${SINGLE}`,
    fix: /\.(bin|pt|pth|ckpt)$/.test(path) ? CONVERT : `give the directory that ${basename(path)} lies in`,
  });
}

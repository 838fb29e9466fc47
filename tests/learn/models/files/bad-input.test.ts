import { execFileSync } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { memory, use } from '../../../../src/base/backend/index.js';
import { BadInput } from '../../../../src/base/core/index.js';
import { safetensorsChunks } from '../../../../src/learn/models/files/write.js';
import { checkTokenizer, init, load, type Model } from '../../../../src/learn/models/index.js';
import { usable } from '../../../helpers/backends.js';

const backends = await usable('native', 'wasm', 'cpu');

const SHAPE = { vocabSize: 40, hiddenSize: 16, intermediateSize: 24, numHiddenLayers: 2, numAttentionHeads: 2 };

describe.each(backends)('a model that cannot be loaded on $backend', ({ backend, here }) => {
  let folder: string;
  let used: Model;
  let dir: string;
  beforeAll(async () => {
    if (!here) return;
    await use(backend);
    folder = await mkdtemp(join(tmpdir(), 'tunebook-bad-model-'));
    used = init('nano', { ...SHAPE, seed: 3 });
    await used.save(join(folder, 'good'), { maxShardSize: '10KB' });
  });
  afterAll(async () => {
    used?.dispose();
    if (folder) await rm(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    if (!here) return;
    dir = await mkdtemp(join(folder, 'model-'));
    await cp(join(folder, 'good'), dir, { recursive: true });
  });

  const logits = () => {
    const tensor = used.logits({ ids: [[1, 2, 3]] });
    const values = tensor.dataSync().slice();
    tensor.dispose();
    return values;
  };

  /** The message of the error; nothing is left behind, and a model in use computes what it did. */
  async function refused(path = dir): Promise<string> {
    const expected = logits();
    const before = memory();
    const error = await load(path).then(
      model => model.dispose(),
      e => e,
    );
    expect(error).toBeInstanceOf(BadInput);
    expect(memory()).toEqual(before);
    expect(logits()).toEqual(expected);
    return (error as Error).message;
  }

  const index = async () => JSON.parse(await readFile(join(dir, 'model.safetensors.index.json'), 'utf8'));
  const setIndex = (value: unknown) => writeFile(join(dir, 'model.safetensors.index.json'), JSON.stringify(value));
  const shardOf = async (name: string) => join(dir, (await index()).weight_map[name]);

  /** Change one shard's header; its data stay. */
  async function rewrite(path: string, change: (header: Record<string, never>) => void): Promise<void> {
    const bytes = await readFile(path);
    const length = Number(bytes.readBigUInt64LE());
    const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
    change(header);
    const text = Buffer.from(JSON.stringify(header));
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(text.length));
    await writeFile(path, Buffer.concat([size, text, bytes.subarray(8 + length)]));
  }

  /** One file in place of the shards. */
  async function single(change: (name: string, values: Float32Array) => void): Promise<void> {
    const values = used.parameters.map(parameter => {
      const tensor = parameter.read();
      const copy = tensor.dataSync<'float32'>().slice();
      tensor.dispose();
      change(parameter.name, copy);
      return copy;
    });
    await writeFile(join(dir, 'model.safetensors'), Buffer.concat([...safetensorsChunks(used.parameters, i => values[i]!)]));
  }

  it.skipIf(!here)('truncated, missing and foreign shards', async () => {
    const shard = await shardOf('model.norm.weight');
    const bytes = await readFile(shard);
    await truncate(shard, bytes.length - 4);
    expect(await refused()).toMatch(/truncated/);
    await rm(shard);
    expect(await refused()).toMatch(/names a shard that is not there/);
    await writeFile(shard, bytes);
    const map = (await index()).weight_map;
    await setIndex({ weight_map: { ...map, 'model.norm.weight': '../../etc/x.safetensors' } });
    expect(await refused()).toMatch(/cannot be a shard.*\.\.\/\.\.\/etc/);
    await setIndex({ weight_map: { ...map, 'model.norm.weight': map['model.embed_tokens.weight'] } });
    expect(await refused()).toMatch(/lacks weights that the index places in it: model\.norm\.weight/);
    await setIndex({ metadata: {} });
    expect(await refused()).toMatch(/no weight_map/);
  });

  it.skipIf(!here)('weights that are missing, unknown, of another shape or type are listed together', async () => {
    const all: Record<string, string> = (await index()).weight_map;
    for (const shard of new Set(Object.values(all)))
      await rewrite(join(dir, shard), (header: Record<string, { dtype: string; shape: number[] }>) => {
        const norm = header['model.norm.weight'];
        if (norm) {
          delete header['model.norm.weight'];
          header['model.nrom.weight'] = norm;
        }
        if (header['model.layers.0.mlp.up_proj.weight']) header['model.layers.0.mlp.up_proj.weight'].shape.reverse();
        if (header['model.layers.1.mlp.up_proj.weight']) header['model.layers.1.mlp.up_proj.weight'].dtype = 'I32';
      });
    delete all['model.norm.weight'];
    await setIndex({ weight_map: all });
    const said = await refused();
    expect(said).toMatch(/missing: model\.norm\.weight/);
    expect(said).toMatch(/unknown: model\.nrom\.weight/);
    expect(said).toMatch(/up_proj\.weight is \[16, 24\] instead of \[24, 16\]/);
    expect(said).toMatch(/layers\.1\.mlp\.up_proj\.weight is I32/);
  });

  it.skipIf(!here)('headers that overlap or are bombs', async () => {
    const shard = await shardOf('model.layers.0.mlp.up_proj.weight');
    const original = await readFile(shard);
    await rewrite(shard, (header: Record<string, { data_offsets: number[] }>) => {
      const [first, second] = Object.keys(header).filter(name => name !== '__metadata__');
      const [begin, end] = header[first!]!.data_offsets as [number, number];
      const { data_offsets: offsets } = header[second!]!;
      header[second!]!.data_offsets = [begin, begin + offsets[1]! - offsets[0]!];
      expect(end).toBeGreaterThan(begin);
    });
    expect(await refused()).toMatch(/overlap/);
    for (const claimed of [1n << 60n, 1n << 34n]) {
      original.writeBigUInt64LE(claimed);
      await writeFile(shard, original);
      expect(await refused()).toMatch(/longer than the file/);
    }
    // Deep nesting and a name of megabytes must not exhaust a stack, nor hundreds of thousands of empty tensors our patience.
    const empty = (_: unknown, i: number) => `"t${i}":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`;
    const crowd = `{${Array.from({ length: 200_001 }, empty).join()}}`;
    for (const text of ['['.repeat(3_000_000), `{"${'n'.repeat(9_000_000)}":{}}`, crowd]) {
      const size = Buffer.alloc(8);
      size.writeBigUInt64LE(BigInt(text.length));
      await writeFile(shard, Buffer.concat([size, Buffer.from(text)]));
      const said = await refused();
      expect(said.length).toBeLessThan(1000);
      if (text === crowd) expect(said).toMatch(/too many tensors.*at most 200000, found 200001/);
    }
  });

  it.skipIf(!here)('NaN and infinity, anywhere, name their weights; allowNonFinite loads them', async () => {
    await single((name, values) => {
      if (name.endsWith('1.mlp.up_proj.weight')) values[values.length - 1] = Number.NaN;
      if (name === 'model.norm.weight') values[0] = Number.NEGATIVE_INFINITY;
      // Finite, though their sum is not.
      if (name.endsWith('0.mlp.up_proj.weight')) values.fill(3e38);
    });
    const said = await refused();
    expect(said).toMatch(/2 weights have values that are not finite.*layers\.1\.mlp\.up_proj\.weight; model\.norm\.weight/);
    expect(said).not.toMatch(/layers\.0/);
    (await load(dir, { allowNonFinite: true })).dispose();
  });

  it.skipIf(!here)('other formats: pickle and GGUF are refused with what to do, and never opened', async () => {
    await rm(join(dir, 'model.safetensors.index.json'));
    expect(await refused()).toMatch(/no weights we can read/);
    await writeFile(join(dir, 'model.gguf'), 'GGUF');
    expect(await refused()).toMatch(/GGUF.*llama\.cpp/);
    expect(await refused(join(dir, 'model.gguf'))).toMatch(/GGUF/);
    await writeFile(join(dir, 'pytorch_model.bin'), 'x');
    expect(await refused()).toMatch(/pickle.*save_pretrained\(new_dir, safe_serialization=True\)/);
    expect(await refused(join(dir, 'pytorch_model.bin'))).toMatch(/pickle file/);
  });

  it.skipIf(!here || process.platform === 'win32')('a shard that is a pipe does not hang', async () => {
    const shard = await shardOf('model.norm.weight');
    await rm(shard);
    execFileSync('mkfifo', [shard]);
    expect(await refused()).toMatch(/not a file/);
  });

  it.skipIf(!here)('loading can be stopped, and leaves nothing', async () => {
    const before = memory();
    await expect(load(dir, { signal: AbortSignal.abort() })).rejects.toThrow(/loading was stopped/);
    expect(memory()).toEqual(before);
  });

  it.skipIf(!here)('a tokenizer with tokens that the model does not know', () => {
    checkTokenizer(used, { vocabSize: 40 });
    checkTokenizer(used, { vocabSize: 30 });
    expect(() => checkTokenizer(used, { vocabSize: 41 })).toThrow(
      /at most 40 tokens.*found a tokenizer with 41.*resizeVocabulary/,
    );
  });
});

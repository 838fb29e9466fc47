import { cp, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { use } from '../../../src/base/backend/index.js';
import { BadInput } from '../../../src/base/core/index.js';
import { readSafetensorsHeader } from '../../../src/learn/models/files/safetensors.js';
import { type DecoderConfig, init, load, parseConfig } from '../../../src/learn/models/index.js';
import { leftBehind, NOTHING } from '../../helpers/leak.js';
import { fixture, tensorsOf } from './fixtures.js';

let folder: string;
beforeAll(async () => {
  await use('cpu');
  folder = await mkdtemp(join(tmpdir(), 'tunebook-models-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function message(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    e => e,
  );
  expect(error).toBeInstanceOf(BadInput);
  return (error as Error).message;
}

describe('load', () => {
  it.each(['llama-bf16-sharded', 'llama-f16'])('%s: half precision, shards and the older rope_theta', async name => {
    const model = await load(fixture(name));
    const { sums } = JSON.parse(await readFile(`${fixture(name)}/expected.json`, 'utf8')) as {
      sums: Record<string, [number, number]>;
    };
    expect((model.config as DecoderConfig).rope?.theta).toBe(500);
    expect(model.parameters.map(p => p.name).sort()).toEqual(Object.keys(sums).sort());
    for (const parameter of model.parameters) {
      const tensor = parameter.read();
      const values = tensor.dataSync<'float32'>();
      tensor.dispose();
      const [sum, magnitude] = sums[parameter.name]!;
      expect(values.reduce((a, b) => a + b, 0)).toBeCloseTo(sum, 9);
      expect(values.reduce((a, b) => a + Math.abs(b), 0)).toBeCloseTo(magnitude, 9);
    }
    model.dispose();
  });

  it('what is saved loads as the same weights and settings, and unknown settings are kept', async () => {
    const from = join(folder, 'with-extra');
    await cp(fixture('llama-untied'), from, { recursive: true });
    const config = JSON.parse(await readFile(join(from, 'config.json'), 'utf8'));
    await writeFile(join(from, 'config.json'), JSON.stringify({ ...config, initializer_range: 0.123, eos_token_id: [2, 5] }));
    await writeFile(join(from, 'generation_config.json'), JSON.stringify({ repetition_penalty: 1.1, eos_token_id: [2, 5, 7] }));
    const model = await load(from);
    const to = join(folder, 'saved');
    await model.save(to);
    expect(await tensorsOf(join(to, 'model.safetensors'))).toEqual(await tensorsOf(join(from, 'model.safetensors')));
    const again = await load(to);
    expect(again.config).toEqual(model.config);
    expect(again.config.eosTokenIds).toEqual([2, 5]);
    expect(again.stopIds).toEqual([2, 5, 7]);
    const saved = JSON.parse(await readFile(join(to, 'config.json'), 'utf8'));
    expect(saved).toMatchObject({ initializer_range: 0.123, rope_theta: 10_000, rope_parameters: { rope_theta: 10_000 } });
    expect(JSON.parse(await readFile(join(to, 'generation_config.json'), 'utf8'))).toMatchObject({
      repetition_penalty: 1.1,
      eos_token_id: [2, 5, 7],
    });
    expect(await readdir(to)).toEqual(['config.json', 'generation_config.json', 'model.safetensors']);
    model.dispose();
    again.dispose();
  });

  it('a model leaves nothing when it is disposed, also when loading fails', async () => {
    const load1 = async () => (await load(fixture('llama-tied'))).dispose();
    expect(await leftBehind(load1)).toEqual(NOTHING);
    const broken = join(folder, 'broken');
    await cp(fixture('llama-tied'), broken, { recursive: true });
    await writeFile(
      join(broken, 'config.json'),
      (await readFile(join(broken, 'config.json'), 'utf8')).replace('"vocab_size": 61', '"vocab_size": 62'),
    );
    expect(await leftBehind(() => load(broken).catch(() => {}))).toEqual(NOTHING);
  });

  it('weights that do not fit are listed, all of them', async () => {
    const dir = join(folder, 'misfit');
    await cp(fixture('llama-tied'), dir, { recursive: true });
    const config = JSON.parse(await readFile(join(dir, 'config.json'), 'utf8'));
    await writeFile(join(dir, 'config.json'), JSON.stringify({ ...config, num_hidden_layers: 3, vocab_size: 7 }));
    const said = await message(load(dir));
    expect(said).toContain('missing: model.layers.2.input_layernorm.weight');
    expect(said).toContain('model.embed_tokens.weight is [61, 24] instead of [7, 24]');
    await writeFile(join(dir, 'config.json'), JSON.stringify({ ...config, num_hidden_layers: 1 }));
    expect(await message(load(dir))).toContain('unknown: model.layers.1.');
  });

  it('a shard that is missing, and an index that leads out of the directory, are refused', async () => {
    const dir = join(folder, 'shards');
    await cp(fixture('llama-bf16-sharded'), dir, { recursive: true });
    const index = JSON.parse(await readFile(join(dir, 'model.safetensors.index.json'), 'utf8'));
    await rm(join(dir, 'model-00002-of-00002.safetensors'));
    expect(await message(load(dir))).toContain('model-00002-of-00002.safetensors');
    index.weight_map['model.norm.weight'] = '../secret.safetensors';
    await writeFile(join(dir, 'model.safetensors.index.json'), JSON.stringify(index));
    expect(await message(load(dir))).toContain('"../secret.safetensors"');
  });

  it('a directory without a model, and other architectures, are refused with the reason', async () => {
    expect(await message(load(join(folder, 'nowhere')))).toMatch(/nowhere\/config.json: .*ENOENT/);
    expect(() => parseConfig({ model_type: 'bert', architectures: ['BertModel'] }, 'config.json')).toThrow(/"BertModel"/);
    const llama = {
      model_type: 'llama',
      vocab_size: 8,
      hidden_size: 8,
      intermediate_size: 8,
      num_hidden_layers: 1,
      num_attention_heads: 2,
    };
    expect(parseConfig(llama)).toMatchObject({
      headDim: 4,
      numKeyValueHeads: 2,
      normEps: 1e-6,
      rope: { theta: 10_000 },
      tieWordEmbeddings: false,
    });
    expect(() => parseConfig({ ...llama, rope_scaling: { rope_type: 'ntk' } })).toThrow(/"ntk"/);
    expect(() => parseConfig({ ...llama, hidden_act: 'mish' })).toThrow(/hidden_act/);
    expect(() => parseConfig({ ...llama, num_key_value_heads: 3 })).toThrow(/num_key_value_heads/);
    expect(() => parseConfig({ ...llama, hidden_size: 1e300 })).toThrow(/hidden_size/);
  });
});

describe('safetensors as hostile input', () => {
  const entry = (dtype: string, shape: unknown, offsets: unknown) => ({ dtype, shape, data_offsets: offsets });
  const good = entry('F32', [2], [0, 8]);

  async function read(header: string | object, dataBytes: number, claimed?: bigint): Promise<unknown> {
    const path = join(folder, 'hostile.safetensors');
    const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(claimed ?? BigInt(text.length));
    await writeFile(path, Buffer.concat([size, text, Buffer.alloc(dataBytes)]));
    const file = await open(path, 'r');
    try {
      return await readSafetensorsHeader(file, path);
    } finally {
      await file.close();
    }
  }

  it('a good file is read, empty tensors and metadata too', async () => {
    const header = {
      __metadata__: { format: 'pt' },
      b: entry('BF16', [2, 2], [8, 16]),
      a: good,
      none: entry('F32', [0, 4], [8, 8]),
    };
    expect(await read(header, 16)).toMatchObject([
      { name: 'a', bytes: 8 },
      { name: 'none', bytes: 0 },
      { name: 'b', bytes: 8 },
    ]);
  });

  const CASES: [string, string | object, number, bigint | undefined, RegExp][] = [
    ['a header longer than the file', '{}', 0, 1n << 40n, /longer than the file/],
    ['a header of 2^63 bytes', '{}', 0, (1n << 63n) - 1n, /longer than the file/],
    ['no JSON', '{"a":', 0, undefined, /not JSON/],
    ['a list', '[1]', 0, undefined, /not a JSON object/],
    ['a truncated file', { a: good }, 7, undefined, /truncated/],
    ['bytes that belong to nothing', { a: good }, 9, undefined, /belong to no tensor/],
    ['an overlap', { a: good, b: entry('F32', [2], [4, 12]) }, 12, undefined, /overlap/],
    ['a gap', { a: good, b: entry('F32', [1], [12, 16]) }, 16, undefined, /gap/],
    ['a shape that disagrees with its bytes', { a: entry('F32', [3], [0, 8]) }, 8, undefined, /disagree/],
    ['a shape beyond all memory', { a: entry('F32', [2 ** 40, 2 ** 40], [0, 8]) }, 8, undefined, /disagree/],
    ['a negative size', { a: entry('F32', [-2, -1], [0, 8]) }, 8, undefined, /shape/],
    ['a fractional offset', { a: entry('F32', [2], [0.5, 8.5]) }, 8, undefined, /offsets/],
    ['offsets that run backwards', { a: entry('F32', [0], [8, 0]) }, 8, undefined, /disagree/],
    ['another type', { a: entry('F6_E2M3', [1], [0, 8]) }, 8, undefined, /"F6_E2M3"/],
    ['a tensor that is no object', { a: 3 }, 8, undefined, /type of this tensor/],
    ['a name that comes twice', `{"a":${JSON.stringify(good)},"\\u0061":${JSON.stringify(good)}}`, 8, undefined, /twice/],
    [
      'bytes that are no UTF-8 text',
      Buffer.from([0x22, 0xff, 0x22]).toString('latin1'),
      0,
      undefined,
      /not a JSON object|not JSON/,
    ],
  ];
  it.each(CASES)('%s is refused', async (_, header, bytes, claimed, says) => {
    expect(await message(read(header, bytes, claimed))).toMatch(says);
  });
});

describe('init', () => {
  it('equal seeds give equal weights; matrices follow their fan-in', () => {
    const values = (seed: number) => {
      const model = init('nano', { vocabSize: 300, seed });
      const found = new Map(
        model.parameters.map(p => {
          const tensor = p.read();
          const data = tensor.dataSync<'float32'>().slice();
          tensor.dispose();
          return [p.name, data];
        }),
      );
      model.dispose();
      return found;
    };
    const [a, b, c] = [values(1), values(1), values(2)];
    expect(a).toEqual(b);
    expect(a.get('model.layers.0.mlp.up_proj.weight')).not.toEqual(c.get('model.layers.0.mlp.up_proj.weight'));
    const std = (name: string) => Math.sqrt(a.get(name)!.reduce((sum, x) => sum + x * x, 0) / a.get(name)!.length);
    expect(std('model.embed_tokens.weight') / 0.05).toBeCloseTo(1, 1);
    expect(std('model.layers.0.self_attn.q_proj.weight') * Math.sqrt(96)).toBeCloseTo(1, 1);
    expect(std('model.layers.2.mlp.down_proj.weight') * Math.sqrt(192 * 6)).toBeCloseTo(1, 1);
    expect(new Set(a.get('model.norm.weight'))).toEqual(new Set([1]));
  });

  it('an unknown preset is refused', () => {
    expect(() => init('huge' as 'nano')).toThrow(/nano, tiny, small/);
  });
});

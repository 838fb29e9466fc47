import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { memory, use } from '../../../../src/base/backend/index.js';
import { decodeHalf, encodeHalf } from '../../../../src/learn/models/files/half.js';
import { readSafetensorsHeader, withFile } from '../../../../src/learn/models/files/safetensors.js';
import { readPieces } from '../../../../src/learn/models/files/tensors.js';
import { createParameter, init, load, type Model } from '../../../../src/learn/models/index.js';

const SHAPE = { vocabSize: 40, hiddenSize: 16, intermediateSize: 24, numHiddenLayers: 2, numAttentionHeads: 2 };
const PLAIN = ['config.json', 'generation_config.json', 'model.safetensors'];

let folder: string;
let dir: string;
let model: Model;
beforeAll(async () => {
  await use('cpu');
  folder = await mkdtemp(join(tmpdir(), 'tunebook-save-'));
  model = init('nano', { ...SHAPE, seed: 3 });
});
afterAll(async () => {
  model.dispose();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  dir = await mkdtemp(join(folder, 'model-'));
});

const valuesOf = (of: Model) =>
  new Map(
    of.parameters.map(parameter => {
      const tensor = parameter.read();
      const values = tensor.dataSync<'float32'>().slice();
      tensor.dispose();
      return [parameter.name, values];
    }),
  );
const names = async () => (await readdir(dir)).sort();
const state = async () =>
  Object.fromEntries(await Promise.all((await names()).map(async name => [name, await readFile(join(dir, name), 'base64')])));

describe('model.save', () => {
  it('takes along the tokenizer and the template that the model was loaded with, and mixes them with no others', async () => {
    await model.save(dir);
    expect(await names()).toEqual(PLAIN);
    await writeFile(join(dir, 'tokenizer.json'), '{"a": 1}');
    await writeFile(join(dir, 'chat_template.jinja'), 'b');
    await writeFile(join(dir, 'README.md'), 'c');
    const loaded = await load(dir);
    const to = await mkdtemp(join(folder, 'to-'));
    await loaded.save(to);
    expect((await readdir(to)).sort()).toEqual(['chat_template.jinja', ...PLAIN, 'tokenizer.json']);
    expect(await readFile(join(to, 'tokenizer.json'), 'utf8')).toBe('{"a": 1}');
    await writeFile(join(dir, 'tokenizer_config.json'), '{}');
    await writeFile(join(to, 'tokenizer.json'), 'mine');
    await loaded.save(to);
    expect([await readFile(join(to, 'tokenizer.json'), 'utf8'), (await readdir(to)).length]).toEqual(['mine', 5]);
    loaded.dispose();
  });

  it('shards with an index, each within its size, load as the same weights', async () => {
    const before = memory();
    await model.save(dir, { maxShardSize: 6000 });
    expect(memory()).toEqual(before);
    const shards = (await names()).filter(name => /^model-\d{5}-of-\d{5}\.safetensors$/.test(name));
    expect(shards.length).toBeGreaterThan(2);
    expect(shards.at(-1)).toBe(`model-0000${shards.length}-of-0000${shards.length}.safetensors`);
    for (const shard of shards) {
      const entries = await withFile(join(dir, shard), file => readSafetensorsHeader(file, shard));
      expect(entries.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(6000);
    }
    const { metadata, weight_map: map } = JSON.parse(await readFile(join(dir, 'model.safetensors.index.json'), 'utf8'));
    expect(metadata).toEqual({ total_size: model.bytes, total_parameters: model.size });
    expect(Object.keys(map)).toEqual(model.parameters.map(({ name }) => name));
    const again = await load(dir);
    expect(valuesOf(again)).toEqual(valuesOf(model));
    again.dispose();
  });

  it('weights of an earlier save go when new ones are there; a tokenizer and what is not ours stay', async () => {
    await writeFile(join(dir, 'tokenizer.json'), '{"of": "a tokenizer"}');
    await writeFile(join(dir, 'adapter_model.safetensors'), 'x');
    const kept = ['adapter_model.safetensors', 'tokenizer.json'];
    await model.save(dir, { maxShardSize: '6KB' });
    const many = (await names()).length;
    await model.save(dir, { maxShardSize: '12KB' });
    expect((await names()).length).toBeLessThan(many);
    const loads = async () => {
      const again = await load(dir);
      expect(valuesOf(again)).toEqual(valuesOf(model));
      again.dispose();
    };
    await loads();
    await model.save(dir, { maxShardSize: '12KB' });
    await loads();
    await model.save(dir);
    expect(await names()).toEqual([...kept, ...PLAIN].sort());
    await loads();
    await model.save(dir, { maxShardSize: '12KB' });
    expect(await names()).not.toContain('model.safetensors');
    await loads();
    expect(await readFile(join(dir, 'tokenizer.json'), 'utf8')).toBe('{"of": "a tokenizer"}');
  });

  it.each(['float16', 'bfloat16'] as const)(
    '%s is rounded to the nearest, told in config.json, and exact when saved again',
    async dtype => {
      await model.save(dir, { dtype });
      expect(JSON.parse(await readFile(join(dir, 'config.json'), 'utf8'))).toMatchObject({ dtype, torch_dtype: dtype });
      const half = await load(dir);
      const [exact, rounded] = [valuesOf(model), valuesOf(half)];
      const unit = dtype === 'float16' ? 2 ** -11 : 2 ** -8;
      for (const [name, values] of exact)
        for (let i = 0; i < values.length; i++) {
          const off = Math.abs(values[i]! - rounded.get(name)![i]!);
          expect(off).toBeLessThanOrEqual(Math.max(Math.abs(values[i]!) * unit, 2 ** -25));
        }
      const first = await readFile(join(dir, 'model.safetensors'));
      await half.save(dir, { dtype });
      expect(await readFile(join(dir, 'model.safetensors'))).toEqual(first);
      half.dispose();
    },
  );

  it('a save that fails half-way leaves the old model as it was', async () => {
    await model.save(dir);
    const before = await state();
    const parameter = model.parameter('model.norm.weight');
    const old = parameter.read();
    const large = createParameter('large', parameter.shape, new Float32Array(16).fill(70_000));
    const value = large.read();
    parameter.write(value);
    await expect(model.save(dir, { dtype: 'float16', maxShardSize: '6KB' })).rejects.toThrow(
      /"model\.norm\.weight".*float16 cannot hold.*bfloat16/,
    );
    expect(await state()).toEqual(before);
    parameter.write(old);
    for (const tensor of [old, value, large]) tensor.dispose();
  });

  it('options that mean nothing are refused', async () => {
    await expect(model.save(dir, { dtype: 'int8' as 'float16' })).rejects.toThrow(/float32, float16 or bfloat16/);
    for (const maxShardSize of ['many', '0GB', -1, Number.NaN])
      await expect(model.save(dir, { maxShardSize })).rejects.toThrow(/maxShardSize/);
    expect(await names()).toEqual([]);
  });

  it('what is no directory is refused, and a file stays as it was', async () => {
    const file = join(dir, 'notes.txt');
    await writeFile(file, 'mine');
    await expect(model.save(file)).rejects.toThrow(/Expected a directory.*the file .*notes\.txt/);
    for (const nothing of [undefined, '']) await expect(model.save(nothing as string)).rejects.toThrow(/Expected a directory/);
    expect(await readFile(file, 'utf8')).toBe('mine');
  });
});

describe('16-bit numbers', () => {
  it('every one of them survives decoding and encoding', () => {
    const all = Uint16Array.from({ length: 65_536 }, (_, i) => i);
    for (const [code, type] of [
      ['F16', 'float16'],
      ['BF16', 'bfloat16'],
    ] as const) {
      const values = new Float32Array(65_536);
      decodeHalf(all, code, values);
      const again = encodeHalf(values, type);
      for (let i = 0; i < 65_536; i++)
        if (Number.isNaN(values[i])) expect(Number.isNaN(decodeOne(again[i]!, code))).toBe(true);
        else expect(again[i]).toBe(i);
    }
  });

  const decodeOne = (bits: number, code: 'F16' | 'BF16') => {
    const value = new Float32Array(1);
    decodeHalf(Uint16Array.of(bits), code, value);
    return value[0]!;
  };

  it.each([
    ['float16', 'F16'],
    ['bfloat16', 'BF16'],
  ] as const)('%s takes the nearest, and of two as near the even one', (type, code) => {
    // Between each two neighbours: the middle goes to the even one, what is a little off to the nearer one.
    for (let bits = 0; bits < 0x7bff; bits += 97) {
      const [low, high] = [decodeOne(bits, code), decodeOne(bits + 1, code)];
      const middle = (low + high) / 2;
      const even = bits % 2 === 0 ? bits : bits + 1;
      const of = (value: number) => encodeHalf(Float32Array.of(value), type)[0];
      expect([of(middle), of(-middle)]).toEqual([even, even | 0x8000]);
      // The next float32 below and above.
      const exact = new Uint32Array(Float32Array.of(middle).buffer)[0]!;
      const near = (b: number) => new Float32Array(Uint32Array.of(b).buffer)[0]!;
      expect([of(near(exact - 1)), of(near(exact + 1))]).toEqual([bits, bits + 1]);
    }
  });

  it('float16 ends at 65504', () => {
    expect(encodeHalf(Float32Array.of(65_519.99, Number.POSITIVE_INFINITY), 'float16')).toEqual(Uint16Array.of(0x7bff, 0x7c00));
    expect(() => encodeHalf(Float32Array.of(65_520), 'float16', 'w')).toThrow(/"w".*float16 cannot hold/);
  });
});

describe('reading tensors', () => {
  it('of many pieces, in F32, F16 and BF16, empty ones too', async () => {
    const path = join(dir, 'x.safetensors');
    // More than two pieces of four megabytes, with an odd end; a small one before it so that nothing is aligned in the file.
    const sizes = [3, 2_500_001, 0, 7];
    const values = sizes.map((size, t) => Float32Array.from({ length: size }, (_, i) => (((i * 31) % 2001) - 1000) / 1024 + t));
    const { safetensorsChunks } = await import('../../../../src/learn/models/files/write.js');
    for (const [type, tolerance] of [
      ['float32', 0],
      ['float16', 2 ** -9],
      ['bfloat16', 2 ** -6],
    ] as const) {
      const tensors = sizes.map((size, i) => ({ name: `t${i}`, shape: [size], size }));
      await writeFile(path, Buffer.concat([...safetensorsChunks(tensors, i => values[i]!, type)]));
      let bytes = 0;
      await withFile(path, async file => {
        const entries = (await readSafetensorsHeader(file, path)).reverse();
        let t = entries.length - 1;
        let done = 0;
        for await (const piece of readPieces(file, entries, path, n => (bytes += n))) {
          const { entry, values: got, index, size, finite, last } = piece;
          const want = values[t]!;
          expect([entry.name, index * size, finite, last]).toEqual([`t${t}`, done, true, done + got.length === want.length]);
          let off = 0;
          for (let i = 0; i < got.length; i++) off = Math.max(off, Math.abs(got[i]! - want[done + i]!));
          expect(off).toBeLessThanOrEqual(tolerance);
          done = last ? 0 : done + got.length;
          if (last) t--;
        }
        expect(t).toBe(-1);
      });
      expect(bytes).toBe(sizes.reduce((a, b) => a + b) * (type === 'float32' ? 4 : 2));
    }
  });
});

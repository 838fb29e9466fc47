import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { use } from '../../../src/base/backend/index.js';
import { init, load, type Model, type ModelType } from '../../../src/learn/models/index.js';
import { leftBehind, NOTHING } from '../../helpers/leak.js';
import { DECODERS, expected, fixture, relative, tensorsOf } from './fixtures.js';

let folder: string;
beforeAll(async () => {
  await use('cpu');
  folder = await mkdtemp(join(tmpdir(), 'tunebook-families-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const loaded: Model[] = [];
async function open(dir: string): Promise<Model> {
  const model = await load(dir);
  loaded.push(model);
  return model;
}
afterEach(() => {
  for (const model of loaded.splice(0)) model.dispose();
});

function values(tensor: tf.Tensor): Float32Array {
  const read = tensor.dataSync<'float32'>().slice();
  tensor.dispose();
  return read;
}

/** A safetensors file with other names, and with more tensors of zeros. */
async function renamed(from: string, name: (old: string) => string, more: Record<string, number[]>): Promise<Buffer> {
  const bytes = await readFile(from);
  const length = Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Record<string, object>;
  const entries = Object.entries(header).map(([key, entry]) => [key === '__metadata__' ? key : name(key), entry]);
  let end = bytes.length - 8 - length;
  for (const [key, shape] of Object.entries(more)) {
    const size = 4 * shape.reduce((a, b) => a * b, 1);
    entries.push([key, { dtype: 'F32', shape, data_offsets: [end, end + size] }]);
    end += size;
  }
  const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(BigInt(json.length));
  const data = bytes.subarray(8 + length);
  return Buffer.concat([start, json, data, Buffer.alloc(end - data.length)]);
}

it('GPT-2 as it was first published: names without a prefix, and the causal mask among the tensors', async () => {
  const dir = await mkdtemp(join(folder, 'gpt2-'));
  await writeFile(join(dir, 'config.json'), await readFile(`${fixture('gpt2')}/config.json`));
  const masks = { 'h.0.attn.bias': [1, 1, 96, 96], 'h.1.attn.bias': [1, 1, 96, 96], 'h.0.attn.masked_bias': [] };
  const bare = (name: string) => name.replace(/^transformer\./, '');
  await writeFile(join(dir, 'model.safetensors'), await renamed(`${fixture('gpt2')}/model.safetensors`, bare, masks));
  const [ours, theirs] = [await open(dir), await open(fixture('gpt2'))];
  expect(ours.parameters.map(p => p.name)).toEqual(theirs.parameters.map(p => p.name));
  const ids = [[1, 2, 3, 4, 5]];
  expect(values(ours.logits({ ids }))).toEqual(values(theirs.logits({ ids })));
});

it('Mixtral: experts that no token chose have gradients of zero', async () => {
  const model = await open(fixture('mixtral'));
  const { numerator, gradients } = model.lossAndGradients({ ids: [[5, 9]], labels: [[-100, 9]] });
  const read = new Map(model.parameters.map((p, i) => [p.name, values(gradients[i]!)]));
  numerator.dispose();
  const still = [...read].filter(([, gradient]) => gradient.every(x => x === 0)).map(([name]) => name);
  // One token, two of four experts a layer: the other two, with three matrices each, took no part.
  expect(still).toHaveLength(2 * 2 * 3);
  expect(still.every(name => name.includes('.experts.'))).toBe(true);
  model.parameters.forEach(({ name, size }) => {
    expect(read.get(name), name).toHaveLength(size);
  });
});

describe('Phi-3 beyond the length where its positions turn otherwise', () => {
  const last = (model: Model, rows: number[][]) => {
    const time = Math.max(...rows.map(row => row.length));
    const all = values(model.logits({ ids: rows }));
    const width = model.config.vocabSize;
    return rows.flatMap((row, b) =>
      Array.from(all.subarray((b * time + row.length - 1) * width, (b * time + row.length) * width)),
    );
  };
  const row = (length: number, first: number) => Array.from({ length }, (_, t) => 1 + ((first + 7 * t) % 60));

  it('a step gives what the whole rows give: as they grow past it, as a long row joins, and as it leaves', async () => {
    const model = await open(fixture('phi3-longrope'));
    const stepper = model.stepper();
    let rows = [row(23, 3), row(9, 5)];
    const check = (logits: tf.Tensor, of: number[][]) => expect(relative(values(logits), last(model, of))).toBeLessThan(1e-5);
    check(stepper.admit(rows), rows);
    for (let step = 0; step < 3; step++) {
      rows = rows.map((r, i) => [...r, 10 + step + i]);
      check(stepper.advance(rows.map(r => r.at(-1)!)), rows);
    }
    stepper.select([1]);
    rows = [[...rows[1]!, 4]];
    check(stepper.advance([4]), rows);
    const long = row(30, 1);
    expect(relative(values(stepper.admit([long])), last(model, [...rows, long]).slice(-61))).toBeLessThan(1e-5);
    rows = [
      [...rows[0]!, 8],
      [...long, 9],
    ];
    check(stepper.advance([8, 9]), rows);
    stepper.dispose();
  });

  it('leaves nothing behind', async () => {
    const model = await open(fixture('phi3-longrope'));
    expect(await leftBehind(() => model.generate([row(20, 2), row(3, 1)], { maxNewTokens: 8, stopIds: [] }))).toEqual(NOTHING);
  });
});

it.each(DECODERS)('%s: nothing is left behind by any public call', async name => {
  const model = await open(fixture(name));
  const { batches } = await expected(name);
  const { ids, labels } = batches[0]!;
  const batch = { ids: ids.slice(0, 2), labels: labels.slice(0, 2) };
  expect(await leftBehind(() => model.logits({ ids: batch.ids }).dispose())).toEqual(NOTHING);
  expect(
    await leftBehind(() => {
      const { numerator, gradients } = model.lossAndGradients(batch);
      tf.dispose([numerator, ...gradients]);
    }),
  ).toEqual(NOTHING);
  expect(await leftBehind(() => model.tokenLosses(batch))).toEqual(NOTHING);
  expect(await leftBehind(() => model.generate([[1, 2, 3], [4]], { maxNewTokens: 3 }))).toEqual(NOTHING);
});

const TYPES: ModelType[] = ['llama', 'mistral', 'mixtral', 'qwen2', 'qwen3', 'gpt2', 'gemma', 'gemma2', 'gemma3_text', 'phi3'];
it.each(TYPES)('%s from scratch: it knows nothing, and is saved and loaded as itself', async modelType => {
  const shape = { vocabSize: 40, hiddenSize: 16, numHiddenLayers: 2, numAttentionHeads: 2, intermediateSize: 24 };
  const model = init({ modelType, ...shape, maxPositionEmbeddings: 64 }, { seed: 1 });
  loaded.push(model);
  const ids = [[1, 2, 3, 4, 5, 6]];
  // A new model knows nothing: every token costs about log(vocabulary).
  const { numerator, denominator } = model.lossSum({ ids, labels: ids });
  expect(Math.abs(numerator / denominator - Math.log(40))).toBeLessThan(1);
  const to = join(folder, `new-${modelType}`);
  await model.save(to);
  const again = await open(to);
  expect(values(again.logits({ ids }))).toEqual(values(model.logits({ ids })));
  expect((await tensorsOf(join(to, 'model.safetensors'))).size).toBe(model.parameters.length);
});

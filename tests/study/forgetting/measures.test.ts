import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import * as backend from '../../../src/base/backend/index.js';
import { BadInput, Interrupted } from '../../../src/base/core/index.js';
import {
  average,
  copyOf,
  ia3,
  init,
  interpolate,
  load,
  lora,
  type Model,
  scaleAdapter,
} from '../../../src/learn/models/index.js';
import { cka, drift, effectiveRank, klToBase, wiseFt } from '../../../src/study/forgetting/index.js';
import { tinyLlama, unevenRows, weightsOf } from '../../invariants/tiny.js';
import { expected, fixture } from '../../learn/models/fixtures.js';
import { footprint, workingBackends } from '../../learn/train/backends.js';

// Made by make_measures.py with PyTorch.
interface Torch {
  kl: number;
  reverse: number;
  tokens: number;
  rows: number[];
  weights: { name: string; drift: number; rank?: number; rank50?: number }[];
  cka: number[];
}
const torch = JSON.parse(readFileSync(new URL('measures.json', import.meta.url), 'utf8')) as Torch;
const working = await workingBackends('native', 'wasm', 'cpu');
const near = (found: number, wanted: number, tolerance = 1e-4) => expect(Math.abs(found / wanted - 1)).toBeLessThan(tolerance);
const farthest = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

/** Every weight moved as make_measures.py moves it. */
function moved(model: Model): Model {
  for (const parameter of model.baseParameters)
    tf.tidy(() => {
      const width = parameter.shape.at(-1)!;
      const matrix = parameter.shape.length === 2;
      const way = Float32Array.from({ length: parameter.size }, (_, i) => 0.05 * Math.sin(i) * (matrix && i < width ? 10 : 1));
      parameter.write(tf.add(parameter.read(), tf.tensor(way, [...parameter.shape])));
    });
  return model;
}

/** LoRA whose B is not zero. */
function withLora(model: Model, options: object = {}): Model {
  model.attach(lora({ rank: 3, targets: 'all-linear', ...options }));
  for (const parameter of model.adapters.get('default')!.parameters)
    if (parameter.name.includes('lora_B'))
      tf.tidy(() => parameter.write(tf.mul(tf.sin(tf.reshape(tf.range(0, parameter.size), [...parameter.shape])), 0.1)));
  return model;
}

describe.each(working)('base and tuned model on %s', name => {
  it('divergence, drift, effective rank and CKA are PyTorch’s', async () => {
    await backend.use(name);
    const before = footprint();
    const [base, tuned] = [await load(fixture('llama-tied')), moved(await load(fixture('llama-tied')))];
    const rows = (await expected('llama-tied')).batches.flatMap(({ ids, labels }) =>
      ids.map((row, i) => ({ ids: row, labels: labels[i]! })),
    );
    const found = await klToBase({ base, tuned, rows });
    near(found.kl, torch.kl);
    near(found.reverse, torch.reverse);
    expect(found.tokens).toBe(torch.tokens);
    expect(farthest(found.rows, torch.rows)).toBeLessThan(1e-3);
    const [weights, halves] = [await drift({ base, tuned }), await drift({ base, tuned, energy: 0.5 })];
    const order = (list: { name: string }[]) => [...list].sort((a, b) => (a.name < b.name ? -1 : 1));
    expect(order(weights).map(w => w.name)).toEqual(order(torch.weights).map(w => w.name));
    for (const wanted of torch.weights) {
      const one = weights.find(weight => weight.name === wanted.name)!;
      near(one.drift, wanted.drift);
      expect([one.rank, halves.find(weight => weight.name === wanted.name)!.rank], wanted.name).toEqual([
        wanted.rank,
        wanted.rank50,
      ]);
    }
    const layers = await cka({ base, tuned, ids: rows.map(({ ids }) => ids) });
    expect(layers.map(({ layer }) => layer)).toEqual([0, 1, 2]);
    expect(
      farthest(
        layers.map(({ cka }) => cka),
        torch.cka,
      ),
    ).toBeLessThan(1e-4);
    base.dispose();
    tuned.dispose();
    expect(footprint()).toEqual(before);
  });
});

describe('two models', () => {
  beforeAll(async () => {
    await backend.use(working[0]);
  });
  const rows = unevenRows(6);
  const ids = rows.map(({ ids }) => [...ids]);

  it('that are the same are nowhere apart', async () => {
    const [base, tuned] = [tinyLlama(), tinyLlama()];
    expect(await klToBase({ base, tuned, rows })).toMatchObject({ kl: 0, reverse: 0 });
    for (const weight of await drift({ base, tuned })) expect([weight.drift, weight.rank ?? 0]).toEqual([0, 0]);
    for (const layer of await cka({ base, tuned, ids })) expect(layer.cka).toBeCloseTo(1, 5);
    base.dispose();
    tuned.dispose();
  });

  it.each(['gemma2', 'gpt2', 't5'])('of the family %s: the divergence is that of their logits', async family => {
    const before = footprint();
    const make = async () =>
      family === 't5' ? init({ modelType: 't5', vocabSize: 40 }, { seed: 3 }) : await load(fixture(family));
    const [base, tuned] = [await make(), moved(await make())];
    const ids = [3, 9, 4, 11, 7];
    const labels = family === 't5' ? [5, 8, 2, 6] : [-100, -100, 4, 11, 7];
    const found = await klToBase({ base, tuned, rows: [{ ids, labels }] });
    const wanted = tf.tidy(() => {
      const start = (base as { startIds?: readonly number[] }).startIds;
      const logp = (model: Model) => {
        const given = { ids: [ids], ...(start && { decoderIds: [[...start, ...labels.slice(0, -1)]] }) };
        const z = tf.squeeze(model.logits(given), [0]);
        return tf.logSoftmax(start ? z : tf.slice(z, [1, 0], [3, z.shape[1]!]));
      };
      const [q, p] = [logp(base), logp(tuned)];
      return tf.mean(tf.sum(tf.mul(tf.exp(q), tf.sub(q, p)), 1)).dataSync()[0]!;
    });
    expect(found.tokens).toBe(family === 't5' ? 4 : 3);
    expect(wanted).toBeGreaterThan(1e-3);
    near(found.kl, wanted, 1e-3);
    base.dispose();
    tuned.dispose();
    expect(footprint()).toEqual(before);
  });

  it('batches do not change what is found', async () => {
    const [base, tuned] = [tinyLlama(), tinyLlama(2)];
    const [one, all] = [
      await klToBase({ base, tuned, rows, batchSize: 1 }),
      await klToBase({ base, tuned, rows, batchSize: 99 }),
    ];
    expect(one.kl).toBeCloseTo(all.kl, 5);
    const layers = async (batchSize: number) => (await cka({ base, tuned, ids, batchSize })).map(({ cka }) => cka);
    const [cka1, ckaAll] = [await layers(1), await layers(99)];

    expect(farthest(cka1, ckaAll)).toBeLessThan(1e-4);
    base.dispose();
    tuned.dispose();
  });

  it('of which one has an adapter: it is folded in, and the base may be the model itself', async () => {
    const before = footprint();
    const [base, tuned] = [tinyLlama(), withLora(tinyLlama())];
    const names = [...tuned.inUse];
    const own = { base: tuned, tuned };
    expect((await klToBase({ ...own, rows })).kl).toBe((await klToBase({ base, tuned, rows })).kl);
    expect((await klToBase({ ...own, rows })).kl).toBeGreaterThan(1e-4);
    expect(await cka({ ...own, ids })).toEqual(await cka({ base, tuned, ids }));
    const weights = await drift(own);
    const merged = tinyLlama();
    const folded = tuned.adapters.get('default')!.merged!(name => tuned.parameter(name).read());
    for (const [name, value] of folded) merged.parameter(name).write(value);
    tf.dispose([...folded.values()]);
    const other = await drift({ base, tuned: merged });
    expect(weights.length).toBe(base.parameters.length);
    weights.forEach((weight, i) => {
      expect(weight.drift, weight.name).toBeCloseTo(other[i]!.drift, 5);
      expect(weight.rank, weight.name).toBe(other[i]!.rank);
      expect(weight.rank ?? 0).toBeLessThanOrEqual(3);
    });
    expect(weights.some(({ rank }) => rank! > 0)).toBe(true);
    expect(tuned.inUse).toEqual(names);
    expect(tuned.parameters.filter(({ trainable }) => trainable).every(({ name }) => name.includes('lora_'))).toBe(true);
    for (const model of [base, tuned, merged]) model.dispose();
    expect(footprint()).toEqual(before);
  });

  it('the effective rank of matrices reckoned by hand', () => {
    const rank = (values: number[], shape: [number, number], energy?: number) =>
      tf.tidy(() => effectiveRank(tf.tensor2d(values, shape), energy));
    expect(rank([3, 0, 0, 0, 1, 0], [2, 3])).toBe(1);
    expect(rank([3, 0, 0, 0, 1, 0], [2, 3], 0.91)).toBe(2);
    expect(rank([1, 0, 0, 0, 1, 0, 0, 0, 1], [3, 3])).toBe(3);
    expect(rank([0, 0, 0, 0], [2, 2])).toBe(0);
    // All of the energy: the rank itself, however the products were rounded.
    const factors = [tf.randomNormal([50, 2], 0, 1, 'float32', 1), tf.randomNormal([2, 40], 0, 1, 'float32', 2)] as const;
    const product = tf.matMul(...factors) as tf.Tensor2D;
    expect([0.9, 0.9999, 1].map(energy => effectiveRank(product, energy))).toEqual([2, 2, 2]);
    tf.dispose([...factors, product]);
  });

  it('that do not belong together are refused', async () => {
    const [base, tuned] = [tinyLlama(), tinyLlama()];
    const deeper = init(
      { vocabSize: 40, hiddenSize: 16, intermediateSize: 24, numHiddenLayers: 3, numAttentionHeads: 4 },
      { seed: 1 },
    );
    const wordier = await load(fixture('llama-tied'));
    const t5 = init({ modelType: 't5', vocabSize: 40 }, { seed: 1 });
    await expect(klToBase({ base, tuned: base, rows })).rejects.toThrow(/are the same/);
    await expect(klToBase({ base, tuned: {} as Model, rows })).rejects.toThrow(/no model/);
    await expect(klToBase({ base, tuned: wordier, rows })).rejects.toThrow(/not the same tokens/);
    await expect(klToBase({ base, tuned, rows: [] })).rejects.toThrow(/no token/);
    await expect(klToBase({ base, tuned, rows: [{ ids: [1, 2], labels: [-100, -100] }] })).rejects.toThrow(/no token/);
    await expect(klToBase({ base, tuned, rows, signal: AbortSignal.abort() })).rejects.toThrow(Interrupted);
    await expect(drift({ base, tuned: deeper })).rejects.toThrow(/not the same weights/);
    await expect(drift({ base, tuned, energy: 2 })).rejects.toThrow(/energy/);
    await expect(cka({ base, tuned: deeper, ids })).rejects.toThrow(/number of layers/);
    await expect(cka({ base, tuned: t5, ids })).rejects.toThrow(/encoder–decoder/);
    await expect(cka({ base, tuned, ids: [] })).rejects.toThrow(/no text/);
    await expect(wiseFt({ base, tuned: deeper, measure: () => ({}) })).rejects.toThrow(/not the same weights/);
    await expect(wiseFt({ base, tuned, alphas: [2], measure: () => ({}) })).rejects.toThrow(/no places/);
    for (const model of [base, tuned, deeper, wordier, t5]) model.dispose();
  });

  it('with weights that are not finite are refused', async () => {
    const [base, tuned] = [tinyLlama(), tinyLlama()];
    const before = footprint();
    const spoilt = tuned.parameters[3]!;
    tf.tidy(() => spoilt.write(tf.fill([...spoilt.shape], Number.NaN)));
    await expect(klToBase({ base, tuned, rows })).rejects.toThrow(/not finite/);
    await expect(drift({ base, tuned })).rejects.toThrow(`"${spoilt.name}": A weight is not finite`);
    expect(footprint()).toEqual(before);
    base.dispose();
    tuned.dispose();
  });

  it('a matrix beyond the limit has no rank, but for a LoRA’s; a LoRA on a changed weight has that of the whole change', async () => {
    const [base, tuned] = [tinyLlama(), withLora(tinyLlama())];
    const limited = await drift({ base, tuned, largest: 4 });
    const name = 'model.layers.0.self_attn.q_proj.weight';
    const rank = (rows: { name: string; rank?: number }[]) => rows.find(row => row.name === name)!.rank;
    expect(rank(limited)).toBe(rank(await drift({ base, tuned })));
    expect(limited.find(row => row.name.includes('embed_tokens'))!.rank).toBeUndefined();
    tf.tidy(() => tuned.parameter(name).write(tf.add(tuned.parameter(name).read(), tf.mul(tf.eye(16), 3))));
    expect(rank(await drift({ base, tuned }))).toBeGreaterThan(10);
    base.dispose();
    tuned.dispose();
  });

  it('a model between two, and a mean of several', () => {
    const before = footprint();
    const [base, tuned] = [tinyLlama(), tinyLlama(2)];
    const [a, b] = [weightsOf(base), weightsOf(tuned)];
    for (const [alpha, wanted] of [
      [0, a],
      [1, b],
    ] as const) {
      const model = interpolate(base, tuned, alpha);
      expect(weightsOf(model)).toEqual(wanted);
      model.dispose();
    }
    const copy = copyOf(base);
    expect(interpolate(base, tuned, 0.25, { into: copy })).toBe(copy);
    weightsOf(copy).forEach((values, i) => {
      expect(
        farthest(
          values,
          values.map((_, k) => 0.75 * a[i]![k]! + 0.25 * b[i]![k]!),
        ),
      ).toBeLessThan(1e-6);
    });
    expect([weightsOf(base), weightsOf(tuned)]).toEqual([a, b]);
    const mean = average([base, tuned], [3, 1]);
    weightsOf(mean).forEach((values, i) => {
      expect(
        farthest(
          values,
          values.map((_, k) => 0.75 * a[i]![k]! + 0.25 * b[i]![k]!),
        ),
      ).toBeLessThan(1e-6);
    });
    expect(() => interpolate(base, tuned, 1.5)).toThrow(BadInput);
    expect(() => interpolate(base, tuned, Number.NaN)).toThrow(BadInput);
    expect(() => average([])).toThrow(BadInput);
    expect(() => average([base, tuned], [1, -1])).toThrow(BadInput);
    withLora(tuned);
    expect(() => interpolate(base, tuned, 0.5)).toThrow(/adapter in use/);
    for (const model of [base, tuned, copy, mean]) model.dispose();
    expect(footprint()).toEqual(before);
  });

  it('an adapter that counts in part is the merged model between the two', () => {
    const before = footprint();
    for (const attach of [
      (model: Model) => withLora(model),
      (model: Model) => {
        model.attach(ia3());
        for (const parameter of model.adapters.get('default')!.parameters)
          tf.tidy(() => parameter.write(tf.add(parameter.read(), 0.3)));
        return model;
      },
    ]) {
      const [base, tuned, merged] = [tinyLlama(), attach(tinyLlama()), attach(tinyLlama())];
      merged.merge();
      const half = interpolate(base, merged, 0.5);
      const adapter = weightsOf(tuned);
      const logits = (model: Model) => tf.tidy(() => model.logits({ ids: [[1, 2, 3, 4]] }).dataSync());
      const undo = scaleAdapter(tuned, 0.5);
      expect(farthest(logits(tuned), logits(half))).toBeLessThan(1e-4);
      undo();
      expect(weightsOf(tuned)).toEqual(adapter);
      for (const model of [base, tuned, merged, half]) model.dispose();
    }
    const dora = withLora(tinyLlama(), { dora: true });
    expect(() => scaleAdapter(dora, 0.5)).toThrow(/not a sum/);
    expect(() => scaleAdapter(dora, 0.5, { name: 'other' })).toThrow(/No adapter of this name/);
    expect(() => scaleAdapter(dora, Number.NaN)).toThrow(BadInput);
    dora.dispose();
    expect(footprint()).toEqual(before);
  });

  it('a curve from base to tuned model, for all weights and for an adapter', async () => {
    const before = footprint();
    const [base, tuned] = [tinyLlama(), withLora(tinyLlama())];
    const adapter = weightsOf(tuned);
    const kl = async (model: Model) => (model === tuned ? 0 : (await klToBase({ base, tuned: model, rows })).kl);
    const measure = async (model: Model, alpha: number) => ({ learned: alpha, forgotten: await kl(model) });
    const merged = withLora(tinyLlama());
    merged.merge();
    const curve = await wiseFt({ base, tuned: merged, alphas: [0, 0.5, 1], measure });
    const found = curve.points.map(({ forgotten }) => forgotten!);
    expect(found[0]).toBe(0);
    expect(found[1]).toBeGreaterThan(0);
    expect(found[2]).toBeGreaterThan(found[1]!);
    expect(curve.best('learned', point => point.forgotten! <= found[1]!)).toMatchObject({ alpha: 0.5 });
    expect(curve.best('learned', () => false)).toBeUndefined();
    const logits = (model: Model) => tf.tidy(() => model.logits({ ids: [[1, 2, 3, 4]] }).dataSync()[5]!);
    const own = await wiseFt({ base: tuned, tuned, alphas: [0, 1], measure: model => ({ logit: logits(model) }) });
    expect(own.points[0]!.logit).toBeCloseTo(logits(base), 5);
    expect(own.points[1]!.logit).toBe(logits(tuned));
    expect(weightsOf(tuned)).toEqual(adapter);
    // Of several in use all count: without any of them it is the base.
    const second = withLora(tinyLlama(), { rank: 1 });
    second.attach(lora({ rank: 2, targets: 'all-linear' }), { name: 'second' });
    for (const parameter of second.adapters.get('second')!.parameters)
      if (parameter.name.includes('lora_B')) tf.tidy(() => parameter.write(tf.fill([...parameter.shape], 0.1)));
    second.use(['default', 'second']);
    const both = await wiseFt({ base: second, tuned: second, alphas: [0, 1], measure: model => ({ logit: logits(model) }) });
    expect(both.points[0]!.logit).toBeCloseTo(logits(base), 5);
    expect(both.points[1]!.logit).toBe(logits(second));
    for (const model of [base, tuned, merged, second]) model.dispose();
    expect(footprint()).toEqual(before);
  });
});

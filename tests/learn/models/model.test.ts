import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { use } from '../../../src/base/backend/index.js';
import { BadInput, Interrupted, Random, viewOf } from '../../../src/base/core/index.js';
import { init, type Model, type TrainBatch } from '../../../src/learn/models/index.js';
import { usable } from '../../helpers/backends.js';
import { leftBehind, NOTHING } from '../../helpers/leak.js';
import { relative } from './fixtures.js';

const CONFIG = {
  vocabSize: 50,
  hiddenSize: 16,
  intermediateSize: 24,
  numHiddenLayers: 2,
  numAttentionHeads: 4,
  numKeyValueHeads: 2,
};
const random = new Random(3);
const row = (length: number) => Array.from({ length }, () => random.int(50));
const IDS = [row(9), row(4), row(13), row(1)];
const LABELS = IDS.map((ids, b) => ids.map((id, t) => (t > 2 && (t + b) % 4 !== 0 ? id : -100)));
const WEIGHTS = IDS.map(ids => ids.map((_, t) => 0.25 + (t % 3)));

/** Numerator and gradients as plain numbers. */
function plain(model: Model, batch: TrainBatch): { numerator: number; denominator: number; gradients: Float32Array[] } {
  const { numerator, denominator, gradients } = model.lossAndGradients(batch);
  const result = {
    numerator: numerator.dataSync()[0]!,
    denominator,
    gradients: gradients.map(g => g.dataSync().slice() as Float32Array),
  };
  tf.dispose([numerator, ...gradients]);
  return result;
}

for (const { backend, here } of await usable('native', 'wasm', 'cpu'))
  describe.skipIf(!here)(`a model on ${backend}`, () => {
    let model: Model;
    beforeAll(async () => {
      await use(backend);
      model = init(CONFIG, { seed: 1 });
    });
    afterAll(() => model?.dispose());

    it('a batch of rows costs what its rows cost one by one, with and without weights', () => {
      for (const weights of [undefined, WEIGHTS]) {
        const whole = plain(model, { ids: IDS, labels: LABELS, weights });
        const single = IDS.map((ids, b) => plain(model, { ids: [ids], labels: [LABELS[b]!], weights: weights && [weights[b]!] }));
        expect(relative([whole.numerator], [single.reduce((sum, s) => sum + s.numerator, 0)])).toBeLessThan(1e-6);
        expect(whole.denominator).toBeCloseTo(
          single.reduce((sum, s) => sum + s.denominator, 0),
          9,
        );
        whole.gradients.forEach((gradient, i) => {
          const sum = gradient.map((_, k) => single.reduce((total, s) => total + s.gradients[i]![k]!, 0));
          expect(relative(gradient, sum), model.parameters[i]!.name).toBeLessThan(1e-5);
        });
      }
    });

    it('tokens behind the last label of a row, and labels of position 0, change nothing', () => {
      const longer = IDS.map((ids, b) => (b === 1 ? [...ids, 7, 8, 9] : ids));
      const labels = LABELS.map((l, b) => (b === 1 ? [...l, -100, -100, -100] : b === 0 ? [3, ...l.slice(1)] : l));
      const [a, b] = [plain(model, { ids: IDS, labels: LABELS }), plain(model, { ids: longer, labels })];
      expect(relative([b.numerator], [a.numerator])).toBeLessThan(1e-6);
      a.gradients.forEach((gradient, i) => {
        expect(relative(b.gradients[i]!, gradient)).toBeLessThan(1e-5);
      });
    });

    it('the loss is that of the logits, and only labelled positions have a gradient there', () => {
      tf.tidy(() => {
        const ids = [IDS[2]!];
        const labels = LABELS[2]!;
        const logits = tf.squeeze(model.logits({ ids }), [0]) as tf.Tensor2D;
        const logp = tf.logSoftmax(logits).arraySync() as number[][];
        const sum = labels.reduce((total, id, t) => (id === -100 || t === 0 ? total : total - logp[t - 1]![id]!), 0);
        expect(relative([plain(model, { ids, labels: [labels] }).numerator], [sum])).toBeLessThan(1e-5);
        expect(relative([model.lossSum({ ids, labels: [labels] }).numerator], [sum])).toBeLessThan(1e-5);
        const all = model.tokenLosses({ ids })[0]!;
        expect(all[0]).toBeNaN();
        expect(
          relative(
            all.slice(1),
            ids[0]!.slice(1).map((id, t) => -logp[t]![id]!),
          ),
        ).toBeLessThan(1e-5);
      });
    });

    it('a batch without labels has loss 0 and gradients 0', () => {
      const none = plain(model, { ids: IDS, labels: IDS.map(ids => ids.map(() => -100)) });
      expect([none.numerator, none.denominator]).toEqual([0, 0]);
      expect(none.gradients.every(g => g.every(x => x === 0))).toBe(true);
    });

    it('padding on either side, and none, give the same logits', () => {
      tf.tidy(() => {
        const [short, long] = [IDS[1]!, IDS[0]!];
        const pad = Array.from({ length: long.length - short.length }, () => 0);
        const vocabulary = model.config.vocabSize;
        const alone = model.logits({ ids: [short] }).dataSync();
        const mask = (left: boolean) => [
          long.map(() => 1),
          left ? [...pad, ...short.map(() => 1)] : [...short.map(() => 1), ...pad],
        ];
        const left = model.logits({ ids: [long, [...pad, ...short]], attentionMask: mask(true) }).dataSync();
        const right = model.logits({ ids: [long, [...short, ...pad]], attentionMask: mask(false) }).dataSync();
        const ragged = model.logits({ ids: [long, short] }).dataSync();
        const from = (values: ArrayLike<number>, t: number) =>
          Array.from(values)
            .slice((long.length + t) * vocabulary)
            .slice(0, alone.length);
        expect(relative(from(left, pad.length), alone)).toBeLessThan(1e-5);
        expect(relative(from(right, 0), alone)).toBeLessThan(1e-5);
        expect(ragged).toEqual(right);
        expect(
          from(left, 0)
            .slice(0, pad.length * vocabulary)
            .every(x => x === 0),
        ).toBe(true);
      });
    });

    it('a frozen weight has no gradient, and the others keep theirs', () => {
      const before = plain(model, { ids: IDS, labels: LABELS });
      const frozen = model.parameters.filter(p => /embed_tokens|layers\.0\.(mlp|input)/.test(p.name));
      for (const p of frozen) p.trainable = false;
      const after = plain(model, { ids: IDS, labels: LABELS });
      for (const p of frozen) p.trainable = true;
      const kept = model.parameters.flatMap((p, i) => (frozen.includes(p) ? [] : [before.gradients[i]!]));
      expect(after.gradients.length).toBe(model.parameters.length - frozen.length);
      after.gradients.forEach((gradient, i) => {
        expect(relative(gradient, kept[i]!)).toBeLessThan(1e-6);
      });
    });

    it('a model without trainable weights has a loss and no gradients', () => {
      for (const p of model.parameters) p.trainable = false;
      const { numerator, gradients } = plain(model, { ids: IDS, labels: LABELS });
      for (const p of model.parameters) p.trainable = true;
      expect(gradients).toEqual([]);
      expect(relative([numerator], [plain(model, { ids: IDS, labels: LABELS }).numerator])).toBeLessThan(1e-6);
    });

    it('a weight takes a new value of its shape, and the model uses it', () => {
      const norm = model.parameter('model.norm.weight');
      const before = plain(model, { ids: IDS, labels: LABELS }).numerator;
      tf.tidy(() => {
        const old = norm.read();
        const doubled = tf.mul(old, 2);
        norm.write(doubled);
        expect(plain(model, { ids: IDS, labels: LABELS }).numerator).not.toBeCloseTo(before, 3);
        norm.write(old);
      });
      expect(plain(model, { ids: IDS, labels: LABELS }).numerator).toBe(before);
    });

    it('an extra term adds its value and its gradient', () => {
      const batch = { ids: IDS, labels: LABELS };
      const [once, twice] = [
        plain(model, batch),
        model.lossAndGradients(batch, {
          extra: ({ logits, labels }) =>
            tf.neg(tf.sum(tf.mul(tf.logSoftmax(logits()), tf.cast(tf.oneHot(labels, 50), 'float32')))) as tf.Scalar,
        }),
      ];
      expect(relative(twice.numerator.dataSync(), [2 * once.numerator])).toBeLessThan(1e-5);
      twice.gradients.forEach((gradient, i) => {
        expect(
          relative(
            gradient.dataSync(),
            once.gradients[i]!.map(x => 2 * x),
          ),
        ).toBeLessThan(1e-5);
      });
      tf.dispose([twice.numerator, ...twice.gradients]);
    });

    it('the cache continues as the whole sequence would', async () => {
      const prompts = [IDS[1]!, IDS[0]!, IDS[3]!];
      const { ids } = await model.generate(prompts, { maxNewTokens: 6, stopIds: [] });
      for (const [b, row] of ids.entries()) {
        const start = prompts[b]!.length;
        const logits = model.logits({ ids: [row] });
        const best = tf.tidy(() => Array.from(tf.argMax(logits, 2).dataSync()));
        logits.dispose();
        expect(row.slice(start)).toEqual(best.slice(start - 1, -1));
      }
    });

    it('nothing is left behind by any public call', async () => {
      const batch = { ids: IDS, labels: LABELS };
      expect(await leftBehind(() => model.logits({ ids: IDS }).dispose())).toEqual(NOTHING);
      expect(await leftBehind(() => plain(model, batch))).toEqual(NOTHING);
      expect(await leftBehind(() => plain(model, { ids: [[1]], labels: [[-100]] }))).toEqual(NOTHING);
      expect(await leftBehind(() => model.lossSum(batch))).toEqual(NOTHING);
      expect(await leftBehind(() => model.tokenLosses(batch))).toEqual(NOTHING);
      expect(await leftBehind(() => model.generate(IDS, { maxNewTokens: 3 }))).toEqual(NOTHING);
      expect(await leftBehind(() => model.generate(IDS, { maxNewTokens: 3, temperature: 1 }))).toEqual(NOTHING);
      expect(await leftBehind(() => model.generate(IDS, { signal: AbortSignal.abort() }).catch(() => {}))).toEqual(NOTHING);
      expect(await leftBehind(() => init(CONFIG).dispose())).toEqual(NOTHING);
      expect(await leftBehind(() => model.parameter('model.norm.weight').read().dispose())).toEqual(NOTHING);
    });
  });

describe('generation', () => {
  let model: Model;
  beforeAll(async () => {
    await use('cpu');
    model = init(CONFIG, { seed: 1 });
  });
  afterAll(() => model.dispose());

  it('a row ends at its stop token while others go on; the token is kept', async () => {
    const free = await model.generate(IDS, { maxNewTokens: 8, stopIds: [] });
    const stop = free.ids[0]![IDS[0]!.length + 2]!;
    const { ids, finish } = await model.generate(IDS, { maxNewTokens: 8, stopIds: [stop] });
    ids.forEach((row, b) => {
      const start = IDS[b]!.length;
      const whole = free.ids[b]!;
      const at = whole.indexOf(stop, start);
      expect(row).toEqual(at < 0 ? whole : whole.slice(0, at + 1));
      expect(finish[b]).toBe(at < 0 ? 'length' : 'stop');
    });
    expect(finish).toContain('stop');
  });

  it('sampling repeats with its seed, differs with another, and does not depend on the neighbours', async () => {
    const sample = (rows: number[][], seed: number) =>
      model.generate(rows, { maxNewTokens: 12, temperature: 1, seed, stopIds: [] });
    const [a, b, c] = [await sample(IDS, 1), await sample(IDS, 1), await sample(IDS, 2)];
    expect(a).toEqual(b);
    expect(a.ids).not.toEqual(c.ids);
    expect((await sample(IDS.slice(0, 1), 1)).ids[0]).toEqual(a.ids[0]);
  });

  it('top-k 1 and a tiny top-p are greedy', async () => {
    const greedy = await model.generate(IDS, { maxNewTokens: 8 });
    expect(await model.generate(IDS, { maxNewTokens: 8, temperature: 2, topK: 1 })).toEqual(greedy);
    expect(await model.generate(IDS, { maxNewTokens: 8, temperature: 2, topP: 1e-9 })).toEqual(greedy);
  });

  it('sampled frequencies are the softmax', async () => {
    const prompt = [4, 9];
    const logits = model.logits({ ids: [prompt] });
    const p = tf.tidy(() => (tf.softmax(tf.div(logits, 0.7)).arraySync() as number[][][])[0]![1]!);
    logits.dispose();
    const count = 4000;
    const { ids } = await model.generate(
      Array.from({ length: count }, () => prompt),
      { maxNewTokens: 1, temperature: 0.7, seed: 5 },
    );
    const seen = p.map(() => 0);
    for (const row of ids) seen[row[2]!]!++;
    // Pearson's statistic over the likely tokens: about their number, with a spread of √(2n).
    const likely = p.flatMap((x, i) => (x * count > 5 ? [i] : []));
    const chi = likely.reduce((sum, i) => sum + (seen[i]! - p[i]! * count) ** 2 / (p[i]! * count), 0);
    expect(likely.length).toBeGreaterThan(10);
    expect(Math.abs(chi - likely.length)).toBeLessThan(5 * Math.sqrt(2 * likely.length));
  });

  it('yields to timers and stops at the signal', async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 30);
    await expect(model.generate(IDS, { maxNewTokens: 2000, stopIds: [], signal: stop.signal })).rejects.toBeInstanceOf(
      Interrupted,
    );
    clearInterval(timer);
    expect(turns).toBeGreaterThan(0);
  });

  it('ends at the length of the context', async () => {
    const short = init({ ...CONFIG, maxPositionEmbeddings: 6 });
    const { ids, finish } = await short.generate([[1, 2, 3], [1]], { maxNewTokens: 50, stopIds: [] });
    expect(ids.map(r => r.length)).toEqual([7, 7]);
    expect(finish).toEqual(['length', 'length']);
    short.dispose();
  });
});

describe('bad input to a model', () => {
  let model: Model;
  beforeAll(async () => {
    await use('cpu');
    model = init({ ...CONFIG, maxPositionEmbeddings: 16 });
  });
  afterAll(() => model.dispose());

  it.each<[string, (m: Model) => unknown, RegExp]>([
    ['a token beyond the vocabulary', m => m.logits({ ids: [[1, 50]] }), /position 1.*0 to 49.*found 50/],
    ['a fraction', m => m.logits({ ids: [[1.5]] }), /integer/],
    ['no rows', m => m.logits({ ids: [] }), /no rows/],
    ['an empty row', m => m.logits({ ids: [[1], []] }), /Row 1 has no tokens/],
    ['a mask of another length', m => m.logits({ ids: [[1, 2]], attentionMask: [[1]] }), /attention mask/],
    [
      'a mask with a row too many',
      m =>
        m.logits({
          ids: [[1, 2]],
          attentionMask: [
            [1, 1],
            [1, 1],
          ],
        }),
      /found 2 rows/,
    ],
    ['a mask that is not of 0 and 1', m => m.logits({ ids: [[1, 2]], attentionMask: [[false, true]] as never }), /found false/],
    ['a row that is not in a list', m => m.logits({ ids: [1, 2] as never }), /put a single row in a list/],
    ['a text', m => m.generate('Hello' as never), /encode a text with a tokenizer/],
    ['no configuration', () => init(undefined as never), /no configuration.*nano, tiny, small/],
    ['no input', m => m.generate(undefined as never), /not a list of rows/],
    ['a row beyond the context', m => m.logits({ ids: [Array.from({ length: 17 }, () => 1)] }), /at most 16 tokens/],
    ['labels of another length', m => m.lossSum({ ids: [[1, 2]], labels: [[1]] }), /one label/],
    ['a label that is no token', m => m.lossSum({ ids: [[1, 2]], labels: [[-100, 50]] }), /label/],
    ['an unknown weight', m => m.parameter('model.norm'), /no weight/],
    ['a value of another shape', m => tf.tidy(() => m.parameter('model.norm.weight').write(tf.zeros([3]))), /\[16\].*\[3\]/],
  ])('%s is refused', (_, work, says) => {
    expect(() => work(model)).toThrow(BadInput);
    expect(() => work(model)).toThrow(says);
  });

  it('generation options that do not exist are refused, also those of sampling by a beam search', async () => {
    await expect(model.generate([[1]], { max_new_tokens: 3 } as object)).rejects.toThrow(/no such option.*maxNewTokens/s);
    await expect(model.generate([[1]], { doSample: true } as object)).rejects.toThrow(/temperature/);
    await expect(model.stream([[1]], { topk: 3 } as object).next()).rejects.toThrow(/topk/);
    await expect(model.continuous([[1]], { slot: 3 } as object).next()).rejects.toThrow(/slots/);
    await expect(model.beamSearch([[1]], { stopStrings: ['x'] } as object)).rejects.toThrow(/Beam search has no such option/);
    await expect(model.beamSearch([[1]], { beams: 2 } as object)).rejects.toThrow(/numBeams/);
  });

  it('generation options are checked', async () => {
    for (const options of [
      { temperature: -1 },
      { topP: 0 },
      { topK: 0.5 },
      { maxNewTokens: Number.NaN },
      { seed: 'one' as never },
    ])
      await expect(model.generate([[1]], options)).rejects.toThrow(BadInput);
  });

  it('a disposed model says so', () => {
    const gone = init(CONFIG);
    gone.dispose();
    gone.dispose();
    expect(() => gone.logits({ ids: [[1]] })).toThrow(/disposed/);
    expect(() => gone.lossAndGradients({ ids: [[1, 2]], labels: [[-100, 2]] })).toThrow(/disposed/);
  });
});

describe('the view of a model', () => {
  it('is plain data', async () => {
    await use('cpu');
    const model = init(CONFIG);
    const view = viewOf(model)!;
    expect(structuredClone(view)).toEqual(view);
    expect(view).toMatchObject({ kind: 'model', data: { parameters: model.size, bytes: model.size * 4, trainable: model.size } });
    model.dispose();
  });
});

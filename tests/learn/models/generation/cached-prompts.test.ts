import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { use } from '../../../../src/base/backend/index.js';
import { BadInput, Interrupted, Random } from '../../../../src/base/core/index.js';
import { sharedBeginnings } from '../../../../src/learn/models/generation/shared-beginnings.js';
import { holdsBefore, SharedPrefix } from '../../../../src/learn/models/generation/shared-prefix.js';
import {
  type AdapterSpec,
  bottleneck,
  type Completion,
  type ContinuousOptions,
  ia3,
  init,
  load,
  lora,
  type Model,
  prefixTuning,
  promptTuning,
} from '../../../../src/learn/models/index.js';
import { usable, without } from '../../../helpers/backends.js';
import { leftBehind, NOTHING } from '../../../helpers/leak.js';
import { DECODERS, fixture, relative } from '../fixtures.js';

const random = new Random('cached prompts');
const row = (length: number) => Array.from({ length }, () => random.int(30));

/** Logits after prompts that begin with `prefix`, after tokens behind them, and after other prompts came in their midst. */
function logits(
  model: Model,
  prefix: readonly number[],
  rows: readonly number[][],
  how: { prefix?: readonly number[] },
): Float32Array {
  const stepper = model.stepper({ capacity: 48, ...how });
  const values: number[] = [];
  const take = (found: tf.Tensor2D) => {
    values.push(...found.dataSync());
    found.dispose();
  };
  try {
    const prompts = rows.map(own => [...prefix, ...own]);
    take(stepper.admit(prompts));
    for (let t = 0; t < 2; t++) take(stepper.advance(prompts.map((_, i) => (i + t) % 30)));
    take(stepper.admit(prompts.slice(0, 2)));
    stepper.select([1, 0, prompts.length]);
    for (let t = 0; t < 2; t++) take(stepper.advance([7, 8 + t, 9]));
    return Float32Array.from(values);
  } finally {
    stepper.dispose();
  }
}

const PREFIX = row(21);
const OWN = [row(3), row(1), row(6), row(2)];
const [here] = (await usable('native')).map(found => found.here);

describe.skipIf(!here)('a beginning computed once', () => {
  beforeAll(async () => {
    await use('native');
  });

  it.each(DECODERS)('%s: the logits are those of whole prompts, with our kernels and without', async name => {
    const model = await load(fixture(name));
    try {
      // Windows of sliding layers end before the beginning, within it, and not at all.
      const whole = logits(model, PREFIX, OWN, {});
      expect(relative(logits(model, PREFIX, OWN, { prefix: PREFIX }), whole)).toBeLessThan(1e-5);
      expect(
        relative(
          without(() => logits(model, PREFIX, OWN, { prefix: PREFIX })),
          whole,
        ),
      ).toBeLessThan(1e-5);
    } finally {
      model.dispose();
    }
  });

  it.each<[string, AdapterSpec]>([
    ['LoRA', lora({ rank: 2, seed: 1 })],
    ['(IA)³', ia3()],
    ['a bottleneck', bottleneck({ size: 4, seed: 1 })],
    ['a soft prompt', promptTuning({ virtualTokens: 5, seed: 1 })],
    ['a prefix', prefixTuning({ virtualTokens: 5, seed: 1 })],
  ])('%s: the logits are those of whole prompts', async (_, spec) => {
    const model = await load(fixture('llama-tied'));
    try {
      const adapter = model.attach(spec);
      for (const parameter of adapter.parameters)
        tf.tidy(() => parameter.write(tf.reshape(tf.sin(tf.range(0, parameter.size)), [...parameter.shape])));
      const whole = logits(model, PREFIX, OWN, {});
      expect(relative(logits(model, PREFIX, OWN, { prefix: PREFIX }), whole)).toBeLessThan(1e-5);
    } finally {
      model.dispose();
    }
  });

  it.each(['llama-tied', 'gemma2', 'gemma3', 'gpt2'])('%s: losses behind a beginning are those of whole rows', async name => {
    const model = await load(fixture(name));
    const made = vi.spyOn(SharedPrefix, 'of');
    try {
      const ids = [...OWN, row(1), row(9)].map(own => [...PREFIX, ...PREFIX.slice(0, 8), 5, ...own]);
      const from = ids.map((_, b) => 30 + (b % 2));
      const whole = model.tokenLosses({ ids });
      const found = model.tokenLosses({ ids, from });
      expect(made).toHaveBeenCalledOnce();
      expect(made.mock.calls[0]![0]).toHaveLength(29);
      found.forEach((losses, b) => {
        expect(losses).toHaveLength(ids[b]!.length);
        expect(losses.slice(0, from[b]).every(Number.isNaN)).toBe(true);
        expect(relative(losses.slice(from[b]), whole[b]!.slice(from[b]))).toBeLessThan(1e-5);
      });
      expect(await leftBehind(() => model.tokenLosses({ ids, from }))).toEqual(NOTHING);
      // What is not alike, or wanted, is not shared.
      made.mockClear();
      model.tokenLosses({ ids, from: [1, ...from.slice(1)] });
      model.tokenLosses({ ids: ids.slice(0, 2), from: from.slice(0, 2) });
      expect(made).not.toHaveBeenCalled();
    } finally {
      made.mockRestore();
      model.dispose();
    }
  });

  it('rotations that depend on the length share only what does not', async () => {
    const model = await load(fixture('llama-dynamic'));
    const { config } = model as unknown as { config: Parameters<typeof holdsBefore>[1] };
    const end = config.rope?.originalMaxPositionEmbeddings ?? config.maxPositionEmbeddings;
    expect([end, end + 1].map(length => holdsBefore(length, config))).toEqual([true, false]);
    expect([end, end + 1].map(length => model.shares(length))).toEqual([true, false]);
    model.dispose();
  });
});

const CONFIG = { vocabSize: 60, hiddenSize: 32, intermediateSize: 48, numHiddenLayers: 2, numAttentionHeads: 4, numKeyValueHeads: 2, headDim: 8, maxPositionEmbeddings: 200 }; // biome-ignore format: a model
const SHOTS = [row(60), row(50)];
const PROMPTS = [
  ...Array.from({ length: 14 }, (_, i) => [...SHOTS[i % 2]!, ...row(1 + (i % 5))]),
  row(7),
  [...SHOTS[0]!],
  [...SHOTS[0]!],
  [...SHOTS[0]!.slice(0, 30), ...row(3)],
];

for (const { backend, here } of await usable('native', 'wasm'))
  describe.skipIf(!here)(`cached prompts on ${backend}`, () => {
    let model: Model;
    const passes: number[] = [];
    beforeAll(async () => {
      await use(backend);
      model = init(CONFIG, { seed: 2 });
      const made = model.stepper.bind(model);
      model.stepper = options => {
        passes.push(options?.prefix?.length ?? 0);
        return made(options);
      };
    });
    afterAll(() => model?.dispose());

    const all = async (options: ContinuousOptions) => {
      passes.length = 0;
      const found: Completion[] = [];
      for await (const one of model.continuous(PROMPTS, { maxNewTokens: 4, slots: 5, stopIds: [3], ...options })) found.push(one);
      return found.sort((a, b) => a.index - b.index);
    };

    it('greedy and sampled tokens are the same as without', async () => {
      for (const how of [{}, { temperature: 1, seed: 5, topK: 20 }]) {
        const cached = await all(how);
        expect(passes.toSorted((a, b) => a - b)).toEqual([0, 50, 59]);
        expect(cached).toEqual(await all({ ...how, cachePrompts: false }));
        expect(passes).toEqual([0]);
      }
      const same = Array.from({ length: 9 }, (_, i) => [...SHOTS[0]!, i]);
      const options = { maxNewTokens: 3, stopIds: [] };
      passes.length = 0;
      const cached = await model.generate(same, options);
      expect(passes).toEqual([60]);
      expect(cached.ids).toEqual((await model.generate(same, { ...options, cachePrompts: false })).ids);
    });

    it('leaves nothing behind: to its end, broken off, interrupted, and after an error', async () => {
      const early = async () => {
        for await (const _ of model.continuous(PROMPTS, { maxNewTokens: 4, slots: 5 })) break;
      };
      const aborted = async () => {
        const controller = new AbortController();
        const work = (async () => {
          for await (const _ of model.continuous(PROMPTS, { maxNewTokens: 9, slots: 5, stopIds: [], signal: controller.signal }))
            controller.abort();
        })();
        await expect(work).rejects.toThrow(Interrupted);
      };
      const wrong = () => {
        const stepper = model.stepper({ capacity: 80, prefix: SHOTS[0]! });
        try {
          expect(() => stepper.admit([PROMPTS[1]!])).toThrow(BadInput);
          expect(() => stepper.admit([[...SHOTS[0]!, 60]])).toThrow(/does not know/);
        } finally {
          stepper.dispose();
        }
      };
      for (const work of [() => all({}), early, aborted, wrong]) expect(await leftBehind(work)).toEqual(NOTHING);
    });
  });

describe('which beginnings are shared', () => {
  const groups = (prompts: number[][], steps = 1) =>
    sharedBeginnings(prompts, steps).map(({ rows, shared }) => ({ rows: rows.toSorted((a, b) => a - b), shared }));
  const [head, a, b] = [40, 100, 200].map(length => Array.from({ length }, () => random.int(1000)));
  const tails = Array.from({ length: 20 }, (_, i) => [1000 + i, i]);

  it('the longest that saves most', () => {
    const prompts = tails.map((tail, i) => [...head!, ...(i < 8 ? a! : i < 16 ? b! : []), ...tail]);
    const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
    expect(groups(prompts).sort((x, y) => y.shared - x.shared)).toEqual([
      { rows: numbers(8, 16), shared: 240 },
      { rows: numbers(0, 8), shared: 140 },
      { rows: numbers(16, 20), shared: 0 },
    ]);
    // Where every group's steps cost more than its own examples, all go behind the head.
    expect(
      groups(
        prompts.map(prompt => [...prompt.slice(0, 70), ...prompt.slice(-2)]),
        8,
      ),
    ).toEqual([{ rows: numbers(0, 20), shared: 40 }]);
  });

  it('none where little is shared, and never a whole prompt', () => {
    expect(groups(tails)).toEqual([{ rows: tails.map((_, i) => i), shared: 0 }]);
    expect(groups([a!, a!, a!])).toEqual([{ rows: [0, 1, 2], shared: 99 }]);
    expect(groups([[], a!, [...a!, 1]])).toEqual([
      { rows: [1, 2], shared: 99 },
      { rows: [0], shared: 0 },
    ]);
    expect(groups([])).toEqual([]);
    // Every prompt goes on where the one before ends: as deep as there are prompts.
    const deep = Array.from({ length: 3000 }, (_, i) => Array.from({ length: 2 + Math.floor(i / 10) }, () => 1));
    const [first, ...others] = groups(deep);
    expect([first!.shared > 100, others.length]).toEqual([true, 1]);
  });
});

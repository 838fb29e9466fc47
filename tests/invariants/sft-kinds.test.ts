import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { use } from '../../src/base/backend/index.js';
import { Random } from '../../src/base/core/index.js';
import { linearCrossEntropy } from '../../src/base/ops/index.js';
import { lora, type Model, promptTuning } from '../../src/learn/models/index.js';
import { type History, type SftOptions, sft, sgd } from '../../src/learn/train/index.js';
import { footprint, workingBackends } from '../learn/train/backends.js';
import { difference, tinyLlama, unevenRows, weightsOf } from './tiny.js';

const working = await workingBackends('native', 'wasm', 'cpu');
const rows = unevenRows(12, 6);

/** What is trained. Without dropout: its masks depend on the batches. */
const KINDS: Record<string, (model: Model) => void> = {
  'full weights': () => {},
  LoRA: model => {
    const adapter = model.attach(lora({ rank: 2, targets: 'all-linear' }));
    // B is zero at first, and A without a gradient.
    for (const p of adapter.parameters)
      if (p.name.includes('lora_B')) tf.tidy(() => p.write(tf.randomNormal([...p.shape], 0, 0.1, 'float32', 5)));
  },
  'soft prompts': model => void model.attach(promptTuning({ virtualTokens: 3 })),
};

interface Outcome {
  history: History;
  weights: Float32Array[];
}

/** Two steps, each over all rows; plain SGD, so that weights differ as gradients do. */
async function trained(kind: string, options: Partial<SftOptions>, prepare: (model: Model) => void = () => {}): Promise<Outcome> {
  const model = tinyLlama();
  KINDS[kind]!(model);
  prepare(model);
  const history = await sft({
    model,
    rows,
    optimizer: sgd(),
    learningRate: 0.5,
    steps: 3,
    seed: 3,
    clip: false,
    ...options,
  }).finish();
  const weights = weightsOf(model);
  model.dispose();
  return { history, weights };
}

function expectSame(a: Outcome, b: Outcome, tolerance = 1e-5): void {
  expect(b.history.labelTokens).toEqual(a.history.labelTokens);
  expect(difference([a.history.loss], [b.history.loss])).toBeLessThan(tolerance);
  expect(difference([a.history.gradNorm], [b.history.gradNorm])).toBeLessThan(tolerance);
  expect(difference(a.weights, b.weights)).toBeLessThan(10 * tolerance);
}

describe.each(Object.keys(KINDS))('%s', kind => {
  const whole = { batchSize: 12 };

  describe.each(working)('on %s', backend => {
    it('batches of 12, 4 × 3, 1 × 12, packed, bucketed and recomputed layers: the same training', async () => {
      await use(backend);
      const before = footprint();
      const one = await trained(kind, whole);
      // It learns, and the rows of the step differ: a comparison of nothing would pass too.
      expect(one.history.loss[1]).toBeLessThan(one.history.loss[0]! - 1e-4);
      expect(one.history.padding[0]).toBeGreaterThan(0.1);
      expectSame(one, await trained(kind, { batchSize: 3, accumulate: 4 }));
      expectSame(one, await trained(kind, { batchSize: 1, accumulate: 12 }));
      const packed = await trained(kind, { packing: { length: 1024 }, batchSize: 1 });
      const packedSmall = await trained(kind, { packing: { length: 40 }, batchSize: 1, accumulate: 12 });
      expect(packed.history.padding[0]).toBe(0);
      expectSame(one, packed);
      expectSame(one, packedSmall);
      expectSame(one, await trained(kind, { bucket: true, batchSize: 3, accumulate: 4 }));
      const recomputed = (model: Model) => {
        const compute = model.lossAndGradients.bind(model);
        model.lossAndGradients = (batch, options) => compute(batch, { ...options, recompute: true });
      };
      expectSame(one, await trained(kind, whole, recomputed));
      expect(footprint()).toEqual(before);
    });
  });

  it('native, wasm and cpu agree', async () => {
    const outcomes: Outcome[] = [];
    for (const backend of working) {
      await use(backend);
      outcomes.push(await trained(kind, { batchSize: 3, accumulate: 2, steps: 3 }));
    }
    expect(outcomes.length).toBeGreaterThan(1);
    for (const other of outcomes.slice(1)) expectSame(outcomes[0]!, other, 2e-5);
  });
});

describe.each(working)('the head on %s', backend => {
  it('does not depend on the size of its chunks', async () => {
    await use(backend);
    const random = new Random('head');
    const values = (count: number) => Array.from({ length: count }, () => random.normal());
    const [hidden, head] = [tf.tensor2d(values(10 * 8), [10, 8]), tf.tensor2d(values(30 * 8), [30, 8])];
    const labels = tf.tensor1d(
      Array.from({ length: 10 }, () => random.int(30)),
      'int32',
    );
    const weights = tf.tensor1d(Array.from({ length: 10 }, () => random.next()));
    const at = (chunk: number | undefined) => {
      const { value, grads } = tf.valueAndGrads((h, w) =>
        linearCrossEntropy(h as tf.Tensor2D, w as tf.Tensor2D, labels, weights, { chunk }),
      )([hidden, head]);
      const found = [value, ...grads].map(t => t.dataSync());
      tf.dispose([value, ...grads]);
      return found;
    };
    const all = at(undefined);
    for (const chunk of [1, 3, 7, 10]) expect(difference(all, at(chunk))).toBeLessThan(1e-5);
    tf.dispose([hidden, head, labels, weights]);
  });
});

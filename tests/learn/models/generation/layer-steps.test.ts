import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { native, use } from '../../../../src/base/backend/index.js';
import { init, load, lora, type Model } from '../../../../src/learn/models/index.js';
import { usable, without } from '../../../helpers/backends.js';
import { DECODERS, fixture, relative } from '../fixtures.js';

/** Logits after prompts of different lengths and three more tokens a row. */
function logits(model: Model, rows: number): Float32Array {
  const stepper = model.stepper({ capacity: 40 });
  try {
    stepper
      .admit(Array.from({ length: rows }, (_, row) => Array.from({ length: 1 + ((row * 5) % 11) }, (_, t) => (row + 7 * t) % 30)))
      .dispose();
    let last: tf.Tensor2D | undefined;
    for (let t = 0; t < 3; t++) {
      last?.dispose();
      last = stepper.advance(Array.from({ length: rows }, (_, row) => (row + t) % 30));
    }
    const values = last!.dataSync<'float32'>().slice();
    last!.dispose();
    return values;
  } finally {
    stepper.dispose();
  }
}

const here = (await usable('native'))[0]!.here;
describe.skipIf(!here)('steps of generation layer by layer', () => {
  beforeAll(async () => {
    await use('native');
    expect(native()!.fused).toBe(true);
  });
  afterEach(() => vi.restoreAllMocks());

  it.each(DECODERS)('%s: logits are those of the ops one after the other, for few rows and for more', async name => {
    const model = await load(fixture(name));
    try {
      for (const rows of [1, 3, 26])
        expect(
          relative(
            logits(model, rows),
            without(() => logits(model, rows)),
          ),
        ).toBeLessThan(1e-5);
    } finally {
      model.dispose();
    }
  });

  it('a layer is five calls; with an adapter more, and its logits are right', () => {
    const [layers, vocabSize] = [3, 40];
    const model = init(
      {
        vocabSize,
        hiddenSize: 32,
        intermediateSize: 48,
        numHiddenLayers: layers,
        numAttentionHeads: 4,
        numKeyValueHeads: 2,
        headDim: 8,
        maxPositionEmbeddings: 64,
      },
      { seed: 1 },
    );
    const backend = tf.backend() as unknown as Record<
      'executeSingleOutput' | 'executeMultipleOutputs',
      (name: string) => unknown
    >;
    const calls = () => {
      const names: string[] = [];
      for (const method of ['executeSingleOutput', 'executeMultipleOutputs'] as const) {
        const real = backend[method];
        vi.spyOn(backend, method).mockImplementation(function (this: unknown, ...args: [string]) {
          names.push(args[0]);
          return real.apply(backend, args);
        });
      }
      const stepper = model.stepper();
      try {
        stepper.admit([[1, 2, 3]]).dispose();
        stepper.advance([4]).dispose();
        names.length = 0;
        stepper.advance([5]).dispose();
      } finally {
        stepper.dispose();
        vi.restoreAllMocks();
      }
      return names.filter(name => /^Tunebook(Products|AttentionStep)$/.test(name)).length === 5 * layers + 1
        ? names.length
        : undefined;
    };
    try {
      // Beside the layers: embeddings, the last norm and the head.
      expect(calls()).toBe(5 * layers + 3);
      const before = logits(model, 2);
      const adapter = model.attach(lora({ rank: 2, seed: 3 }));
      for (const parameter of adapter.parameters) parameter.write(tf.fill([...parameter.shape], 0.05));
      expect(calls()).toBeUndefined();
      const adapted = logits(model, 2);
      expect(relative(adapted, before)).toBeGreaterThan(1e-3);
      expect(
        relative(
          adapted,
          without(() => logits(model, 2)),
        ),
      ).toBeLessThan(1e-5);
    } finally {
      model.dispose();
    }
  });
});

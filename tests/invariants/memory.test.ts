import { describe, expect, it } from 'vitest';
import { use } from '../../src/base/backend/index.js';
import { init, lora, type Model, promptTuning } from '../../src/learn/models/index.js';
import { sft } from '../../src/learn/train/index.js';
import { heapMB } from '../helpers/heap.js';
import { footprint, workingBackends } from '../learn/train/backends.js';
import { unevenRows } from './tiny.js';

const STEPS = 500;

const KINDS: Record<string, (model: Model) => void> = {
  'full weights': () => {},
  'LoRA with dropout': model => void model.attach(lora({ rank: 2, dropout: 0.1 })),
  'a soft prompt': model => void model.attach(promptTuning({ virtualTokens: 2 })),
};

/** The least there is: what is kept of a step does not depend on the size of the model. */
const least = {
  vocabSize: 40,
  hiddenSize: 8,
  intermediateSize: 8,
  numHiddenLayers: 1,
  numAttentionHeads: 2,
  numKeyValueHeads: 1,
  maxPositionEmbeddings: 32,
};

describe.each(await workingBackends('native', 'wasm'))('on %s', backend => {
  // One kind is enough to see what a backend keeps.
  const kinds = backend === 'native' ? Object.keys(KINDS) : ['LoRA with dropout'];

  it.each(kinds)(`${STEPS} steps of %s hold the same tensors, bytes and heap`, async kind => {
    await use(backend);
    const model = init(least, { seed: 1 });
    KINDS[kind]!(model);
    const before = footprint();
    const run = sft({ model, rows: unevenRows(6), batchSize: 2, steps: STEPS, learningRate: 1e-3, detailEvery: 7 });
    const seen = new Set<string>();
    const heap: number[] = [];
    run.onStep(({ step }) => {
      seen.add(JSON.stringify(footprint()));
      if (step === 100 || step === STEPS) heap.push(heapMB());
    });
    await run.finish();
    expect(run.step).toBe(STEPS);
    expect(seen.size).toBe(1);
    // The history takes some numbers a step; a tensor or a closure kept of every step would take more than that.
    expect(heap[1]! - heap[0]!).toBeLessThan(4);
    expect(footprint()).toEqual(before);
    model.dispose();
  });
});

import { describe, expect, it } from 'vitest';
import * as backend from '../../../src/base/backend/index.js';
import { init } from '../../../src/learn/models/index.js';
import { stepFlops } from '../../../src/learn/train/flops.js';
import { isMatch, matching } from '../../../src/learn/train/match.js';
import { isOutOfMemory, memoryNeed, outOfMemory } from '../../../src/learn/train/memory-need.js';
import { adafactor } from '../../../src/learn/train/optimizers/adafactor.js';
import { adamw } from '../../../src/learn/train/optimizers/adamw.js';
import { withEma } from '../../../src/learn/train/optimizers/ema.js';
import { showRow } from '../../../src/learn/train/row-text.js';
import { spike } from '../../../src/learn/train/spikes.js';

const row = { ids: [5, 6, 7, 8], labels: [-100, -100, 7, 8], line: 3 };

describe('memory that training needs', () => {
  it('counts weights, gradients and optimizer, and estimates activations', async () => {
    await backend.use('cpu');
    const model = init(
      { hiddenSize: 16, intermediateSize: 24, numHiddenLayers: 2, numAttentionHeads: 2, vocabSize: 50 },
      { seed: 1 },
    );
    const bytes = model.parameters.reduce((sum, p) => sum + p.size * 4, 0);
    const need = memoryNeed(model, adamw(), [[row, row], [row]]);
    expect(need).toMatchObject({ weights: bytes, gradients: 2 * bytes, optimizer: 2 * bytes, rows: 2, longest: 4 });
    expect(need.total).toBe(5 * bytes + need.activations);
    expect(need.activations).toBe(4 * (2 * (8 * (10 * 16 + 3 * 24) + 2 * 16 * 2) + 2 * 8 * 50));
    expect(memoryNeed(model, withEma(adamw(), 0.9), [[row]])).toMatchObject({ gradients: bytes, optimizer: 3 * bytes });
    expect(memoryNeed(model, adafactor(), [[row]]).optimizer).toBeLessThan(0.02 * bytes);
    model.parameters[0]!.trainable = false;
    expect(memoryNeed(model, adamw(), [[row]]).gradients).toBe(bytes - model.parameters[0]!.size * 4);
    model.dispose();
  });

  it('is explained with the numbers and three ways to shrink', () => {
    const need = { weights: 5e8, gradients: 5e8, optimizer: 1e9, activations: 12e9, total: 14e9, rows: 8, longest: 700 };
    const cause = new Error('OOM');
    const error = outOfMemory(12, need, { batchSize: 8, accumulate: 2, optimizer: 'adamw', adapters: false }, cause);
    expect(error.message).toBe(
      'Memory ran out at step 12. Needed, about: weights 500 MB, gradients 500 MB, optimizer 1000 MB, activations 12.0 GB ' +
        '(8 rows of up to 700 tokens), in all 14.0 GB. Fix: (1) batchSize: 4, accumulate: 4 gives the same steps and saves about 6000 MB; ' +
        "(2) train an adapter, model.attach(models.lora({ rank: 8 })), which saves nearly all of the gradients and the optimizer's 1500 MB; " +
        '(3) maxLength: 512 cuts the longest rows (700 tokens) and saves about 3223 MB.',
    );
    expect(error.cause).toBe(cause);
    const small = outOfMemory(1, need, { batchSize: 1, accumulate: 8, optimizer: 'sgd', adapters: true }, cause);
    expect(small.message).toMatch(/\(1\) maxLength: 512.*\(2\) a smaller model/);
  });

  it('is told from other errors', () => {
    const yes = [
      'OOM when allocating tensor with shape[8,512]',
      'Array buffer allocation failed',
      'Invalid typed array length: 9999999999',
      'std::bad_alloc',
      'Aborted(OOM)',
      'RESOURCE_EXHAUSTED: Out of memory',
      'WebAssembly.Memory.grow(): Maximum memory size exceeded',
    ];
    for (const text of yes) expect(isOutOfMemory(new Error(text)), text).toBe(true);
    for (const text of ['no such file', 'the room is full', 'Invalid array shape'])
      expect(isOutOfMemory(new Error(text)), text).toBe(false);
  });
});

describe('floating-point operations of a step', () => {
  it('are those of the matrix products', async () => {
    await backend.use('cpu');
    const sizes = {
      hiddenSize: 16,
      intermediateSize: 24,
      numHiddenLayers: 1,
      numAttentionHeads: 2,
      numKeyValueHeads: 1,
      vocabSize: 50,
    };
    const model = init({ ...sizes, tieWordEmbeddings: true }, { seed: 1 });
    const [tokens, labelled] = [4, 2];
    const products = tokens * 16 * (16 + 8 + 8) + labelled * (16 * 16 + 3 * 16 * 24) + labelled * 50 * 16;
    expect(stepFlops(model, [row])).toBe(6 * products + 6 * 16 * tokens ** 2);
    // Packed: two segments see half of the pairs.
    const packed = { ...row, segmentIds: [1, 1, 2, 2] };
    expect(stepFlops(model, [packed])).toBe(6 * (products - 16 * 16 - 3 * 16 * 24 - 50 * 16) + 6 * 16 * 8);
    for (const parameter of model.parameters) parameter.trainable = false;
    expect(stepFlops(model, [row])).toBe(4 * products + 6 * 16 * tokens ** 2);
    expect(stepFlops({ parameters: [], lossAndGradients: model.lossAndGradients }, [row])).toBeUndefined();
    model.dispose();
  });
});

describe('a row shown with its mask', () => {
  it('has what is trained in brackets, on one line, cut in the middle', () => {
    expect(showRow(row)).toBe('line 3: 5 6 ⟦7 8⟧');
    expect(showRow({ ids: [1, 2], labels: [9, -100, 4] }, { seq2seq: true })).toBe('[2 tokens]: 1 2 ⟦9 4⟧');
    const tokenizer = { decode: (ids: number[]) => ids.map(id => `<${id}>\n`).join('') };
    expect(showRow(row, { tokenizer })).toBe('line 3: <5>\\n<6>\\n⟦<7>\\n<8>\\n⟧');
    const long = { ids: Array.from({ length: 300 }, (_, i) => i), labels: new Array(300).fill(-100) };
    expect(showRow(long, { limit: 20 })).toBe('[300 tokens]: 0 1 2 3 4  … 97 298 299');
  });
});

describe('a spike', () => {
  const calm = Array.from({ length: 40 }, (_, i) => 2 + 0.1 * Math.sin(i));
  it('lies far above the losses before', () => {
    expect(spike(calm, 3)).toBeGreaterThan(5);
    expect(spike(calm, 2.2)).toBeUndefined();
    expect(spike(calm, 0)).toBeUndefined();
    expect(spike(calm, 2.2, { deviations: 2 })).toBeGreaterThan(2);
    expect(spike([9, 9, 9, 9, ...calm], 3, { window: 40 })).toBeGreaterThan(5);
  });
  it('needs some losses before it, and is none where the loss stands still', () => {
    expect(spike(calm.slice(0, 9), 99)).toBeUndefined();
    expect(spike(new Array(20).fill(1), 1.01)).toBeUndefined();
  });
});

describe('weights by name', () => {
  const weight = (name: string) => ({
    name,
    shape: [2],
    size: 2,
    bytes: 8,
    trainable: true,
    read() {},
    write() {},
    dispose() {},
  });
  const all = ['model.layers.1.self_attn.q_proj.weight', 'model.layers.11.self_attn.q_proj.weight', 'lm_head.weight'].map(weight);
  it('are meant by whole parts, patterns and functions', () => {
    expect(all.map(p => isMatch('layers.1', p))).toEqual([true, false, false]);
    expect(all.map(p => isMatch('q_proj', p))).toEqual([true, true, false]);
    expect(all.map(p => isMatch(/layers\.\d\./g, p))).toEqual([true, false, false]);
    expect(matching('x', ['lm_head', p => p.name.includes('11')], all)).toEqual([all[1], all[2]]);
    expect(() => matching('x', [3 as never], all)).toThrow(/which weights/);
  });
});

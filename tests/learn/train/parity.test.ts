import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import * as backend from '../../../src/base/backend/index.js';
import { load } from '../../../src/learn/models/index.js';
import * as train from '../../../src/learn/train/index.js';
import { DECODERS } from '../models/fixtures.js';
import { workingBackends } from './backends.js';

interface Expected {
  batches: { ids: number[][]; labels: number[][] }[];
  optimizer: { lr: number; betas: [number, number]; eps: number; weight_decay: number; clip: number };
  steps: { loss: number; gradNorm: number }[];
}

const folder = (name: string) => fileURLToPath(new URL(`../models/fixtures/${name}`, import.meta.url));
const working = await workingBackends('native', 'wasm', 'cpu');

// Made by tests/learn/models/fixtures/make.py: PyTorch's AdamW with clipping on transformers' models.
// Plain JavaScript is slow: it takes the two Llamas.
describe.each(working)('eight AdamW steps on %s equal PyTorch', name => {
  it.each(name === 'cpu' ? ['llama-tied', 'llama-untied'] : DECODERS)('%s: loss and gradient norm at every step', async which => {
    await backend.use(name);
    const expected = JSON.parse(readFileSync(`${folder(which)}/expected.json`, 'utf8')) as Expected;
    const { lr, betas, eps, weight_decay, clip } = expected.optimizer;
    const model = await load(folder(which));
    const rows = expected.batches.flatMap(({ ids, labels }) => ids.map((row, i) => ({ ids: row, labels: labels[i]! })));
    const run = train.sft({
      model,
      rows,
      batchSize: expected.batches[0]!.ids.length,
      epochs: 1,
      shuffle: false,
      schedule: 'constant',
      clip,
      optimizer: train.adamw({ learningRate: lr, betas, eps, weightDecay: weight_decay, decay: 'all' }),
    });
    const { loss, gradNorm } = await run.finish();
    model.dispose();
    expect(loss).toHaveLength(8);
    expected.steps.forEach((step, i) => {
      expect(Math.abs(loss[i]! / step.loss - 1), `loss of step ${i + 1}`).toBeLessThan(1e-3);
      expect(Math.abs(gradNorm[i]! / step.gradNorm - 1), `gradient norm of step ${i + 1}`).toBeLessThan(1e-3);
    });
  });
});

import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { use } from '../../../src/base/backend/index.js';
import { BadInput, Random } from '../../../src/base/core/index.js';
import { init, loadAdapter, lora, type Model } from '../../../src/learn/models/index.js';
import { adamw, resume, sft } from '../../../src/learn/train/index.js';
import { footprint, workingBackends } from './backends.js';

const random = new Random('rows');
const rows = Array.from({ length: 12 }, (_, i) => {
  const ids = Array.from({ length: 5 + (i % 4) }, () => random.int(64));
  return { ids, labels: ids.map((id, t) => (t < 2 ? -100 : id)) };
});
const scratch = (seed = 1) => init('nano', { vocabSize: 64, seed });
const spec = () => lora({ rank: 2, targets: 'all-linear', dropout: 0.3, bias: 'none', modulesToSave: ['model.norm'] });
const values = (model: Model) => model.parameters.map(p => tf.tidy(() => [...p.read().dataSync()]));

for (const backend of await workingBackends('native', 'wasm'))
  describe(`checkpoints of adapters on ${backend}`, () => {
    let dir: string;

    beforeEach(async () => {
      await use(backend);
      dir = await mkdtemp(join(tmpdir(), 'tunebook-adapter-checkpoint-'));
    });
    afterEach(() => rm(dir, { recursive: true }));

    const options = (model: Model) => ({
      model,
      rows,
      batchSize: 2,
      accumulate: 2,
      steps: 6,
      optimizer: adamw(),
      learningRate: 1e-2,
      seed: 5,
    });

    it('hold the adapter without its frozen base, and go on as without the break, dropout included', async () => {
      const whole = scratch();
      whole.attach(spec());
      const history = await sft(options(whole)).finish();

      const broken = scratch();
      broken.attach(spec());
      const run = sft({ ...options(broken), checkpoint: { dir } });
      for await (const { step } of run) if (step === 3) run.stop();
      run.dispose();
      const [folder] = await readdir(dir);
      expect(folder).toBe('step-000003');
      const files = await readdir(join(dir, folder!));
      expect(files.sort()).toEqual(['adapters', 'checkpoint.json', 'optimizer.safetensors', 'trained.safetensors']);
      const baseBytes = broken.baseParameters.reduce((sum, p) => sum + p.bytes, 0);
      expect((await stat(join(dir, folder!, 'trained.safetensors'))).size).toBeLessThan(baseBytes / 4);
      broken.dispose();

      // A fresh process has the base alone: the adapter is put on it.
      const model = scratch();
      const resumed = await resume(dir, { rows, model, optimizer: adamw() });
      await resumed.finish();
      expect(model.inUse).toEqual(['default']);
      expect(resumed.history.loss).toEqual(history.loss);
      expect(resumed.history.gradNorm).toEqual(history.gradNorm);
      expect(values(model)).toEqual(values(whole));

      // Its newest checkpoint loads as an adapter by itself.
      const [, last] = (await readdir(dir)).sort();
      const other = scratch();
      await loadAdapter(other, join(dir, last!, 'adapters', 'default'));
      expect(values(other)).toEqual(values(whole));
      for (const made of [whole, model, other]) made.dispose();
    });

    it('are refused without the base, and on another one', async () => {
      const model = scratch();
      model.attach(spec());
      await sft({ ...options(model), steps: 1, checkpoint: { dir } }).finish();
      model.dispose();
      const before = footprint();
      await expect(resume(dir, { rows, optimizer: adamw() })).rejects.toThrow(/does not hold the frozen base/);
      expect(footprint()).toEqual(before);
      const other = scratch(2);
      await expect(resume(dir, { rows, model: other, optimizer: adamw() })).rejects.toThrow(BadInput);
      expect(other.adapters.size).toBe(0);
      other.dispose();
      expect(footprint()).toEqual(before);
    });

    it('another seed drops other inputs', async () => {
      const losses = [];
      for (const seed of [5, 5, 6]) {
        const model = scratch();
        const adapter = model.attach(spec());
        for (const p of adapter.parameters) if (p.name.includes('lora_B')) tf.tidy(() => p.write(tf.ones([...p.shape])));
        losses.push((await sft({ ...options(model), steps: 1, shuffle: false, seed }).finish()).loss[0]);
        model.dispose();
      }
      expect(losses[0]).toBe(losses[1]);
      expect(losses[0]).not.toBe(losses[2]);
    });
  });

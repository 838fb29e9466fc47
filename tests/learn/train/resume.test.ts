import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { use } from '../../../src/base/backend/index.js';
import { Random } from '../../../src/base/core/index.js';
import { lora, type Model, promptTuning } from '../../../src/learn/models/index.js';
import { adafactor, adamw, resume, type SftOptions, sft, wsd } from '../../../src/learn/train/index.js';
import { tinyLlama, unevenRows, weightsOf } from '../../invariants/tiny.js';
import { footprint, workingBackends } from './backends.js';

const rows = unevenRows(22);
const tasked = rows.map((row, i) => ({ ...row, task: i % 3 ? 'many' : 'few' }));

interface Kind {
  options?: Partial<SftOptions>;
  attach?: (model: Model) => void;
}

const KINDS: Record<string, Kind> = {
  'full weights': { options: { schedule: 'cosine', warmup: 3 } },
  'LoRA with dropout': { attach: model => model.attach(lora({ rank: 2, targets: 'all-linear', dropout: 0.3 })) },
  'LoRA beside an embedding that is trained too': {
    attach: model => {
      model.attach(lora({ rank: 2 }));
      model.parameter('model.embed_tokens.weight').trainable = true;
    },
  },
  'a soft prompt': { attach: model => model.attach(promptTuning({ virtualTokens: 3 })) },
  packing: { options: { packing: { length: 32 }, batchSize: 2 } },
  bucketing: { options: { bucket: true } },
  accumulation: { options: { batchSize: 2, accumulate: 3 } },
  'streamed rows': { options: { rows: () => rows, shuffleBuffer: 7, bucket: true, packing: { length: 24 }, batchSize: 1 } },
  'a mixture of tasks': { options: { rows: tasked, mixture: { strategy: 'temperature', temperature: 2 }, detailEvery: 2 } },
  'replayed rows': { options: { replay: { rows: unevenRows(9, 5), share: 0.3 } } },
  'an average of the weights, noise and smoothing': { options: { ema: 0.8, neftune: 3, labelSmoothing: 0.1 } },
  'Adafactor, some weights frozen': { options: { optimizer: adafactor({ learningRate: 0.01 }), freeze: /embed|layers\.0\./ } },
  'Lion and a schedule function': { options: { optimizer: 'lion', schedule: wsd({ warmup: 2, decay: 4 }) } },
  'weights frozen by hand': {
    attach: model => {
      for (const parameter of model.parameters) if (parameter.name.includes('layers.1')) parameter.trainable = false;
    },
  },
  'weights frozen by a hook': {
    options: {
      hooks: {
        onStep: ({ step }, { run }) => {
          for (const parameter of run.model.parameters) parameter.trainable = step % 4 < 2 || !parameter.name.includes('mlp');
        },
      },
    },
  },
  'held-out rows and the best weights': { options: { evaluate: { rows: unevenRows(4, 8), every: 2 }, keepBest: true } },
};

// Sums are made in the same order in every run, on every backend here: nothing has to be tolerated.
for (const backend of await workingBackends('native', 'wasm'))
  describe(`a run that is stopped and resumed, on ${backend}`, () => {
    let dir: string;
    beforeEach(async () => {
      await use(backend);
      dir = await mkdtemp(join(tmpdir(), 'tunebook-resume-'));
    });
    afterEach(() => rm(dir, { recursive: true }));

    it.each(Object.entries(KINDS))(
      '%s: losses, gradients and weights are those of an unbroken one, bit by bit',
      async (name, kind) => {
        const fresh = () => {
          const model = tinyLlama();
          kind.attach?.(model);
          return model;
        };
        const checkpoint = (at: string) => ({ dir: join(dir, at), keep: 9 });
        const options = (model: Model, at: string): SftOptions => ({
          ...{
            model,
            rows,
            batchSize: 4,
            optimizer: adamw(),
            learningRate: 0.01,
            seed: 3,
            steps: 10,
            checkpoint: checkpoint(at),
          },
          ...kind.options,
        });
        const whole = fresh();
        const unbroken = sft(options(whole, 'whole'));
        const history = await unbroken.finish();

        // Three times: at random steps, each in a fresh model.
        const random = new Random(`${name}/${backend}`);
        let at = 0;
        let model = fresh();
        let run = sft(options(model, 'broken'));
        for (const stop of [1 + random.int(4), 5 + random.int(2), 7 + random.int(3)]) {
          for await (const { step } of run) if (step === stop) run.stop();
          expect(run.status).toBe('stopped');
          at = stop;
          run.dispose();
          model.dispose();
          model = fresh();
          run = await resume(join(dir, 'broken'), { ...options(model, 'broken'), steps: undefined });
          expect(run.step).toBe(at);
        }
        const resumed = await run.finish();
        for (const column of ['loss', 'gradNorm', 'learningRate', 'epoch', 'labelTokens', 'lossByTask', 'entropy'] as const)
          expect((resumed as Record<string, unknown>)[column]).toEqual((history as Record<string, unknown>)[column]);
        expect(weightsOf(model)).toEqual(weightsOf(whole));
        expect(run.evaluations).toEqual(unbroken.evaluations);
        whole.dispose();
        model.dispose();
      },
    );

    it('the run itself goes on after stop(), as if there had been none', async () => {
      const before = footprint();
      const histories = [];
      for (const stops of [[], [2, 5]]) {
        const model = tinyLlama();
        const run = sft({ model, rows, batchSize: 4, steps: 8, seed: 3, checkpoint: { dir: join(dir, `${stops.length}`) } });
        run.onStep(({ step }) => {
          if (stops.includes(step)) run.stop();
        });
        while (run.status !== 'done') await run.resume().finish();
        histories.push(run.history.loss);
        model.dispose();
      }
      expect(histories[1]).toEqual(histories[0]);
      expect(footprint()).toEqual(before);
    });
  });

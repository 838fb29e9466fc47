// A run in a process of its own, which the tests kill: node kill-child.mjs <dist> <json of KillJob (kill.ts)>
// It goes on from the newest checkpoint where there is one, says every step on stdout, and writes the history when it is done.
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [dist, json] = process.argv.slice(2);
const { kind, dir, steps, out, every = 1, die, pause = 0 } = JSON.parse(json);
const { backend, models, train } = await import(pathToFileURL(join(dist, 'index.js')).href);
await backend.use('native');

// A linear congruential generator: the same rows in every process.
let state = 12345;
const random = n => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * n);
};
const rows = Array.from({ length: 40 }, () => {
  const ids = Array.from({ length: 4 + random(14) }, () => random(64));
  return { ids, labels: ids.map((id, t) => (t < ids.length / 3 ? -100 : id)) };
});

const model = models.init('nano', { vocabSize: 64, seed: 1 });
const common = { learningRate: 1e-2, schedule: 'cosine', warmup: 3, seed: 7 };
const KINDS = {
  full: () => ({ ...common, rows, batchSize: 4, ema: 0.9 }),
  lora: () => ({ ...common, rows, batchSize: 2, packing: { length: 32 } }),
  prompt: () => ({ ...common, rows, batchSize: 4, accumulate: 2, bucket: true }),
  stream: () => ({ ...common, rows: () => rows, batchSize: 4, shuffleBuffer: 16, bucket: true, neftune: 2 }),
};
const options = KINDS[kind]();
if (kind === 'lora') model.attach(models.lora({ rank: 2, targets: 'all-linear', dropout: 0.3 }));
if (kind === 'prompt') model.attach(models.promptTuning({ virtualTokens: 4 }));

// Dies in the middle of a save: with some of the files of the checkpoint written.
if (die !== undefined) {
  const save = model.save.bind(model);
  model.save = async (...args) => {
    await save(...args);
    if (run.step >= die) process.kill(process.pid, 'SIGKILL');
  };
}

const saved = existsSync(dir) && readdirSync(dir).some(name => /^step-\d+$/.test(name));
const run = saved
  ? await train.resume(dir, { ...options, model })
  : train.sft({ ...options, model, steps, checkpoint: { dir, every, keep: 2 } });
run.onStep(({ step }) => {
  process.stdout.write(`step ${step}\n`);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pause);
});
const history = await run.finish();
// Seconds and speeds are not the run's.
if (run.status === 'done')
  writeFileSync(out, JSON.stringify({ loss: history.loss, gradNorm: history.gradNorm, epoch: history.epoch }));
process.stdout.write(`end ${run.status}\n`);

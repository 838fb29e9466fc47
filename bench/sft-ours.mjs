// Worker: node sft-ours.mjs job.json. Trains as the job says and prints one line of JSON.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const job = JSON.parse(await readFile(process.argv[2], 'utf8'));
const { backend, models, train } = await import(pathToFileURL(job.tunebook));
const info = await backend.use(job.backend);
const matmul = await matmulSpeed();
const model = await models.load(job.model);
if (job.adapter) await models.loadAdapter(model, job.adapter);
const run = train.sft({
  model,
  rows: job.rows,
  batchSize: job.batch,
  steps: job.steps,
  shuffle: false,
  clip: job.clip,
  schedule: 'constant',
  optimizer: train.adamw({ learningRate: job.learningRate, betas: job.betas, eps: job.eps, weightDecay: job.weightDecay }),
});
// From the end of one step to the end of the next: what a user waits, data and hooks included. The first has no step before it.
const ends = [];
for await (const _ of run) ends.push(performance.now());
const ms = ends.slice(1).map((end, i) => end - ends[i]);
console.log(
  JSON.stringify({
    engine: `${info.name} ${info.version ?? ''}`.trim(),
    loss: run.history.loss,
    gradNorm: run.history.gradNorm,
    ms,
    peakBytes: process.resourceUsage().maxRSS * 1024,
    matmul,
  }),
);
await backend.dispose();

/** GFLOP/s of a 1,024³ matrix product, the best of several: what this machine gives this backend. */
async function matmulSpeed() {
  const tf = createRequire(job.tunebook)('@tensorflow/tfjs-core');
  const [a, b] = [tf.randomNormal([1024, 1024]), tf.randomNormal([1024, 1024])];
  const speeds = [];
  const rounds = job.backend === 'cpu' ? 1 : 12;
  for (let i = 0; i < rounds; i++) {
    const start = performance.now();
    const c = tf.matMul(a, b);
    const value = tf.slice(c, [0, 0], [1, 1]);
    await value.data();
    speeds.push((2 * 1024 ** 3) / 1e6 / (performance.now() - start));
    tf.dispose([c, value]);
  }
  tf.dispose([a, b]);
  return Math.max(...speeds);
}

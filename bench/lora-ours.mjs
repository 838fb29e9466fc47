// Worker: node lora-ours.mjs job.json full|lora. Trains a few steps and prints times and memory as one line of JSON.
import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { peakGrowth } from './rss.mjs';

const job = JSON.parse(await readFile(process.argv[2], 'utf8'));
const { backend, models, train } = await import(pathToFileURL(job.tunebook));
const info = await backend.use(job.backend);
const grown = peakGrowth();
const model = await models.load(job.model);
if (process.argv[3] !== 'full') model.attach(models.lora({ rank: job.rank, alpha: job.rank, targets: 'all-linear' }));
const trained = model.parameters.filter(parameter => parameter.trainable).reduce((sum, { size }) => sum + size, 0);
const run = train.sft({
  model,
  rows: job.rows,
  batchSize: job.batch,
  steps: job.steps,
  shuffle: false,
  schedule: 'constant',
  optimizer: train.adamw({ learningRate: 1e-4 }),
});
const ends = [];
for await (const _ of run) ends.push(performance.now());
console.log(
  JSON.stringify({
    engine: `${info.name} ${info.version ?? ''}`.trim(),
    trained,
    losses: run.history.loss,
    ms: ends.slice(1).map((end, i) => end - ends[i]),
    grown: grown(),
    peak: process.resourceUsage().maxRSS * 1024,
  }),
);
await backend.dispose();

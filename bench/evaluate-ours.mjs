// Worker: node evaluate-ours.mjs job.json. Scores the job's rows as users do, and prints one line of JSON.
import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';

const job = JSON.parse(await readFile(process.argv[2], 'utf8'));
const { backend, evaluate, models, templates, tokens } = await import(pathToFileURL(job.tunebook));
const info = await backend.use(job.backend);
const model = await models.load(job.model);
const tokenizer = await tokens.Tokenizer.fromFile(job.model);
const template = templates.get(job.template);
const score = rows =>
  evaluate.score({ model, tokenizer, template, rows, maxNewTokens: job.newTokens, batchSize: job.batch, metrics: ['exact'] });
await score(job.rows.slice(0, job.batch));
const ms = [];
let texts;
for (let i = 0; i < job.repeats; i++) {
  const start = performance.now();
  const { samples } = await score(job.rows);
  ms.push(performance.now() - start);
  texts = samples.map(({ got }) => got);
}
const engine = `${info.name} ${info.version ?? ''}`.trim();
console.log(JSON.stringify({ engine, ms, texts, peakBytes: process.resourceUsage().maxRSS * 1024 }));
await backend.dispose();

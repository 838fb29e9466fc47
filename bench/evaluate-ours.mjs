// Worker: node evaluate-ours.mjs job.json. Scores the rows of every case as users do, and prints one line of JSON.
import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';

const job = JSON.parse(await readFile(process.argv[2], 'utf8'));
const { backend, evaluate, models, templates, tokens } = await import(pathToFileURL(job.tunebook));
const info = await backend.use(job.backend);
const model = await models.load(job.model);
const tokenizer = await tokens.Tokenizer.fromFile(job.model);
const template = templates.get(job.template);
/** The same model with every prompt in full. */
const whole = {
  generate: (ids, options) => model.generate(ids, options),
  continuous: (ids, options) => model.continuous(ids, { ...options, cachePrompts: false }),
};
const score = (model, rows) =>
  evaluate.score({ model, tokenizer, template, rows, maxNewTokens: job.newTokens, batchSize: job.batch, metrics: ['exact'] });
const timed = async (model, rows) => {
  const start = performance.now();
  const { samples } = await score(model, rows);
  return { ms: performance.now() - start, texts: samples.map(({ got }) => got) };
};
const cases = [];
for (const { name, rows, shots } of job.cases) {
  await score(model, rows.slice(0, job.batch));
  const made = { name, ms: [], wholeMs: [] };
  for (let i = 0; i < job.repeats; i++) {
    // By turns, so that a drift of the machine favours neither.
    const sides = shots > 0 ? ['whole', 'cached'] : ['cached'];
    for (const side of i % 2 ? sides.toReversed() : sides) {
      const { ms, texts } = await timed(side === 'whole' ? whole : model, rows);
      made[side === 'whole' ? 'wholeMs' : 'ms'].push(ms);
      made[side === 'whole' ? 'wholeTexts' : 'texts'] = texts;
    }
  }
  cases.push(made);
}
const engine = `${info.name} ${info.version ?? ''}`.trim();
const matmul = await backend.matmulSpeed();
console.log(JSON.stringify({ engine, matmul, cases, peakBytes: process.resourceUsage().maxRSS * 1024 }));
await backend.dispose();

// Worker: node generate-ours.mjs job.json. Generates as the job says and prints one line of JSON.
import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';

const job = JSON.parse(await readFile(process.argv[2], 'utf8'));
const { backend, models } = await import(pathToFileURL(job.tunebook));
const info = await backend.use(job.backend);
const model = await models.load(job.model);
const timed = async (ids, maxNewTokens) => {
  const start = performance.now();
  const made = await model.generate(ids, { maxNewTokens, stopIds: [] });
  return { ms: performance.now() - start, ids: made.ids };
};
const cases = [];
for (const { name, ids } of job.cases) {
  await timed(ids, 4);
  const times = [];
  let last;
  for (let i = 0; i < job.repeats; i++) {
    const first = await timed(ids, 1);
    last = await timed(ids, 1 + job.newTokens);
    times.push({ prefill: first.ms, decode: last.ms - first.ms });
  }
  cases.push({ name, times, tokens: last.ids.map(row => row.slice(ids[0].length)) });
}
const engine = `${info.name} ${info.version ?? ''}`.trim();
console.log(JSON.stringify({ engine, cases, peakBytes: process.resourceUsage().maxRSS * 1024 }));
await backend.dispose();

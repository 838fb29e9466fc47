// Worker: node encode-ours.mjs job.json. Render, tokenise, mask and verify every row; prints one line of JSON.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const job = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const { tokens } = await import(pathToFileURL(job.tunebook));
const tokenizer = await tokens.Tokenizer.fromFile(job.tokenizer);
const rows = JSON.parse(readFileSync(job.rows, 'utf8')).map(({ instruction, input, output }) => ({
  messages: [
    { role: 'user', content: instruction, ...(input ? { input } : {}) },
    { role: 'assistant', content: output },
  ],
}));
const options = { tokenizer, template: 'alpaca' };
const before = process.memoryUsage.rss();
const start = performance.now();
const { rows: encoded, summary } = job.workers
  ? await tokens.encodeRowsParallel(rows, { ...options, workers: job.workers })
  : tokens.encodeRows(rows, options);
const seconds = (performance.now() - start) / 1000;
// A sum over every id and label, so that both sides can be seen to have made the same.
let ids = 0;
let trained = 0;
for (const row of encoded) {
  for (const id of row.ids) ids += id;
  trained += row.trained;
}
console.log(
  JSON.stringify({
    engine: `tunebook, Node ${process.versions.node}`,
    seconds,
    rows: encoded.length,
    tokens: summary.tokens,
    trained,
    ids,
    beforeBytes: before,
    peakBytes: process.resourceUsage().maxRSS * 1024,
  }),
);

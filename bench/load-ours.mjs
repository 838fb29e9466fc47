// Load a model directory with tunebook.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { peakGrowth } from './rss.mjs';

const { tunebook, model: dir, backend: name } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const { backend, models } = await import(pathToFileURL(tunebook));
const info = await backend.use(name);
const peak = peakGrowth();
const start = performance.now();
const model = await models.load(dir);
const ms = performance.now() - start;
console.log(JSON.stringify({ engine: `tunebook (${info.name})`, ms, peakBytes: peak(), weightBytes: model.bytes }));
process.exit(0);

// Read a whole file into memory, as fast as Node does it.
import { readFileSync } from 'node:fs';
import { peakGrowth } from './rss.mjs';

const { file } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const peak = peakGrowth();
const start = performance.now();
const bytes = readFileSync(file);
const ms = performance.now() - start;
console.log(JSON.stringify({ engine: 'fs.readFileSync', ms, peakBytes: peak(), bytes: bytes.length }));

import { expect, it } from 'vitest';
import { flow, growth } from './stream-memory.js';

it('a JSONL file of 5 GB flows through parsing, packing and batching in bounded memory', async () => {
  const result = await flow('encoded', 5000);
  console.info(
    `${result.rows} rows in ${result.seconds.toFixed(0)} s: heap ${result.heap.map(mb => mb.toFixed(1)).join(' ')} MB`,
  );
  expect(result.megabytes).toBeGreaterThanOrEqual(5000);
  expect(Math.max(...result.heap) - result.heap[0]!).toBeLessThan(30);
  expect(Math.abs(growth(result))).toBeLessThan(1);
}, 1_800_000);

it('200 MB of conversations flow through encoding as well', async () => {
  const result = await flow('conversations', 200);
  console.info(
    `${result.rows} rows in ${result.seconds.toFixed(0)} s: heap ${result.heap.map(mb => mb.toFixed(1)).join(' ')} MB`,
  );
  expect(Math.max(...result.heap.slice(2)) - Math.min(...result.heap.slice(2))).toBeLessThan(10);
}, 1_800_000);

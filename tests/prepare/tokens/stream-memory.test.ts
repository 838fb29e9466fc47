import { expect, it } from 'vitest';
import { flow, growth } from './stream-memory.js';

// 5 GB flow in stream-memory.full.test.ts. Here a small part of it shows that what is held does not depend on what has passed:
// once the first windows have come, the heap stays within the size of some windows. Kept, the rows would take five times the bound.
it('conversations parsed, encoded, packed and batched leave the heap as it was', async () => {
  const { heap, rows, megabytes } = await flow('conversations', 8, { shuffleBuffer: 512 });
  console.info(`${megabytes.toFixed(0)} MB, ${rows} rows: heap ${heap.map(mb => mb.toFixed(1)).join(' ')} MB`);
  expect(rows).toBeGreaterThan(20_000);
  expect(Math.max(...heap.slice(2)) - Math.min(...heap.slice(2))).toBeLessThan(20);
});

it('encoded rows are packed and batched without being kept', async () => {
  const { heap, rows, megabytes } = await flow('encoded', 100);
  console.info(`${megabytes.toFixed(0)} MB, ${rows} rows: heap ${heap.map(mb => mb.toFixed(1)).join(' ')} MB`);
  expect(rows).toBeGreaterThan(80_000);
  expect(Math.max(...heap) - heap[0]!).toBeLessThan(30);
});

it('the measure of growth sees growth', () => {
  const heap = [15, 22.9, 22.9, 22.7, 22.8, 22.5, 22.8, 22.7, 22.7, 22.8, 16];
  const measured = { megabytes: 5000, rows: 1, batches: 1, tokens: 1, seconds: 1, heap };
  expect(Math.abs(growth(measured))).toBeLessThan(0.2);
  expect(growth({ ...measured, heap: heap.map((mb, i) => mb + i) })).toBeCloseTo(2 + growth(measured), 9);
});

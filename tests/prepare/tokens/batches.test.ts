import { describe, expect, it } from 'vitest';
import { BadInput, Random } from '../../../src/base/core/index.js';
import { type BatchOptions, type BatchPosition, batches, pack, type TrainableRow } from '../../../src/prepare/tokens/index.js';

const random = new Random(1);
const ROWS: TrainableRow[] = Array.from({ length: 203 }, () => {
  const ids = Array.from({ length: 1 + random.int(80) }, () => random.int(50));
  return { ids, labels: ids };
});
const all = (options: BatchOptions, rows = ROWS) => [...batches(rows, options)];
const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;

describe('tokens.batches', () => {
  for (const bucket of [false, true, { window: 50 }])
    describe(`bucket ${JSON.stringify(bucket)}`, () => {
      it('gives every row once an epoch, whole batches but for the last', () => {
        const made = all({ batchSize: 8, bucket, seed: 3, epochs: 2 });
        const size = made.length / 2;
        for (const epoch of [made.slice(0, size), made.slice(size)]) {
          expect(epoch.flatMap(b => b.rows).toSorted((a, b) => a - b)).toEqual([...ROWS.keys()]);
          expect(epoch.map(b => b.rows.length)).toEqual([...new Array(25).fill(8), 3]);
        }
        expect(made.slice(size).map(b => b.rows)).not.toEqual(made.slice(0, size).map(b => b.rows));
        for (const b of made) expect(b.ids).toEqual(b.rows.map(i => ROWS[i]!.ids));
      });

      it('is decided by the seed', () => {
        const order = (seed: number) => all({ batchSize: 8, bucket, seed }).map(b => b.rows);
        expect(order(1)).toEqual(order(1));
        expect(order(1)).not.toEqual(order(2));
      });

      it('goes on from any batch as if it had not been interrupted', () => {
        const options = { batchSize: 8, bucket, seed: 5, epochs: 2 };
        const whole = all(options);
        whole.forEach((b, i) => {
          const from = JSON.parse(JSON.stringify(b.next)) as BatchPosition;
          expect(all({ ...options, from })).toEqual(whole.slice(i + 1));
        });
      });

      it('without shuffling is the same every epoch', () => {
        const made = all({ batchSize: 8, bucket, shuffle: false, epochs: 2 }).map(b => b.rows);
        expect(made.slice(26)).toEqual(made.slice(0, 26));
      });
    });

  it('says what share of a padded rectangle would be padding; bucketing makes it small', () => {
    const [plain, sorted] = [false, true].map(bucket => all({ batchSize: 8, bucket }).map(b => b.padding));
    const [first] = all({ batchSize: 8 });
    const lengths = first!.ids.map(ids => ids.length);
    expect(first!.padding).toBeCloseTo(1 - lengths.reduce((a, b) => a + b) / (8 * Math.max(...lengths)), 12);
    expect(mean(plain!)).toBeGreaterThan(0.35);
    expect(mean(sorted!)).toBeLessThan(0.08);
  });

  it('bucketed batches do not come in the order of their lengths', () => {
    const lengths = all({ batchSize: 8, bucket: true }).map(b => b.ids[0]!.length);
    const rising = lengths.slice(1).filter((length, i) => length >= lengths[i]!).length / (lengths.length - 1);
    expect(rising).toBeGreaterThan(0.25);
    expect(rising).toBeLessThan(0.75);
  });

  it('carries the segments of packed rows', () => {
    const { rows } = pack(ROWS, { length: 128 });
    for (const b of all({ batchSize: 4 }, rows)) expect(b.segmentIds).toEqual(b.rows.map(i => rows[i]!.segmentIds));
    expect(all({ batchSize: 4 })[0]!.segmentIds).toBeUndefined();
  });

  it.each([{ window: 0 }, { window: 2.5 }, 'yes', 7])('refuses bucket %j', bucket => {
    expect(() => all({ batchSize: 8, bucket: bucket as never })).toThrow(BadInput);
  });
});

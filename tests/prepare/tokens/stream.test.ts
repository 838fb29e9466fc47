import { describe, expect, it } from 'vitest';
import { BadInput, Random } from '../../../src/base/core/index.js';
import type { Row } from '../../../src/prepare/data/index.js';
import {
  batchStream,
  encodeRows,
  encodeStream,
  type StreamBatch,
  type StreamOptions,
  type TrainableRow,
  trainBPE,
} from '../../../src/prepare/tokens/index.js';

const random = new Random(1);
const ROWS: TrainableRow[] = Array.from({ length: 107 }, (_, row) => {
  const ids = [row, ...Array.from({ length: random.int(30) }, () => 200 + random.int(9))];
  return { ids, labels: [-100, ...ids.slice(1)] };
});

async function* coming<T>(rows: readonly T[]): AsyncGenerator<T> {
  for (const row of rows) {
    await Promise.resolve();
    yield row;
  }
}

async function all(options: StreamOptions, rows: readonly TrainableRow[] = ROWS): Promise<StreamBatch[]> {
  const made: StreamBatch[] = [];
  for await (const batch of batchStream(coming(rows), options)) made.push(batch);
  return made;
}

/** Rows are known by their first token; of packs, by the first of each segment. */
const rowsOf = (made: StreamBatch[]) =>
  made.flatMap(b =>
    b.ids.flatMap((ids, i) => ids.filter((_, t) => t === 0 || (b.segmentIds && b.segmentIds[i]![t] !== b.segmentIds[i]![t - 1]))),
  );

describe('tokens.batchStream', () => {
  const settings: [string, Partial<StreamOptions>][] = [
    ['plain', {}],
    ['bucketed', { bucket: true }],
    ['packed', { packing: { length: 40 } }],
    ['packed and bucketed', { packing: { length: 40 }, bucket: { window: 8 } }],
    ['in order', { shuffle: false }],
  ];
  describe.each(settings)('%s', (_, extra) => {
    const options = { batchSize: 4, shuffleBuffer: 30, seed: 2, ...extra };

    it('gives every row once, in whole batches but for the last', async () => {
      const made = await all(options);
      expect(rowsOf(made).toSorted((a, b) => a - b)).toEqual([...ROWS.keys()]);
      expect(made.slice(0, -1).every(b => b.ids.length === 4)).toBe(true);
    });

    it('goes on from any batch as if it had not been interrupted', async () => {
      const whole = await all(options);
      for (const [i, { next }] of whole.entries())
        expect(await all({ ...options, from: JSON.parse(JSON.stringify(next)) })).toEqual(whole.slice(i + 1));
    });

    it('is decided by the seed', async () => {
      const again = await all(options);
      expect(await all(options)).toEqual(again);
      if (extra.shuffle !== false) expect(rowsOf(await all({ ...options, seed: 3 }))).not.toEqual(rowsOf(again));
    });
  });

  it('shuffles within the buffer only, and not at all when told so', async () => {
    const order = rowsOf(await all({ batchSize: 4, shuffleBuffer: 32 }));
    expect(order.slice(0, 32).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 32 }, (_, i) => i));
    expect(order).not.toEqual([...ROWS.keys()]);
    expect(rowsOf(await all({ batchSize: 4, shuffle: false }))).toEqual([...ROWS.keys()]);
  });

  it('reads no further than it must', async () => {
    let read = 0;
    const endless = (async function* () {
      for (; ; read++) yield ROWS[read % ROWS.length]!;
    })();
    for await (const { next } of batchStream(endless, { batchSize: 4, shuffleBuffer: 20 })) if (next.row >= 200) break;
    expect(read).toBeLessThanOrEqual(220);
  });

  it('refuses what is no size', async () => {
    await expect(all({ batchSize: 0 })).rejects.toThrow(BadInput);
    await expect(all({ batchSize: 2, shuffleBuffer: 0.5 })).rejects.toThrow(/shuffleBuffer/);
  });
});

describe('tokens.encodeStream', () => {
  const tokenizer = trainBPE(['say the word'], { vocabSize: 280 });
  const options = { tokenizer, template: 'alpaca' };
  const row = (n: number): Row => ({
    line: n + 1,
    messages: [
      { role: 'user', content: `say ${n}` },
      ...(n % 5 === 4 ? [] : [{ role: 'assistant' as const, content: `${n} `.repeat(1 + (n % 7)) }]),
    ],
  });
  const rows = Array.from({ length: 40 }, (_, n) => row(n));

  it('encodes as encodeRows does, with the same summary', async () => {
    const expected = encodeRows(rows, options);
    const stream = encodeStream(coming(rows), options);
    const made: TrainableRow[] = [];
    for await (const { ids, labels } of stream) made.push({ ids, labels });
    expect(made).toEqual(expected.rows.map(({ ids, labels }) => ({ ids, labels })));
    expect(stream.summary).toEqual(expected.summary);
    expect(stream.summary.dropped).toHaveLength(8);
  });

  it('raises when too much is dropped: at the end, and long before it', async () => {
    const drain = async (n: number, share: number) => {
      let seen = 0;
      const source = (async function* () {
        for (; seen < n; seen++) yield row(seen % 10 < share * 10 ? 4 : 0);
      })();
      const stream = encodeStream(source, { ...options, maxDropped: 0.3 });
      const kept = async () => {
        for await (const _ of stream);
      };
      return { error: await kept().then(() => undefined, String), seen, listed: stream.summary.dropped.length };
    };
    expect(await drain(100, 0.2)).toMatchObject({ error: undefined, listed: 20 });
    expect((await drain(100, 0.4)).error).toMatch(/40 of 100 rows train nothing.*at most 30 %.*line 5/s);
    const early = await drain(50_000, 0.4);
    expect(early.error).toMatch(/400 of 1000/);
    expect(early.seen).toBeLessThan(1100);
    expect((await drain(10, 1)).error).toMatch(/at least one row/);
  });

  it('stops at the signal', async () => {
    const stop = new AbortController();
    const stream = encodeStream(coming(rows), { ...options, signal: stop.signal });
    await expect(
      (async () => {
        for await (const _ of stream) stop.abort();
      })(),
    ).rejects.toThrow(/stopped/);
  });
});

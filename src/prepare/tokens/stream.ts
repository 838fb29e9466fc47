import { BadInput, Random } from '../../base/core/index.js';
import { batchOf, type RowsOfBatch, type TrainableRow } from './batches.js';
import type { Stream } from './encode-stream.js';
import { type Bucket, bucketed, bucketWindow } from './order.js';
import { type PackOptions, pack } from './packing.js';

/** A place in a stream; plain JSON, for checkpoints. */
export interface StreamPosition {
  /** Rows of the source before the window that is being given out. */
  row: number;
  /** Rows (or packs) of that window already given. */
  item: number;
}

export interface StreamOptions {
  batchSize: number;
  /** Rows held in memory and shuffled among each other, one window after the other. Defaults to 2,048. */
  shuffleBuffer?: number;
  /** `false` keeps the order of the rows. Defaults to true. */
  shuffle?: boolean;
  seed?: number | string;
  /** As for {@link batches}, within the shuffle buffer. */
  bucket?: Bucket;
  /** Pack the rows of each shuffle buffer, see {@link pack}; batches then hold `batchSize` packs. */
  packing?: Omit<PackOptions, 'seed' | 'firstRow'>;
  /** Go on from here: the rows before it are read from the source and passed over. */
  from?: StreamPosition;
}

export interface StreamBatch extends RowsOfBatch {
  /** Where to go on after this batch: pass it as `from`, with the stream from its beginning. */
  next: StreamPosition;
}

/** What {@link streamed} does with a window of source rows. */
export interface StreamPlan<Source, Item extends TrainableRow> extends Omit<StreamOptions, 'packing'> {
  /** Rows as they come from the source into rows (or packs) to train on: fewer, more, or none. */
  prepare: (rows: Source[], window: number) => Item[];
}

/**
 * Batches from rows as they come, in bounded memory: a window of `shuffleBuffer` rows is read, shuffled (and packed or
 * sorted where asked) and given out, then the next. The order depends on the seed and the rows alone, and a position is two
 * numbers, so that an interrupted pass goes on with the batches it would have had. Only the last batch may be smaller.
 */
export async function* batchStream(rows: Stream<TrainableRow>, options: StreamOptions): AsyncGenerator<StreamBatch> {
  const { packing, seed = 0, ...rest } = options;
  const prepare = (window: TrainableRow[], at: number) =>
    packing ? pack(window, { ...packing, seed: `${seed}/${at}`, firstRow: at }).rows : window;
  let batch: TrainableRow[] = [];
  let last: StreamPosition | undefined;
  for await (const { item, next } of streamed<TrainableRow, TrainableRow>(rows, { ...rest, seed, prepare })) {
    batch.push(item);
    last = next;
    if (batch.length < options.batchSize) continue;
    yield { ...batchOf(batch), next };
    batch = [];
  }
  if (batch.length > 0) yield { ...batchOf(batch), next: last! };
}

/** The rows of a stream one by one in the order of {@link batchStream}, each with the position after it. */
export async function* streamed<Source, Item extends TrainableRow>(
  source: Stream<Source>,
  options: StreamPlan<Source, Item>,
): AsyncGenerator<{ item: Item; next: StreamPosition }> {
  const { batchSize, shuffleBuffer = 2048, shuffle = true, seed = 0, from = { row: 0, item: 0 }, prepare } = options;
  for (const [key, value] of Object.entries({ batchSize, shuffleBuffer }))
    if (!Number.isInteger(value) || value < 1)
      throw new BadInput({
        problem: `"${key}" is not usable`,
        where: { key },
        expected: 'a whole number from 1',
        found: `${value}`,
      });
  const bucket = bucketWindow(options.bucket, batchSize);
  // Whole batches, so that a window of rows that are all kept ends with a batch.
  const size = Math.ceil(shuffleBuffer / batchSize) * batchSize;
  let [read, given] = [0, from.item];
  let held: Source[] = [];
  const giveOut = function* () {
    const start = read - held.length;
    const items = prepare(held, start);
    held = [];
    const random = new Random(`stream/${seed}/${start}`);
    let order = shuffle ? random.shuffle([...items.keys()]) : [...items.keys()];
    if (bucket) order = bucketed(order, i => items[i]!.ids.length, { batchSize, window: bucket, random });
    for (; given < order.length; given++)
      yield {
        item: items[order[given]!]!,
        next: given + 1 < order.length ? { row: start, item: given + 1 } : { row: read, item: 0 },
      };
    given = 0;
  };
  for await (const row of source) {
    if (read++ < from.row) continue;
    held.push(row);
    if (held.length === size) yield* giveOut();
  }
  if (held.length > 0) yield* giveOut();
}

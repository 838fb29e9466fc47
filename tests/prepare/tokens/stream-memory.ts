import { Random } from '../../../src/base/core/index.js';
import type { Row } from '../../../src/prepare/data/index.js';
import { batchStream, encodeStream, type StreamOptions, type TrainableRow, trainBPE } from '../../../src/prepare/tokens/index.js';
import { heapMB } from '../../helpers/heap.js';

/** What flowed and what the heap held on the way. */
export interface Flow {
  megabytes: number;
  rows: number;
  batches: number;
  tokens: number;
  /** Heap after a collection, MB: before, then at every tenth of the way. */
  heap: number[];
  seconds: number;
}

const WORDS = 'the a model learns from every row it reads and tells what it has seen before in other words again'.split(' ');

/**
 * Lines of a JSONL file that nobody has: Alpaca-shaped conversations of about 400 bytes. Their words are few, because the
 * tokenizer remembers up to 100,000 words it has seen: that is bounded too, but would hide what is measured here.
 */
export function* conversationLines(): Generator<string> {
  const random = new Random('lines');
  const text = (words: number) => Array.from({ length: words }, () => random.pick(WORDS)).join(' ');
  for (let n = 0; ; n++)
    yield JSON.stringify({
      instruction: text(10 + random.int(10)),
      input: '',
      output: text(20 + random.int(60)),
      id: `row-${n}`,
    });
}

/** The same for rows that were encoded before: about 1.2 kB a line, labels on the last half. */
export function* encodedLines(): Generator<string> {
  const random = new Random('lines');
  for (;;) {
    const ids = Array.from({ length: 40 + random.int(160) }, () => random.int(8192));
    yield JSON.stringify({ ids, labels: ids.map((id, t) => (t < ids.length / 2 ? -100 : id)) });
  }
}

function toRow(line: string): Row {
  const { instruction, output, ...meta } = JSON.parse(line) as { instruction: string; output: string };
  return {
    messages: [
      { role: 'user', content: instruction },
      { role: 'assistant', content: output },
    ],
    meta,
  };
}

/** Let so many megabytes of lines flow through parsing, (encoding,) packing and batching, and watch the heap. */
export async function flow(
  kind: 'conversations' | 'encoded',
  megabytes: number,
  options: Partial<StreamOptions> = {},
): Promise<Flow> {
  const tokenizer = trainBPE([WORDS.join(' ')], { vocabSize: 400 });
  const lines = kind === 'encoded' ? encodedLines() : conversationLines();
  const result: Flow = { megabytes: 0, rows: 0, batches: 0, tokens: 0, heap: [heapMB()], seconds: 0 };
  const read = async function* <T>(parse: (line: string) => T): AsyncGenerator<T> {
    for (const line of lines) {
      if (result.megabytes >= megabytes) return;
      result.megabytes += (line.length + 1) / 1e6;
      result.rows++;
      yield parse(line);
    }
  };
  const rows =
    kind === 'encoded'
      ? read(line => JSON.parse(line) as TrainableRow)
      : encodeStream(read(toRow), { tokenizer, template: 'alpaca' });
  const started = performance.now();
  const batches = batchStream(rows, { batchSize: 8, seed: 1, packing: { length: 1024 }, ...options });
  for await (const { ids } of batches) {
    result.batches++;
    for (const row of ids) result.tokens += row.length;
    if (result.megabytes >= (result.heap.length * megabytes) / 10) result.heap.push(heapMB());
  }
  result.seconds = (performance.now() - started) / 1000;
  return result;
}

/**
 * Growth of the heap, in MB for every 1,000 MB that flowed, by least squares over the second half of the way, without the
 * end, where the last window is smaller.
 */
export function growth({ heap, megabytes }: Flow): number {
  const half = heap.slice(Math.floor(heap.length / 2), 10);
  const x = half.map((_, i) => (i * megabytes) / 10 / 1000);
  const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const [mx, my] = [mean(x), mean(half)];
  return half.reduce((sum, y, i) => sum + (x[i]! - mx) * (y - my), 0) / x.reduce((sum, v) => sum + (v - mx) ** 2, 0);
}

import { BadInput, Interrupted, progress } from '../../base/core/index.js';
import type { Row } from '../data/index.js';
import { get } from '../templates/index.js';
import { type EncodeOptions, encode } from './encode.js';
import { checkEncodeOptions } from './encode-options.js';
import { type EncodedRows, type EncodeRowsOptions, encodeRows, summarise } from './encode-rows.js';
import type { FlatRows, WorkerSetUp } from './encode-worker.js';
import { EncodedRow } from './encoded.js';

/** Rows that a thread gets at a time. */
const CHUNK = 1000;

export interface ParallelOptions extends EncodeRowsOptions {
  /** Threads. Defaults to what the machine runs at once, at most 8. */
  workers?: number;
}

/**
 * {@link encodeRows} on several threads: the same rows and the same summary. Threads get the template by its name, so a
 * template that is not built in, a function as `train`, and a browser page are served by this thread alone.
 * @throws BadInput as encodeRows does.
 */
export async function encodeRowsParallel(rows: readonly Row[], options: ParallelOptions): Promise<EncodedRows> {
  const { workers, maxDropped, signal, ...own } = options;
  checkEncodeOptions(own);
  const template = typeof own.template === 'string' ? get(own.template) : own.template;
  const node = typeof process === 'object' && process.versions?.node !== undefined;
  const threads = node ? Math.min(workers ?? (await available()), Math.ceil(rows.length / CHUNK)) : 1;
  if (workers !== undefined && (!Number.isInteger(workers) || workers < 1))
    throw new BadInput({ problem: 'this is no number of workers', expected: 'a whole number from 1 up', found: String(workers) });
  const alone = () => encodeRows(rows, { ...own, maxDropped, signal });
  if (threads < 2 || typeof own.train === 'function' || registered(template.name) !== template) return alone();

  const encodeOptions: EncodeOptions = { ...own, template };
  const flat = await spread(rows, threads, { ...own, template: template.name }, encodeOptions, signal);
  if (!flat) return alone();
  const encoded: EncodedRow[] = [];
  const dropped: FlatRows['dropped'] = [];
  for (const part of flat) {
    let at = 0;
    for (const { index, length, weighted, ...rest } of part.rows) {
      const take = (from: Int32Array | Float64Array) => Array.from(from.subarray(at, at + length));
      const parts = {
        ids: take(part.ids),
        labels: take(part.labels),
        ...(weighted ? { weights: take(part.weights) } : {}),
        ...rest,
      };
      const again = () => {
        const { ids, labels, text, offsets, segments, segmentOf } = encode(rows[index]!, encodeOptions);
        return { ...rest, ids, labels, text, offsets, segments, segmentOf };
      };
      // Only what training needs came over; `again` makes the rest when it is asked for.
      const detail = { text: '', offsets: [], segments: [], segmentOf: [] };
      encoded.push(new EncodedRow({ ...detail, ...parts }, own.tokenizer, again).compact());
      at += length;
    }
    dropped.push(...part.dropped);
  }
  const all = dropped.map(({ index, reason }) => ({ index, source: rows[index]!.source, line: rows[index]!.line, reason }));
  return summarise(rows, encoded, all, { ...encodeOptions, maxDropped });
}

/** Every part of the rows encoded by some thread, in order; undefined when the threads do not do what this one does. */
async function spread(
  rows: readonly Row[],
  threads: number,
  options: EncodeOptions,
  own: EncodeOptions,
  signal: AbortSignal | undefined,
): Promise<FlatRows[] | undefined> {
  const { Worker } = await import('node:worker_threads');
  const { tokenizer, ...rest } = options;
  const workerData: WorkerSetUp = { tokenizer: tokenizer.parts(), options: rest };
  // The module of the threads lies beside this one once it is built.
  const start = `import(${JSON.stringify(new URL('./encode-worker.js', import.meta.url).href)}).then(m => m.serve())`;
  const results: FlatRows[] = [];
  const bar = progress('encoding', { total: rows.length, unit: 'rows' });
  let next = 0;
  let done = 0;
  let agree = true;
  const pool = Array.from({ length: threads }, () => new Worker(start, { eval: true, workerData }));
  const stop = () => Promise.all(pool.map(worker => worker.terminate()));
  const work = (worker: (typeof pool)[number]) =>
    new Promise<void>((resolve, reject) => {
      let first = 0;
      const feed = () => {
        if (signal?.aborted) return reject(new Interrupted({ problem: 'encoding was stopped' }));
        if (next >= rows.length || !agree) return resolve();
        first = next;
        next += CHUNK;
        worker.postMessage({ rows: rows.slice(first, next).map(plain), first });
      };
      worker.on('message', (flat: FlatRows) => {
        results[first / CHUNK] = flat;
        agree &&= same(flat, rows, own);
        done += flat.rows.length + flat.dropped.length;
        bar.update(done);
        feed();
      });
      worker.on('error', reject);
      feed();
    });
  try {
    await Promise.all(pool.map(work));
    return agree ? results : undefined;
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    // What threads cannot do (start from sources, clone a row) this thread can; a real fault shows here again.
    return undefined;
  } finally {
    await stop();
    bar.finish();
  }
}

/** What encoding reads of a row; a row may carry more, which need not be copyable. */
function plain({ messages, tools, documents }: Row): Row {
  return { messages, ...(tools ? { tools } : {}), ...(documents ? { documents } : {}) };
}

/** The first row of a part, made here as well: a template of the same name that was replaced shows at once. */
function same(flat: FlatRows, rows: readonly Row[], options: EncodeOptions): boolean {
  const first = flat.rows[0];
  if (!first) return true;
  const { ids, labels } = encode(rows[first.index]!, options);
  return ids.length === first.length && ids.every((id, i) => id === flat.ids[i] && labels[i] === flat.labels[i]);
}

function registered(name: string): unknown {
  try {
    return get(name);
  } catch {
    return undefined;
  }
}

async function available(): Promise<number> {
  const { availableParallelism } = await import('node:os');
  return Math.min(8, availableParallelism());
}

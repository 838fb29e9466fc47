import { randomBytes } from 'node:crypto';
import { appendLines, BadInput, isFileError, quote, whyNotWritten } from '../../base/core/index.js';
import { readLines } from './read-lines.js';
import { type RowSample, Scored } from './scored.js';

/** Samples that wait to be written at most. */
const WAITING = 64;

/**
 * Samples as lines of a JSONL file, each whole. Several scores may be in one file, also at the same time: lines are appended in one
 * write, and every line says whose it is.
 */
export class SampleLog {
  readonly #path: string;
  readonly #run: string;
  readonly #name: string;
  #waiting: string[] = [];
  #writing: Promise<void> = Promise.resolve();

  /** A log in this file, which is made where it is not there: what cannot be written is told before the work. */
  static async open(path: string, name: string): Promise<SampleLog> {
    try {
      await appendLines(path, '');
    } catch (cause) {
      if (!isFileError(cause)) throw cause;
      throw new BadInput({
        problem: 'the log of samples cannot be written',
        where: { file: path, key: 'log' },
        found: whyNotWritten(cause),
        fix: 'name a file in a folder that can be written to',
        cause,
      });
    }
    return new SampleLog(path, name);
  }

  private constructor(path: string, name: string) {
    this.#path = path;
    this.#name = name;
    this.#run = randomBytes(6).toString('hex');
  }

  /** Take a sample; it is on disk after {@link close} at the latest. */
  add(sample: RowSample): void {
    // JSON has no NaN: null stands for it.
    this.#waiting.push(`${JSON.stringify({ run: this.#run, name: this.#name, ...sample })}\n`);
    if (this.#waiting.length >= WAITING) this.#flush();
  }

  /** Everything is on disk when this resolves; rejects when something could not be written. */
  close(): Promise<void> {
    this.#flush();
    return this.#writing;
  }

  #flush(): void {
    const lines = this.#waiting.join('');
    this.#waiting = [];
    if (lines === '') return;
    this.#writing = this.#writing.then(() => appendLines(this.#path, lines));
    // Told by close; until then it is not an unhandled rejection.
    this.#writing.catch(() => undefined);
  }
}

/** What {@link readSamples} found. */
export interface ReadSamples {
  /** One entry for each call of `score` that wrote to the file, in the order of their first lines. */
  scored: Scored[];
  /** Lines that are no samples: torn by a crash, or somebody else's. */
  skipped: { line: number; reason: string }[];
}

/** Read samples back that `score({ log })` wrote. A torn line is skipped and counted. */
export async function readSamples(path: string): Promise<ReadSamples> {
  const runs = new Map<string, { name: string; samples: RowSample[] }>();
  const skipped: ReadSamples['skipped'] = [];
  const lines = await readLines(path, 'the log of samples');
  lines.forEach((line, i) => {
    if (line.trim() === '') return;
    const found = sampleOf(line);
    if (typeof found === 'string') {
      skipped.push({ line: i + 1, reason: found });
      return;
    }
    const run = runs.get(found.run) ?? { name: found.name, samples: [] };
    runs.set(found.run, run);
    run.samples.push(found.sample);
  });
  if (runs.size === 0)
    throw new BadInput({
      problem: 'there are no samples in this file',
      where: { file: path },
      expected: 'lines that evaluate.score({ log }) wrote',
      found: skipped.length > 0 ? `${skipped.length} other lines, the first: ${skipped[0]!.reason}` : 'an empty file',
    });
  const scored = [...runs.values()].map(
    ({ name, samples }) =>
      new Scored(
        name,
        samples.toSorted((a, b) => a.index - b.index),
      ),
  );
  return { scored, skipped };
}

function sampleOf(line: string): { run: string; name: string; sample: RowSample } | string {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(line);
  } catch {
    return 'not JSON: a line that was not written to its end';
  }
  const { run, name, ...sample } = value ?? {};
  const { index, prompt, expected, got, correct, metrics, row } = sample as Partial<RowSample>;
  const texts = [run, name, prompt, expected, got].every(text => typeof text === 'string');
  const parts = Number.isInteger(index) && typeof correct === 'boolean' && isObject(metrics) && isObject(row);
  if (!texts || !parts || !Array.isArray(row!.messages)) return `no sample: ${quote(line, 60)}`;
  const numbers = Object.entries(metrics!).map(([key, n]) => [key, typeof n === 'number' ? n : Number.NaN]);
  return {
    run: run as string,
    name: name as string,
    sample: { ...(sample as unknown as RowSample), metrics: Object.fromEntries(numbers) },
  };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

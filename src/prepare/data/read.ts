import { BadInput, Interrupted, progress, quote } from '../../base/core/index.js';
import { type Converted, convertRow, describe, detectFormat, isObject, LAYOUTS } from './convert.js';
import { elementLines, locateJsonFault } from './json.js';
import { empty, inspectFile, readLines, readText } from './lines.js';
import { type FrameLike, frameObjects, isFrame, isTable, type TableLike } from './tables.js';
import type { ReadOptions, ReadReport, Row, RowFormat, Rows, SkippedRow } from './types.js';

/**
 * Read training rows.
 *
 * @param source path of a JSON file (an array of rows) or JSONL file (one row a line), an array of rows in memory, an
 *   arquero table, or a danfo DataFrame; the layout of a row is Alpaca's, OpenAI's `messages`, or `{text}`.
 * @returns the usable rows in their order, with `rows.report`: how many were read, and every row left out with line and reason.
 * @throws BadInput for a file that is missing, unreadable or empty, and for a malformed row (invalid JSON, a missing key, a
 *   wrong type) unless `onBad: 'skip'`. A well-formed row that nothing can be learnt from (empty `output`, say) is
 *   listed in the report; when no row or less than `1 - maxSkipped` of them is left, that throws too.
 */
export async function readRows(
  source: string | readonly object[] | TableLike | FrameLike,
  options: ReadOptions = {},
): Promise<Rows> {
  if (typeof source === 'string') return readFileRows(source, options);
  if (Array.isArray(source)) return readMemory(source, 'memory', options);
  if (isTable(source)) return readMemory(source.objects(), 'arquero', options);
  if (isFrame(source)) return readMemory(frameObjects(source), 'danfo', options);
  throw new BadInput({
    problem: 'this is no source of rows',
    expected: 'a path, an array of rows, an arquero table or a danfo DataFrame',
    found: describe(source),
    fix: "for example await data.readRows('rows.jsonl')",
  });
}

/** Rows of a danfo DataFrame with the columns `instruction`, `input` and `output`: {@link readRows} under the name that goes with `toDataFrame`. */
export function fromDataFrame(frame: FrameLike, options: ReadOptions = {}): Promise<Rows> {
  return readRows(frame, options);
}

async function readFileRows(path: string, options: ReadOptions): Promise<Rows> {
  const { size, first } = await inspectFile(path);
  const collector = new Collector(path, options);
  if (first === '[' && !/\.(jsonl|ndjson)$/i.test(path)) readArray(path, await readText(path, size), collector);
  else if (first === '{' && /\.json$/i.test(path) && size < 64e6) readObjects(path, await readText(path, size), collector);
  else await readStream(path, size, collector);
  return collector.finish();
}

function readArray(path: string, text: string, collector: Collector): void {
  let values: unknown;
  try {
    values = JSON.parse(text);
  } catch (error) {
    throw syntaxError(path, text, error);
  }
  const lines = elementLines(text);
  for (const [i, value] of (values as unknown[]).entries()) if (!collector.add(value, lines[i])) break;
}

/** A `.json` file that begins with `{`: JSONL by another name, or an object where an array is expected. */
function readObjects(path: string, text: string, collector: Collector): void {
  let whole: unknown;
  try {
    whole = JSON.parse(text);
  } catch {
    const lines = text.split('\n');
    const firstLine = lines.find(line => line.trim() !== '')!;
    // Several values: JSONL if its first line is a value of its own, otherwise a broken JSON text.
    if (locateJsonFault(firstLine)) throw syntaxError(path, text, undefined);
    for (const [i, line] of lines.entries()) if (!addLine(line, i + 1, path, collector)) break;
    return;
  }
  if (detectFormat(whole) === undefined) {
    const arrays = isObject(whole)
      ? Object.keys(whole).filter(key => Array.isArray((whole as Record<string, unknown>)[key]))
      : [];
    throw new BadInput({
      problem: 'the top level is not an array of rows',
      where: { file: path, line: 1 },
      expected: `an array [ … ] of rows like ${LAYOUTS}`,
      found: describe(whole),
      fix: arrays.length ? `pass the array alone, for example jq .${arrays[0]} FILE > rows.json` : 'wrap the rows in [ and ]',
    });
  }
  collector.add(whole, text.slice(0, text.indexOf('{')).split('\n').length);
}

async function readStream(path: string, size: number, collector: Collector): Promise<void> {
  const bar = progress(`reading ${path}`, { total: size || undefined, unit: 'B' });
  let lines = 0;
  for await (const line of readLines(path, done => bar.update(done))) {
    lines++;
    if (!addLine(line.text, line.number, path, collector)) break;
  }
  bar.finish();
  if (lines === 0) throw empty(path);
}

function addLine(text: string, line: number, file: string, collector: Collector): boolean {
  if (text.trim() === '') return true;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const fault = locateJsonFault(text);
    return collector.bad({
      problem: `invalid JSON${fault ? ` at column ${fault.column}` : ''}`,
      line,
      expected: fault?.expected ?? 'one JSON object on the line',
      found: fault?.found ?? String(error),
      fix: `correct line ${line} of ${file}; it begins ${quote(text.trim(), 60)}`,
    });
  }
  return collector.add(value, line);
}

function syntaxError(path: string, text: string, error: unknown): BadInput {
  const fault = locateJsonFault(text);
  return new BadInput({
    problem: fault ? `invalid JSON at line ${fault.line}, column ${fault.column}` : 'invalid JSON',
    where: { file: path, line: fault?.line },
    expected: fault?.expected ?? 'a JSON array of rows',
    found: fault?.found ?? String(error),
    fix: fault ? `correct line ${fault.line}` : 'check the file with a JSON linter',
    cause: error,
  });
}

function readMemory(values: readonly unknown[], source: string, options: ReadOptions): Rows {
  const collector = new Collector(source, options);
  for (const value of values) if (!collector.add(value)) break;
  return collector.finish();
}

interface Bad {
  problem: string;
  key?: string;
  line?: number;
  expected: string;
  found: string;
  fix?: string;
}

/** Gathers rows and what became of the others. `add` answers false when enough rows are read. */
class Collector {
  readonly #rows: Row[] = [];
  readonly #skipped: SkippedRow[] = [];
  readonly #options: ReadOptions;
  readonly #source: string;
  #format: RowFormat | undefined;
  #read = 0;

  constructor(source: string, options: ReadOptions) {
    this.#source = source;
    this.#options = options;
    const { format = 'auto' } = options;
    if (!['auto', 'alpaca', 'messages', 'text'].includes(format)) {
      throw new BadInput({
        problem: `unknown format ${quote(format)}`,
        expected: 'auto, alpaca, messages or text',
        fix: 'leave format out',
      });
    }
    if (format !== 'auto') this.#format = format;
  }

  add(value: unknown, line?: number): boolean {
    if (this.#options.signal?.aborted) throw new Interrupted({ problem: `reading ${this.#source} was stopped` });
    const format = this.#format ?? detectFormat(value);
    if (format === undefined) {
      return this.bad({
        problem: isObject(value) ? 'the layout of the row is not known' : 'a row is not an object',
        line,
        expected: `a row like ${LAYOUTS}`,
        found: describe(value),
        fix:
          isObject(value) && 'conversations' in value
            ? 'rename "conversations" to "messages", "from" to "role" and "value" to "content"'
            : 'rename the keys',
      });
    }
    this.#format = format;
    const made: Converted = convertRow(value, format);
    if (made.kind === 'malformed') return this.bad({ ...made, line });
    const index = this.#read++;
    if (made.kind === 'unusable') {
      this.#skipped.push({ index, line, reason: made.reason });
      return true;
    }
    made.row.source = this.#source;
    if (line !== undefined) made.row.line = line;
    this.#rows.push(made.row);
    return this.#rows.length < (this.#options.limit ?? Number.POSITIVE_INFINITY);
  }

  /** A malformed row: an error, or with `onBad: 'skip'` an entry of the report. */
  bad({ problem, key, line, expected, found, fix }: Bad): boolean {
    const index = this.#read++;
    if (this.#options.onBad === 'skip') {
      this.#skipped.push({ index, line, reason: `${problem} (expected ${expected}, found ${found})` });
      return true;
    }
    throw new BadInput({
      problem: line === undefined ? `row ${index}: ${problem}` : problem,
      where: { file: this.#source, line, key },
      expected,
      found,
      fix: fix ?? "correct the row, or pass {onBad: 'skip'} to skip and list such rows",
    });
  }

  finish(): Rows {
    const { maxSkipped = 0.5 } = this.#options;
    const skipped = this.#skipped;
    if (this.#read === 0) throw empty(this.#source);
    if (this.#rows.length === 0 || skipped.length > maxSkipped * this.#read) {
      const first = skipped.slice(0, 5).map(s => `${s.line === undefined ? `row ${s.index}` : `line ${s.line}`}: ${s.reason}`);
      throw new BadInput({
        problem: `${skipped.length} of ${this.#read} rows cannot be used`,
        where: { file: this.#source, line: skipped[0]?.line },
        expected:
          this.#rows.length === 0
            ? 'at least one usable row'
            : `at most ${Math.round(maxSkipped * 100)} % unusable rows (maxSkipped)`,
        found: `${first.join('; ')}${skipped.length > 5 ? '; …' : ''}`,
        fix: this.#rows.length === 0 ? 'correct the rows' : 'correct the rows, or raise maxSkipped if this is meant',
      });
    }
    const report: ReadReport = {
      source: this.#source,
      format: this.#format!,
      read: this.#read,
      kept: this.#rows.length,
      skipped,
    };
    return Object.assign(this.#rows, { report });
  }
}

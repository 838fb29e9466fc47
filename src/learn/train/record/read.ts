import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { BadInput, quote, setView } from '../../../base/core/index.js';
import type { Sample } from '../held-out.js';
import { emptyHistory, type History } from '../history.js';
import type { EvalRow, RunEnd } from '../logs/logger.js';
import { lives } from './facts.js';
import { FILES } from './recorder.js';
import type { RunRecord } from './types.js';

/** What a line of the history holds; `from` alone: what was recorded beyond that step was done again. */
type Line = { step?: number; from?: number; time?: number } & Record<string, unknown>;

/** Bytes from the end of a file in which its last line is looked for. */
const TAIL = 2 ** 16;

/** A run as it was recorded. Curves and answers are read when they are asked for. */
export class RecordedRun {
  /** Its folder, absolute. */
  readonly folder: string;
  readonly record: RunRecord;
  #history: History | undefined;

  constructor(folder: string, record: RunRecord) {
    this.folder = folder;
    this.record = record;
  }

  /** Name of its folder: what `tunebook runs` knows it by. */
  get id(): string {
    return basename(this.folder);
  }

  get name(): string {
    return this.record.name;
  }

  /** Optimizer steps planned. */
  get total(): number {
    return this.record.total;
  }

  /** How the run ended. 'running' becomes 'interrupted' where its process is no more; of another machine that is not known. */
  get state(): RunEnd['state'] | 'running' {
    const last = this.record.sessions.at(-1);
    return this.record.state === 'running' && last && lives(last) === false ? 'interrupted' : this.record.state;
  }

  /** Steps done. */
  get step(): number {
    const last = this.#last(FILES.history);
    return last?.step ?? last?.from ?? 0;
  }

  /** Numbers of the last step. */
  get last(): Record<string, number> | undefined {
    const line = this.#last(FILES.history);
    return line?.step === undefined ? undefined : numbersOf(line);
  }

  /** The last evaluation. */
  get evaluation(): EvalRow | undefined {
    return this.evaluations.at(-1);
  }

  /** By column, as `run.history` had it. */
  get history(): History {
    this.#history ??= columns(kept(this.#read(FILES.history)));
    return this.#history;
  }

  get evaluations(): EvalRow[] {
    return kept(this.#read(FILES.evaluations)).map(numbersOf);
  }

  get samples(): Sample[] {
    return kept(this.#read(FILES.evaluations)).flatMap(({ samples }) => (samples as Sample[] | undefined) ?? []);
  }

  #read(name: string): Line[] {
    try {
      return linesOf(readFileSync(join(this.folder, name), 'utf8'));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  }

  #last(name: string): Line | undefined {
    let file: number;
    try {
      file = openSync(join(this.folder, name), 'r');
    } catch {
      return undefined;
    }
    try {
      const { size } = fstatSync(file);
      const tail = Buffer.alloc(Math.min(size, TAIL));
      readSync(file, tail, 0, tail.length, size - tail.length);
      return linesOf(tail.toString('utf8')).at(-1);
    } finally {
      closeSync(file);
    }
  }
}

setView(RecordedRun, ({ name, total, record, history }) => ({
  kind: 'run',
  data: { name, total, status: record.state, history },
}));

/**
 * The run recorded in a folder, given as the folder or its run.json.
 * @throws BadInput where there is none, or it cannot be read
 */
export function readRecord(path: string): RecordedRun {
  const file = recordFile(path);
  let record: RunRecord;
  try {
    record = JSON.parse(readFileSync(file, 'utf8')) as RunRecord;
  } catch (cause) {
    const gone = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new BadInput({
      problem: gone ? 'No run is recorded here' : 'The record of the run cannot be read',
      where: { file },
      fix: gone
        ? 'train.readRecords(dir) and `tunebook runs` list those there are'
        : 'it was changed by another program: restore it',
      cause,
    });
  }
  if (record?.format === 1 && isWhole(record)) return new RecordedRun(dirname(file), record);
  throw new BadInput({
    problem: 'This is no record of a run that this version can read',
    where: { file },
    expected: 'format 1',
    fix: 'read it with the version of tunebook that wrote it',
  });
}

/** Whether a record has the parts that readers build on: another program's run.json, or a damaged one, must not stop a list. */
function isWhole(record: RunRecord): boolean {
  const { sessions, checkpoints, options, config, model, hashes, seeds, started, name } = record;
  const objects: unknown[] = [options, config, model, hashes, seeds];
  return (
    Array.isArray(sessions) &&
    Array.isArray(checkpoints) &&
    objects.every(part => typeof part === 'object' && part !== null) &&
    typeof started === 'string' &&
    typeof name === 'string'
  );
}

/** All runs recorded in a folder, the oldest first. Folders without a readable record are left out. */
export function readRecords(dir: string = process.env.TUNEBOOK_RECORD || 'runs'): RecordedRun[] {
  let names: string[];
  try {
    names = readdirSync(dir);
  } catch (cause) {
    throw new BadInput({
      problem: 'There is no such folder of runs',
      where: { file: dir },
      fix: "name the folder that train.sft had as record: 'runs'",
      cause,
    });
  }
  const found = names.flatMap(name => {
    try {
      return statSync(join(dir, name, FILES.record), { throwIfNoEntry: false }) ? [readRecord(join(dir, name))] : [];
    } catch {
      return [];
    }
  });
  return found.sort((a, b) => a.record.started.localeCompare(b.record.started));
}

export function recordFile(path: string): string {
  if (typeof path !== 'string' || path === '')
    throw new BadInput({
      problem: 'This names no record of a run',
      where: { key: 'path' },
      expected: 'its folder, or the run.json in it',
      found: quote(path),
      fix: 'train.readRecords(dir) and `tunebook runs` list those there are',
    });
  return resolve(basename(path) === FILES.record ? path : join(path, FILES.record));
}

/** Lines that are whole; a process that was killed may have left half of one. */
function linesOf(text: string): Line[] {
  return text.split('\n').flatMap(line => {
    try {
      const value = JSON.parse(line) as Line | null;
      return Number.isSafeInteger(value?.step ?? value?.from) ? [value!] : [];
    } catch {
      return [];
    }
  });
}

/** Lines without those that were done again. */
function kept(lines: Line[]): (Line & { step: number })[] {
  const rows: (Line & { step: number })[] = [];
  for (const line of lines) {
    if (line.step !== undefined) rows.push(line as Line & { step: number });
    else if (line.from !== undefined) while (rows.length > 0 && rows.at(-1)!.step > line.from) rows.pop();
  }
  return rows;
}

function numbersOf({ time: _, ...line }: Line): EvalRow {
  return Object.fromEntries(Object.entries(line).filter(([, value]) => typeof value === 'number')) as EvalRow;
}

function columns(rows: (Line & { step: number })[]): History {
  const history = emptyHistory() as Record<string, (number | null)[]>;
  rows.forEach(({ time: _, ...row }, i) => {
    for (const name of Object.keys(row)) history[name] ??= new Array<null>(i).fill(null);
    for (const [name, column] of Object.entries(history))
      column.push(typeof row[name] === 'number' ? (row[name] as number) : null);
  });
  return history as History;
}

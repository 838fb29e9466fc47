import { createReadStream, existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { ColumnTable } from 'arquero';
import { BadInput, setView } from '../../base/core/index.js';
import { attemptFolder, FILES } from './attempt.js';
import { type FigureOptions, type SweepFigure, sweepFigure } from './figure.js';
import { readJournal } from './journal.js';
import { type Metrics, SweepState, type TrialRecord } from './records.js';
import { type SummaryOptions, type SummaryRow, summarise } from './summary.js';
import { columnsOf, type SweepRow, sweepRows, writeCsv, writeParquet } from './table.js';

/** How far a sweep is. Every trial is in one of done, failed, running and waiting. */
export interface SweepStatus {
  total: number;
  done: number;
  /** Failed, timed out or cancelled; `retryFailed` makes them again. */
  failed: number;
  /** Begun: in a process, or in Slurm's queue. */
  running: number;
  waiting: number;
  /** Done ones that returned NaN or an infinity. */
  nonFinite: number;
  /** Results of settings or seeds that the sweep has no longer. */
  outside: number;
  /** Times the journal ended in half a line, which was cut off. */
  torn: number;
  /** Lines inside the journal that are damaged and were left out; their trials are made again. */
  damaged: number;
  /** Settings that no trial which is done ever looked at: a misspelt name, most likely. */
  unread: string[];
}

/** What a report says: the trial, and what it measured on the way. */
export type ReportRow = Record<string, number | string | boolean | null>;

/** The results of a sweep as its journal has them, at the moment it was read. */
export class SweepResults {
  readonly folder: string;
  readonly status: SweepStatus;
  /** The last end of every trial, failed ones too, in the order of the plan (of the journal, where there is no plan). */
  readonly records: readonly TrialRecord[];
  readonly #budgeted: boolean;

  constructor(folder: string, state: SweepState, plan?: { ids: readonly string[]; budgeted: boolean }) {
    this.folder = folder;
    const ids = plan?.ids ?? [...state.trials.keys()];
    const results = ids.flatMap(id => state.trials.get(id)?.last ?? []);
    this.records = results.filter(({ status }) => status !== 'interrupted' && status !== 'lost');
    this.status = statusOf(state, ids);
    this.#budgeted = plan?.budgeted ?? results.some(({ config }) => 'tasks' in config && 'examples' in config);
  }

  /** One row for every result: `trial`, `seed`, the settings, the metrics, `status`, `error`, `seconds`, `attempt`. */
  rows(): SweepRow[] {
    return sweepRows(this.records);
  }

  /** {@link rows} as an arquero table. */
  async table(): Promise<ColumnTable> {
    const { from } = await import('arquero');
    const rows = this.rows();
    return from(rows, columnsOf(rows));
  }

  /** A metric by configuration, over the seeds: n, mean, standard deviation and Student's t interval (95 %). */
  summary(options: SummaryOptions = {}): SummaryRow[] {
    return summarise(this.records, options);
  }

  /** A metric against a setting, means over seeds with 95 % intervals. It describes itself: show draws it. */
  figure(options: FigureOptions = {}): SweepFigure {
    return sweepFigure(this.records, { ...(this.#budgeted ? { x: 'tasks' } : {}), ...options });
  }

  /** Write {@link rows} as CSV. */
  csv(path: string): Promise<void> {
    return writeCsv(this.rows(), path);
  }

  /** Write {@link rows} as Parquet. */
  parquet(path: string): Promise<void> {
    return writeParquet(this.rows(), path);
  }

  /** What the trials reported on the way, in order: one trial after the other, its last attempt. */
  async *reports(): AsyncGenerator<ReportRow> {
    for (const { id, attempt, config, seed } of this.records) {
      const path = join(attemptFolder(this.folder, id, attempt), FILES.reports);
      if (!existsSync(path)) continue;
      let step = 0;
      for await (const line of createInterface({ input: createReadStream(path) })) {
        const report = parseReport(line);
        if (!report) continue; // The half line of a process that was killed.
        const settings = sweepRows([
          { id, attempt, config, seed, metrics: report.metrics, nonFinite: report.nonFinite } as TrialRecord,
        ])[0]!;
        const { status: _, error: __, seconds: ___, ...row } = settings;
        yield { ...row, report: ++step };
      }
    }
  }
}

setView(SweepResults, results => ({ kind: 'table', data: results.rows() }));

function parseReport(line: string): { metrics: Metrics; nonFinite?: TrialRecord['nonFinite'] } | undefined {
  try {
    return JSON.parse(line) as { metrics: Metrics };
  } catch {
    return undefined;
  }
}

/** How many trials of a plan are in which state. */
export function statusOf(state: SweepState, ids: readonly string[]): SweepStatus {
  const status: SweepStatus = {
    total: ids.length,
    done: 0,
    failed: 0,
    running: 0,
    waiting: 0,
    nonFinite: 0,
    outside: 0,
    torn: state.torn,
    damaged: state.damaged,
    unread: [],
  };
  const planned = new Set(ids);
  let unread: string[] | undefined;
  for (const id of planned) {
    const { open, last } = state.trials.get(id) ?? {};
    if (open) status.running++;
    else if (last?.status === 'done') status.done++;
    else if (last && last.status !== 'interrupted' && last.status !== 'lost') status.failed++;
    else status.waiting++;
    if (last?.status !== 'done') continue;
    if (last.nonFinite) status.nonFinite++;
    // A setting counts as looked at when one trial did: conditions may hide it from others.
    unread = unread ? unread.filter(key => last.unread?.includes(key) || !(key in last.config)) : [...(last.unread ?? [])];
  }
  for (const [id, { last }] of state.trials) if (!planned.has(id) && last?.status === 'done') status.outside++;
  status.unread = unread ?? [];
  return status;
}

/** Read the results in a sweep's folder, also while the sweep runs. */
export async function readSweep(folder: string): Promise<SweepResults> {
  const state = await readState(resolve(folder));
  if (!state)
    throw new BadInput({
      problem: 'there is no sweep',
      where: { file: folder },
      expected: 'a folder with a journal',
      fix: 'check the path',
    });
  return new SweepResults(resolve(folder), state);
}

/** What the journal in a folder says; undefined where there is none. */
export async function readState(folder: string): Promise<SweepState | undefined> {
  const path = join(folder, JOURNAL);
  if (!existsSync(path)) return undefined;
  const state = new SweepState();
  state.damaged = (await readJournal(path, state.note)).damaged;
  return state;
}

/** Name of the journal in a sweep's folder. */
export const JOURNAL = 'journal.jsonl';

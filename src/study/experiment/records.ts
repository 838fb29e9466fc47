import type { Config } from './canonical.js';

/** How an attempt at a trial ended. `interrupted` and `lost` ones are made again; the others are results, good or bad. */
export type EndStatus = 'done' | 'failed' | 'timeout' | 'cancelled' | 'interrupted' | 'lost';

/** What is known of a failure. */
export interface TrialError {
  /** Class of the error that the trial threw, where it threw one. */
  name?: string;
  message: string;
  stack?: string;
  exitCode?: number;
  /** Signal that ended the process. */
  signal?: string;
  /** The end of what it wrote on stderr. */
  stderr?: string;
}

/** What a trial measured: numbers, and words that say something of it. Nested results have names with dots. */
export type Metrics = Record<string, number | string | boolean | null>;

/** What an attempt at a trial came to. */
export interface Outcome {
  status: EndStatus;
  /** Finite values; those that are not stand in `nonFinite`. */
  metrics?: Metrics;
  nonFinite?: Record<string, 'NaN' | 'Infinity' | '-Infinity'>;
  error?: TrialError;
  /** Seconds from the start of its process to its result, as far as known. */
  seconds?: number;
  /** Settings that the trial never looked at. */
  unread?: string[];
  /** Machine it ran on. */
  host?: string;
  /** Largest resident memory of its process in bytes. */
  peakBytes?: number;
}

/** One trial's end as it stands in the journal. */
export interface TrialRecord extends Outcome {
  type: 'end';
  id: string;
  attempt: number;
  config: Config;
  seed: number;
  /** Hash of the trial's code that made this. */
  code: string;
  /** When it was written down. */
  at: string;
}

/** A line of the journal. */
export type JournalRecord =
  | { type: 'open'; at: string; name: string; trial: string; code: string; engine: string; host: string; pid: number }
  | { type: 'begin'; at: string; id: string; attempt: number }
  // Slurm: first what is going to be submitted, then under which job number it was.
  | { type: 'batch'; at: string; batch: string; trials: [id: string, attempt: number][] }
  | { type: 'job'; at: string; batch: string; job: string }
  // The cluster did not take it.
  | { type: 'withdrawn'; at: string; batch: string }
  | { type: 'recovered'; at: string; bytes: number }
  | TrialRecord;

/** An attempt that began and has no end in the journal. */
export interface OpenAttempt {
  attempt: number;
  /** Where it runs: this batch of Slurm's, at this place in it (from 0); a process of the driver's machine otherwise. */
  batch?: string;
  index?: number;
}

/** What the journal says of one trial. */
export interface TrialState {
  /** Attempts begun. */
  attempts: number;
  open?: OpenAttempt;
  /** Its last end. */
  last?: TrialRecord;
  /** Times in a row that its process was lost, or ended by somebody else than the driver. */
  lost: number;
}

/** The state of a sweep, from the records of its journal one after the other. */
export class SweepState {
  readonly trials: Map<string, TrialState> = new Map();
  /** Job numbers of Slurm's by batch. */
  readonly jobs: Map<string, string> = new Map();
  torn = 0;
  /** Lines of the journal that are damaged; the reader of the journal sets it. */
  damaged = 0;

  readonly note = (record: JournalRecord): void => {
    switch (record.type) {
      case 'recovered':
        this.torn++;
        break;
      case 'begin':
        this.#begin(record.id, { attempt: record.attempt });
        break;
      case 'batch':
        record.trials.forEach(([id, attempt], index) => void this.#begin(id, { attempt, batch: record.batch, index }));
        break;
      case 'job':
        this.jobs.set(record.batch, record.job);
        break;
      case 'withdrawn':
        for (const trial of this.trials.values()) if (trial.open?.batch === record.batch) trial.open = undefined;
        break;
      case 'end': {
        const trial = this.trial(record.id);
        if (trial.open?.attempt === record.attempt) trial.open = undefined;
        trial.attempts = Math.max(trial.attempts, record.attempt);
        const again = record.status === 'interrupted' || record.status === 'lost';
        if (record.status !== 'interrupted') trial.lost = again ? trial.lost + 1 : 0;
        // A result is never hidden by a later attempt that was cut off.
        if (!again || !trial.last || trial.last.code !== record.code) trial.last = record;
        break;
      }
    }
  };

  trial(id: string): TrialState {
    let trial = this.trials.get(id);
    if (!trial) {
      trial = { attempts: 0, lost: 0 };
      this.trials.set(id, trial);
    }
    return trial;
  }

  #begin(id: string, open: OpenAttempt): void {
    const trial = this.trial(id);
    trial.open = open;
    trial.attempts = Math.max(trial.attempts, open.attempt);
  }
}

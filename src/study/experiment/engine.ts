import type { Attempt, BatchHeader, Result } from './attempt.js';
import type { Journal } from './journal.js';
import type { OpenAttempt } from './records.js';

/** What an engine is told of the sweep it works for. */
export interface EngineContext {
  /** The sweep's folder, absolute. */
  folder: string;
  name: string;
  header: BatchHeader;
  journal: Journal;
  /** Job numbers of Slurm's by batch, from the journal. */
  jobs: ReadonlyMap<string, string>;
  /** Seconds a trial may take; undefined for no limit. */
  timeout: number | undefined;
  /** Seconds between SIGTERM and SIGKILL. */
  grace: number;
  /** Trials at once; undefined for as many as fit. */
  concurrency: number | undefined;
  /** Threads of one trial. */
  threads: number;
  /** Bytes of memory one trial is expected to need. */
  memory: number;
  env: Record<string, string>;
  /** Aborted when the driver shall come to rest: `wait` must not wait any longer. */
  signal: AbortSignal;
}

export interface EndedAttempt {
  attempt: Attempt;
  result: Result;
}

/** An attempt that runs, and its folder. */
export interface RunningAttempt {
  attempt: Attempt;
  folder: string;
}

/** Where trials run: {@link local} or {@link slurm}. */
export interface Engine {
  readonly name: string;
  open(context: EngineContext): Promise<EngineSession>;
}

/** An engine at work for one driver. */
export interface EngineSession {
  /** Take over attempts that an earlier driver began; what has ended meanwhile, or is lost, comes from the next `wait`. */
  adopt(attempts: readonly { attempt: Attempt; open: OpenAttempt }[]): Promise<void>;
  /** Attempts that may begin now. */
  room(): number;
  /** Write down and begin attempts, at most `room()`; returns how many could be begun. */
  begin(attempts: readonly Attempt[]): Promise<number>;
  /** Attempts that have ended; waits for the first of them, but not longer than the engine's own pace of looking. */
  wait(): Promise<EndedAttempt[]>;
  /** Attempts under way, those that run first. */
  running(): RunningAttempt[];
  /** Begun and not ended, whether they run or stand in a queue. */
  readonly open: number;
  /** End everything; the ends come from `wait`. */
  stop(): Promise<void>;
  /** Whether what runs goes on by itself when its driver comes to rest, and is looked after by the next one. */
  readonly detached: boolean;
  /** Stop looking, and leave what runs as it is. */
  close(): void;
}

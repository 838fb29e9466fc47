import type { Config } from './canonical.js';
import type { Metrics } from './records.js';

/** What a trial is given beside its settings. */
export interface TrialContext {
  /** The same for every configuration: differences between configurations are then differences of pairs. */
  seed: number;
  /** Aborted when the trial must end (a timeout, Ctrl-C, the cluster's warning). */
  signal: AbortSignal;
  /** A folder of this trial's own, made already. A trial that is made again after it was cut off finds in it what it had written. */
  folder: string;
  /** Write down what was measured on the way, e.g. every evaluation; `sweep.reports()` reads it. */
  report(metrics: Metrics): void;
  /** Say how far it is. What tunebook reports by itself (a training run, an evaluation) is seen without it. */
  progress(done: number, total?: number, note?: string): void;
}

/**
 * A trial: the default export of a module that is run in a process of its own, in the working directory of whoever drives the sweep. What it returns is its result: numbers (also
 * nested: `{ accuracy: { new: 0.9 } }` is called `accuracy.new`), words, booleans. The module may export `defaults`, an object of all
 * settings it knows: then a setting it does not know is an error, and one that is not given has the value in `defaults`.
 */
export type Trial<C extends object = Config> = (config: C, context: TrialContext) => Promise<TrialMetrics> | TrialMetrics;

/** What a trial returns; undefined is written down as null. */
export interface TrialMetrics {
  [name: string]: number | string | boolean | null | undefined | TrialMetrics;
}

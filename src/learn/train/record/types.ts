import type { StepReport } from '../history.js';
import type { EvalRow, RunEnd } from '../logs/logger.js';

/** Where and how a run is recorded. */
export interface RecordOptions {
  /** Folder that holds the records, one subfolder a run. Default: what the variable TUNEBOOK_RECORD names, else 'runs'. */
  dir?: string;
  /** Name of this run's folder in it. Default: time, name of the run and six random characters. */
  folder?: string;
  /** A line of yours, shown by `tunebook runs show`. */
  notes?: string;
}

/** SHA-256 over the weights of a model, or over a sample of them. */
export interface WeightsHash {
  sha256: string;
  /** Weights it covers. */
  weights: number;
  /** Of large models: values hashed of every weight, evenly spread. Absent: all of them. */
  sampled?: number;
}

/** What a run was started on, by SHA-256. */
export interface RecordHashes {
  /** The rows as given: what they say, not the file and line they came from. 'streamed' where they were not all known. */
  rows?: string;
  /** Their ids, labels and weights, as trained on. */
  encoded?: string;
  replay?: string;
  /** Held-out rows, by task ('rows' where they are one list). */
  heldOut?: Record<string, string>;
  template?: string;
  tokenizer?: string;
  /** The weights that the run started from, without adapters. */
  base?: WeightsHash;
  adapters?: WeightsHash;
  /** The files of the directory the model was loaded from; computed beside the training. */
  files?: Record<string, string>;
  /** Values of a schedule that is a function, at 65 steps. */
  schedule?: string;
  /** Texts of the functions among the hooks. */
  hooks?: Record<string, string>;
}

export interface RecordVersions {
  tunebook: string;
  node: string;
  tfjs: string;
  backend?: string;
  /** Of TensorFlow, on native and cuda. */
  engine?: string;
  details?: string[];
}

/** What git says of the working directory. */
export interface GitState {
  commit: string;
  branch?: string;
  /** Changed and new files. */
  dirty: number;
  /** The first hundred of them, as `git status --porcelain` writes them. */
  changes?: string[];
}

export interface Hardware {
  os: string;
  cpu: string;
  cores: number;
  /** Bytes. */
  memory: number;
  gpus?: string[];
}

/** A process that a run went on in. */
export interface RecordSession {
  started: string;
  /** Steps done when it began. */
  step: number;
  ended?: string;
  host: string;
  pid: number;
  /** When that process began, as Linux counts it: another process may have its number later. */
  birth?: string;
  directory: string;
  /** Script or notebook, where it is known. */
  script?: string;
  versions: RecordVersions;
  hardware: Hardware;
  git?: GitState;
}

/** What is known of the model. */
export interface RecordModel {
  type?: string;
  /** Where it was loaded from. */
  directory?: string;
  /** Numbers in all its weights, and in those that are trained. */
  size: number;
  trainable: number;
  adapters?: { name: string; kind: string; config?: unknown }[];
  /** Its config, where it says it. */
  config?: unknown;
}

/** `run.json` of a record. */
export interface RunRecord {
  format: 1;
  id: string;
  name: string;
  notes?: string;
  /** 'running' also where the process was killed; readers look for it: see {@link RecordedRun.state}. */
  state: RunEnd['state'] | 'running';
  /** Why it stopped itself. */
  reason?: string;
  error?: { name: string; message: string; stack?: string };
  started: string;
  ended?: string;
  /** Steps planned. */
  total: number;
  /** Every option as given; what JSON cannot hold stands as a {@link Held}. */
  options: Record<string, unknown>;
  /** The settings that follow from them, with defaults filled in. */
  config: Record<string, unknown>;
  seeds: Record<string, number | string>;
  model: RecordModel;
  hashes: RecordHashes;
  sessions: RecordSession[];
  checkpoints: { step: number; dir: string; time: string }[];
  /** The report of the last step, when this was written. */
  last?: StepReport;
  evaluation?: EvalRow;
  /** The record whose settings it took over with `from`. */
  from?: string;
}

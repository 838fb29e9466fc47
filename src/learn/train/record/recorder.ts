import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../../../base/core/index.js';
import type { Tokenizer } from '../../../prepare/tokens/index.js';
import type { Sample } from '../held-out.js';
import type { StepReport } from '../history.js';
import { LineFile } from '../logs/line-file.js';
import { Complaint, type EvalRow, type RunAbout, type RunEnd, type RunLogger, scalars } from '../logs/logger.js';
import type { TrainableModel } from '../types.js';
import { type Description, weightsOf } from './describe.js';
import { gitState, session } from './facts.js';
import { hashModelFiles, hashWeights } from './hashes.js';
import type { RecordSession, RunRecord } from './types.js';

/** Files of a record. */
export const FILES = {
  record: 'run.json',
  history: 'history.jsonl',
  evaluations: 'evaluations.jsonl',
  tokenizer: 'tokenizer.json',
} as const;

/** Milliseconds that the end of a run waits for git and for the hashes of files. */
const PATIENCE = 3000;

/** Keeps the record of a run in a folder. What cannot be written is said once; the run goes on. */
export class Recorder implements RunLogger {
  readonly name = 'record';
  readonly folder: string;
  readonly #id: string;
  readonly #parts: RecorderParts;
  readonly #complaint: Complaint;
  readonly #history: LineFile;
  readonly #evaluations: LineFile;
  #record: RunRecord | undefined;
  #session: RecordSession | undefined;
  /** Git and the hashes of files. */
  #background: Promise<unknown> = Promise.resolve();
  #writing: Promise<void> | undefined;
  #changed = false;

  constructor(dir: string, id: string, parts: RecorderParts) {
    this.#id = id;
    this.folder = join(dir, id);
    this.#parts = parts;
    this.#complaint = new Complaint(`The record of the run in ${this.folder}`);
    this.#history = new LineFile(join(this.folder, FILES.history), this.#complaint);
    this.#evaluations = new LineFile(join(this.folder, FILES.evaluations), this.#complaint);
  }

  async onStart({ step }: RunAbout): Promise<void> {
    const before = this.#record ?? this.#readOld();
    const { notes, from } = this.#parts;
    const description = this.#parts.description();
    const { hashes, checkpoints, sessions, evaluation, started }: Kept = before ?? {
      hashes: { ...description.hashes },
      checkpoints: [],
      sessions: [],
      started: new Date().toISOString(),
    };
    if (!this.#session) {
      // What a killed process recorded beyond the checkpoint has not happened.
      if (before) for (const file of [this.#history, this.#evaluations]) file.append({ from: step });
      this.#session = session(step);
      sessions.push(this.#session);
    }
    this.#record = {
      format: 1,
      id: this.#id,
      ...description,
      ...(notes && { notes }),
      state: 'running',
      started,
      hashes,
      sessions,
      checkpoints: checkpoints.filter(saved => saved.step <= step),
      ...(evaluation && evaluation.step <= step && { evaluation }),
      ...(from && { from }),
    };
    if (before) return this.#write();
    const { model, tokenizer } = this.#parts;
    this.#background = Promise.allSettled([this.#addGit(this.#session), this.#addFiles(description.model.directory)]);
    const { base, adapters } = weightsOf(model);
    hashes.base = await hashWeights(base);
    if (adapters.length > 0) hashes.adapters = await hashWeights(adapters);
    await this.#write();
    if (tokenizer) await this.#keepTokenizer(tokenizer);
  }

  onStep(report: StepReport): void {
    this.#history.append({ step: report.step, time: Date.now(), ...scalars(report) });
    this.#record!.last = report;
  }

  onEval(found: EvalRow, samples: readonly Sample[]): void {
    this.#evaluations.append({ time: Date.now(), ...found, ...(samples.length > 0 && { samples }) });
    this.#record!.evaluation = found;
  }

  onCheckpoint(dir: string, step: number): void {
    this.#record!.checkpoints.push({ step, dir, time: new Date().toISOString() });
    void this.#write();
  }

  async onStop({ state, reason, error }: RunEnd): Promise<void> {
    const ended = new Date().toISOString();
    Object.assign(this.#record!, { state, ended, ...(reason && { reason }) });
    this.#session!.ended = ended;
    if (error !== undefined) this.#record!.error = errorParts(error);
    this.#history.flush();
    this.#evaluations.flush();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const enough = new Promise(resolve => {
      timer = setTimeout(resolve, PATIENCE);
    });
    await Promise.race([this.#background, enough]);
    clearTimeout(timer);
    await this.#write();
  }

  #readOld(): RunRecord | undefined {
    try {
      const old = JSON.parse(readFileSync(join(this.folder, FILES.record), 'utf8')) as RunRecord;
      return old.format === 1 && Array.isArray(old.sessions) && Array.isArray(old.checkpoints) ? old : undefined;
    } catch {
      return undefined;
    }
  }

  async #addGit(at: RecordSession): Promise<void> {
    const state = await gitState(at.directory);
    if (!state) return;
    at.git = state;
    await this.#write();
  }

  async #addFiles(directory: string | undefined): Promise<void> {
    if (directory === undefined) return;
    const files = await hashModelFiles(directory);
    this.#record!.hashes.files = files;
    await this.#write();
  }

  async #keepTokenizer(tokenizer: Tokenizer): Promise<void> {
    await writeFileAtomic(join(this.folder, FILES.tokenizer), JSON.stringify(tokenizer.parts())).catch(error =>
      this.#complaint.say(error),
    );
  }

  /** Bring run.json up to date; one writer at a time, and what changes meanwhile is written after. Never rejects. */
  async #write(): Promise<void> {
    this.#changed = true;
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    while (this.#changed) {
      this.#changed = false;
      try {
        await writeFileAtomic(join(this.folder, FILES.record), `${JSON.stringify(this.#record, null, 1)}\n`);
      } catch (error) {
        this.#complaint.say(error);
      }
    }
  }
}

/** What stays when a run goes on in its record. */
type Kept = Pick<RunRecord, 'hashes' | 'checkpoints' | 'sessions' | 'evaluation' | 'started'>;

/** What a {@link Recorder} is made of. */
export interface RecorderParts {
  /** Made when the run begins: hashing rows takes a moment. */
  description: () => Description;
  model: TrainableModel;
  tokenizer?: Tokenizer;
  notes?: string;
  from?: string;
}

function errorParts(error: unknown): NonNullable<RunRecord['error']> {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const { name, message, stack } = error;
  return { name, message, ...(stack && { stack }) };
}

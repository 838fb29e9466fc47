import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BadInput, quote, writeFileAtomic } from '../../../base/core/index.js';
import type { Sample } from '../held-out.js';
import type { History } from '../history.js';
import type { EvalResult, Hooks } from '../hooks.js';
import type { SftPlan } from '../options.js';
import type { OrderState } from '../order.js';
import type { LoopState } from '../sft.js';
import type { StreamState } from '../source.js';
import type { TrainRow } from '../types.js';
import type { SavedAdapters } from './weights.js';

export interface CheckpointOptions {
  /**
   * Folder that holds the checkpoints, one subfolder `step-…` each. One run at a time writes there: where another process of this machine
   * does, the run is refused before its first step.
   */
  dir: string;
  /**
   * Steps between checkpoints. Whenever the run ends or is stopped one is written too; without `every` only then. Where one cannot be
   * written the run warns and goes on; the one at its end must be written, and an error says what else can be done.
   */
  every?: number;
  /** Checkpoints kept; older ones are deleted. Default 2. */
  keep?: number;
}

/** Settings that shape the trajectory, kept so that `train.resume` needs only model and rows. */
export interface SavedSettings
  extends Pick<
    SftPlan,
    | 'batchSize'
    | 'accumulate'
    | 'steps'
    | 'epochs'
    | 'learningRate'
    | 'clip'
    | 'shuffle'
    | 'seed'
    | 'packing'
    | 'bucket'
    | 'shuffleBuffer'
    | 'name'
    | 'scheduleName'
    | 'shaping'
  > {
  saving: Omit<CheckpointOptions, 'dir'>;
}

/** What a run tells of itself. */
export interface Told {
  history: History;
  evaluations: ({ step: number } & EvalResult)[];
  samples: Sample[];
}

/** `checkpoint.json`: all that is not a tensor. */
export interface Manifest extends Told {
  format: typeof FORMAT;
  step: number;
  order: OrderState | StreamState;
  replay: OrderState | undefined;
  loop: LoopState;
  /** What its hooks keep beside tensors, and what they said of themselves; undefined where they keep nothing. */
  hooks?: { json?: unknown; about?: Hooks['about'] };
  settings: SavedSettings;
  optimizer: { name: string; settings: Record<string, unknown>; updates: number };
  /** Hash of the rows the run was training on: other rows would be another run. */
  rows: string;
  replayRows: string | undefined;
  /** Weights that were not trained, those of the option `freeze` aside. */
  resting: string[];
  /** Where adapters were trained: which, and on what base. */
  adapters: SavedAdapters | undefined;
  /** SHA-256 of every other file, so that a damaged one is noticed. */
  files: Record<string, string>;
}

const FORMAT = 3;
export const MANIFEST = 'checkpoint.json';
/** In place of the hash of rows that are streamed: they are not all known. */
const STREAMED = 'streamed';

/** A checkpoint that is not what was written. */
export class Damaged extends Error {}

/** Write it with a hash of its own, last: a folder without it is no checkpoint. */
export async function writeManifest(folder: string, content: Omit<Manifest, 'format'>): Promise<void> {
  const text = JSON.stringify({ format: FORMAT, ...content });
  await writeFileAtomic(join(folder, MANIFEST), `{"sha256":"${sha256(text)}","checkpoint":${text}}\n`);
}

/**
 * Read it back.
 * @throws Damaged when it is missing or not what was written
 * @throws BadInput when another version of tunebook wrote it
 */
export async function readManifest(folder: string): Promise<Manifest> {
  const file = join(folder, MANIFEST);
  let found: { sha256?: unknown; checkpoint?: Manifest; format?: unknown };
  try {
    found = JSON.parse(await readFile(file, 'utf8')) as typeof found;
  } catch (cause) {
    throw new Damaged(`${MANIFEST} ${(cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'is missing' : 'cannot be read'}`, {
      cause,
    });
  }
  const { sha256: hash, checkpoint } = found ?? {};
  // Before format 3 there was no hash.
  if (checkpoint === undefined && typeof found?.format === 'number') throw otherFormat(file, found.format);
  if (hash !== sha256(JSON.stringify(checkpoint) ?? ''))
    throw new Damaged(`${MANIFEST} is not what was written (its SHA-256 differs)`);
  if (checkpoint!.format !== FORMAT) throw otherFormat(file, checkpoint!.format);
  return checkpoint!;
}

function otherFormat(file: string, found: unknown): BadInput {
  return new BadInput({
    problem: 'The checkpoint has a format this version does not know',
    where: { file },
    expected: `format ${FORMAT}`,
    found: quote(found),
    fix: 'resume it with the version of tunebook that wrote it, or start a new run from its weights: models.load(step folder + "/model")',
  });
}

const hashes = new WeakMap<SftPlan, Pick<Manifest, 'rows' | 'replayRows'>>();

/** What tells the rows of a plan from others. Rows do not change in a run: they are hashed at its first checkpoint. */
export function rowHashes(plan: SftPlan): Pick<Manifest, 'rows' | 'replayRows'> {
  const known = hashes.get(plan);
  if (known) return known;
  const made = { rows: plan.stream ? STREAMED : hashRows(plan.rows), replayRows: plan.replay && hashRows(plan.replay.rows) };
  hashes.set(plan, made);
  return made;
}

function hashRows(rows: readonly TrainRow[]): string {
  const hash = createHash('sha256');
  for (const { ids, labels, weights, segmentIds } of rows) {
    hash.update(Int32Array.from([ids.length, ...ids, ...labels]));
    if (weights) hash.update(Float64Array.from(weights));
    if (segmentIds) hash.update(Int32Array.from(segmentIds));
  }
  return hash.digest('hex');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

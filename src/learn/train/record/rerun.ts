import { statSync } from 'node:fs';
import { BadInput } from '../../../base/core/index.js';
import { readRows } from '../../../prepare/data/index.js';
import { load } from '../../models/index.js';
import type { SftOptions } from '../options.js';
import type { Run } from '../run.js';
import { sft } from '../sft.js';
import type { TrainableModel } from '../types.js';
import { weightsOf } from './describe.js';
import { fromRecord, type Given } from './from.js';
import { hashRows, hashWeights } from './hashes.js';

/**
 * Run a recorded run again: its model is loaded from the directory it came from and its rows are read from their file, unless they are
 * given. Everything is checked against the record before the first step, so that the same backend gives the same losses. The new run
 * has a record of its own, and writes no checkpoints unless `checkpoint` is given: they would take the place of the old ones.
 *
 * @throws BadInput that lists all that is not on disk, or no longer what it was
 */
export async function rerun(path: string, overrides: Partial<SftOptions> = {}): Promise<Run> {
  const { run, options, given } = fromRecord(path);
  const { record } = run;
  const found: Partial<SftOptions> = {};
  const missing: string[] = [];
  let loaded: (TrainableModel & { dispose(): void }) | undefined;
  try {
    for (const one of given) {
      const [key, ...below] = one.key.split('.') as [keyof SftOptions, ...string[]];
      if (overrides[key] !== undefined) continue;
      if (key === 'rows' || below[0] === 'rows') {
        const rows = await rowsAgain(one);
        if (typeof rows === 'string') missing.push(`${one.key}: ${rows}`);
        else if (key === 'rows') found.rows = rows;
        else putBelow(found, record.options, key, below, rows);
      } else if (key !== 'model') missing.push(`${one.key}: ${one.what}, which a record cannot hold`);
    }
    if (!overrides.model) {
      const why = whyNotLoadable(record.model);
      if (why) missing.push(`model: ${why}`);
      else if (missing.length === 0) loaded = await load(record.model.directory!);
    }
    const model = overrides.model ?? loaded;
    const { base } = record.hashes;
    if (model && base && (await hashWeights(weightsOf(model).base)).sha256 !== base.sha256)
      missing.push(
        `model: its weights are not those the run started from${loaded ? `; ${record.model.directory} has changed` : ''}`,
      );
    if (missing.length > 0)
      throw new BadInput({
        problem: 'The run cannot be run again from what is on disk',
        where: { file: run.folder },
        found: `what is missing: ${missing.join('; ')}`,
        fix: 'give it: train.rerun(dir, { model, rows, … })',
      });
    const keepBest = overrides.checkpoint && (overrides.keepBest ?? options.keepBest);
    const checkpoint = overrides.checkpoint;
    return sft({ ...found, model: model!, ...overrides, from: path, checkpoint, keepBest } as SftOptions);
  } catch (error) {
    loaded?.dispose();
    throw error;
  }
}

/** The rows of a record, or why they cannot be had. */
async function rowsAgain({ what, file, sha256 }: Given): Promise<SftOptions['rows'] | string> {
  if (!file) return `${what}, which were not read from one file`;
  if (!statSync(file, { throwIfNoEntry: false })) return `${what}: the file is gone`;
  const rows = await readRows(file);
  return hashRows(rows) === sha256 ? rows : `${what}: the file now holds others, or the run had a part of it`;
}

/** Put rows where they stood: `evaluate.rows`, `evaluate.rows.<task>`, `replay.rows`. */
function putBelow(found: Partial<SftOptions>, recorded: object, key: keyof SftOptions, below: string[], rows: unknown): void {
  const whole = (found[key] ?? { ...(recorded as Record<string, object>)[key], rows: {} }) as { rows: Record<string, unknown> };
  if (below.length === 1) Object.assign(whole, { rows });
  else whole.rows[below.slice(1).join('.')] = rows;
  Object.assign(found, { [key]: whole });
}

function whyNotLoadable({ directory, adapters }: { directory?: string; adapters?: { name: string; kind: string }[] }): string {
  const attached = adapters?.map(({ name, kind }) => `${kind} "${name}"`).join(', ');
  if (!directory) return 'it was made in memory, not loaded from a directory';
  if (attached) return `it had adapters on it (${attached}), whose first values are not on disk`;
  return statSync(directory, { throwIfNoEntry: false }) ? '' : `its directory ${directory} is gone`;
}

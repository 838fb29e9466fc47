import { dirname, join } from 'node:path';
import { BadInput } from '../../base/core/index.js';
import { load } from '../models/index.js';
import { readCheckpoint } from './checkpoint.js';
import { readyForAdapters } from './checkpoint-weights.js';
import { plan, type SftOptions } from './options.js';
import { followed } from './record/followed.js';
import type { Run } from './run.js';
import { SftDriver } from './sft.js';

/** What `train.resume` takes: the rows again, and whatever a file cannot hold (tokenizer, optimizer, hooks, schedule functions). */
export type ResumeOptions = Pick<SftOptions, 'rows'> & Partial<SftOptions>;

/**
 * Go on with a run from its newest checkpoint: same rows, same order, same optimizer memory, hence the same losses as
 * without the break (bit by bit on native). Settings come from the checkpoint unless given; `steps` may be raised to
 * train longer. The model is loaded from the checkpoint unless one is given, whose weights are then overwritten. Where the run
 * trained adapters, their base must be given: a checkpoint does not hold it. Adapters it has not yet are put on it.
 *
 * @param dir the `checkpoint.dir` of the run, or one `step-…` folder in it
 * @throws BadInput when there is no checkpoint, it is damaged, or rows or optimizer are not those of the run
 */
export async function resume(dir: string, options: ResumeOptions): Promise<Run> {
  const saved = await readCheckpoint(dir);
  const { steps, epochs, scheduleName, clip, saving, shaping, ...settings } = saved.settings;
  if (!scheduleName && options.schedule === undefined)
    throw new BadInput({
      problem: 'The run had a schedule function, which a checkpoint cannot hold',
      where: { file: saved.dir, key: 'schedule' },
      fix: 'pass the same schedule again',
    });
  const length = options.steps !== undefined || options.epochs !== undefined ? {} : steps === undefined ? { epochs } : { steps };
  const schedule = options.schedule === undefined ? scheduleName : {};
  const loaded = options.model || saved.adapters ? undefined : await load(join(saved.dir, 'model'));
  const adapted = saved.adapters && (await readyForAdapters(options.model, saved.dir, saved.adapters));
  const model = options.model ?? loaded!;
  const checkpoint = { dir: dirname(saved.dir), ...saving };
  try {
    const resumed = plan({ checkpoint, ...settings, ...shaping, ...length, ...schedule, clip: clip ?? false, ...options, model });
    saved.verify(resumed);
    saved.restore(adapted ?? model.parameters);
    return followed(resumed, new SftDriver(resumed, options.signal, saved), options.signal, saved);
  } catch (error) {
    // A model we loaded is nobody's when no run comes of it.
    loaded?.dispose();
    throw error;
  }
}

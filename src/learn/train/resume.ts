import { dirname, join, resolve } from 'node:path';
import { BadInput, quote } from '../../base/core/index.js';
import { load } from '../models/index.js';
import { readCheckpoint, readyForAdapters, refuseAdapters, savedParameters, warn } from './checkpoints/index.js';
import { oneOf } from './combine.js';
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
 * Every file is compared with the hash it was written with. A damaged checkpoint is passed over with a warning (event 'warning' of the
 * process) that names the file and what is wrong, and the one before it is taken.
 *
 * @param dir the `checkpoint.dir` of the run, or one `step-…` folder in it
 * @throws BadInput when there is no checkpoint, all are damaged, or rows or optimizer are not those of the run
 */
export async function resume(dir: string, given: ResumeOptions): Promise<Run> {
  if (typeof dir !== 'string' || dir === '')
    throw new BadInput({
      problem: 'This names no folder of checkpoints',
      where: { key: 'dir' },
      found: quote(dir),
      fix: "write train.resume('runs/mine', { rows })",
    });
  const saved = await readCheckpoint(dir);
  // What is there but undefined is not given.
  const options = Object.fromEntries(Object.entries(given ?? {}).filter(([, value]) => value !== undefined)) as typeof given;
  const { steps, epochs, scheduleName, clip, saving, shaping, ...settings } = saved.settings;
  if (!scheduleName && options.schedule === undefined)
    throw new BadInput({
      problem: 'The run had a schedule function, which a checkpoint cannot hold',
      where: { file: saved.dir, key: 'schedule' },
      fix: 'pass the same schedule again',
    });
  if (options.steps !== undefined && options.steps < saved.step)
    throw new BadInput({
      problem: 'The run has gone further than that',
      where: { file: saved.dir, key: 'steps' },
      expected: `at least ${saved.step}, the steps done`,
      found: quote(options.steps),
      fix: 'leave steps out, or go on from an earlier checkpoint: give its folder step-…',
    });
  const length = options.steps !== undefined || options.epochs !== undefined ? {} : steps === undefined ? { epochs } : { steps };
  const schedule = options.schedule === undefined ? scheduleName : {};
  const loaded = options.model || saved.adapters ? undefined : await load(join(saved.dir, 'model'));
  if (!saved.adapters) refuseAdapters(options.model, saved.dir);
  const adapted = saved.adapters && (await readyForAdapters(options.model, saved.dir, saved.adapters));
  const model = options.model ?? loaded!;
  if (saved.evaluations.length > 0 && !options.evaluate && !oneOf(options.hooks).onEval) {
    warn('The run was evaluated on the way and will not be from here on: pass evaluate, or hooks with onEval, again');
    delete shaping.stopEarly;
    delete shaping.keepBest;
  }
  const checkpoint = { dir: dirname(resolve(saved.dir)), ...saving };
  try {
    const resumed = plan({ checkpoint, ...settings, ...shaping, ...length, ...schedule, clip: clip ?? false, ...options, model });
    saved.verify(resumed);
    if (!loaded) saved.restore(adapted ?? savedParameters(model));
    const resting = new Set(saved.resting);
    for (const parameter of model.parameters) if (resting.has(parameter.name)) parameter.trainable = false;
    return followed(resumed, new SftDriver(resumed, options.signal, saved), options.signal, saved);
  } catch (error) {
    // A model we loaded is nobody's when no run comes of it.
    loaded?.dispose();
    throw error;
  }
}

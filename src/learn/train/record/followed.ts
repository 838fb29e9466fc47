import type { Checkpointed } from '../checkpoints/index.js';
import type { RunLogger } from '../logs/logger.js';
import type { SftPlan } from '../options.js';
import { type Driver, Run } from '../run.js';
import { type Description, describe } from './describe.js';
import { readRecord } from './read.js';
import { Recorder } from './recorder.js';
import { WatchedDriver } from './watched.js';
import { type RecordPlace, recordPlace, refuseTaken } from './where.js';

/** The run of a plan, with the logs it asks for and its record; `resumed` where it goes on from a checkpoint. */
export function followed(plan: SftPlan, driver: Driver, signal: AbortSignal | undefined, resumed?: Checkpointed): Run {
  const { record, options } = plan;
  const logs = options.logs ?? [];
  const { history, evaluations, samples } = resumed ?? {};
  const state = { signal, history, evaluations, samples };
  if (!record && logs.length === 0) return new Run(driver, state);
  let described: Description | undefined;
  const description = () => {
    described ??= describe(plan, driver.total);
    return described;
  };
  const config = () => {
    const { config: _, ...model } = description().model;
    return { ...description().config, model };
  };
  if (record && !resumed) refuseTaken(record);
  const place = record && resumed ? ours(record, plan.name) : record;
  const watchers: RunLogger[] = place ? [recorder(place, plan, description), ...logs] : [...logs];
  return new Run(new WatchedDriver(driver, watchers, config, signal), state);
}

function recorder({ dir, folder, notes }: RecordPlace, plan: SftPlan, description: () => Description): Recorder {
  const { tokenizer, from } = plan.options;
  return new Recorder(dir, folder, { description, model: plan.model, tokenizer, notes, from });
}

/** The record a run goes on in; another one where a process that lives is writing into it. */
function ours(record: RecordPlace, name: string): RecordPlace {
  try {
    const { state, record: there } = readRecord(`${record.dir}/${record.folder}`);
    const { pid } = there.sessions.at(-1) ?? {};
    if (state === 'running' && pid !== process.pid) return { ...recordPlace(record.dir, name)!, notes: record.notes };
  } catch {
    // None is there, or none that can be read: it is begun here.
  }
  return record;
}

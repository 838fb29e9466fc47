import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BadInput } from '../../../base/core/index.js';
import type { Row } from '../../../prepare/data/index.js';
import { fromJinja, get, type Template } from '../../../prepare/templates/index.js';
import { Tokenizer } from '../../../prepare/tokens/index.js';
import { oneOf } from '../combine.js';
import type { SftOptions } from '../options.js';
import { constant, cosine, inverseSqrt, linear, polynomial, type Schedule, type ScheduleName, wsd } from '../schedules.js';
import type { TrainRow } from '../types.js';
import { hookTexts, tasksOf } from './describe.js';
import { hashRows, hashSchedule, hashTemplate, hashTokenizer } from './hashes.js';
import { fromPlain } from './held.js';
import { rebuiltOptimizer } from './optimizer.js';
import { type RecordedRun, readRecord } from './read.js';
import { FILES } from './recorder.js';

/** Something that a record names and does not hold. */
export interface Given {
  /** Option, e.g. 'rows' or 'evaluate.rows'. */
  key: string;
  /** In words: '512 rows of data/alpaca.json'. */
  what: string;
  /** What it must hash to, where that can be told. */
  sha256?: string;
  /** File it was read from. */
  file?: string;
}

/** The settings of a recorded run. */
export interface RecordedOptions {
  run: RecordedRun;
  /** What the record holds, ready for `train.sft({ ...options, model, rows })`. */
  options: Partial<SftOptions>;
  /** What must be given again. */
  given: Given[];
}

/**
 * The options of a recorded run: `const { options, given } = train.fromRecord('runs/2026-…')`. The tokenizer is in the record, templates
 * and optimizers are made anew where they come out the same; model, rows, hooks and functions are named in `given`.
 */
export function fromRecord(path: string): RecordedOptions {
  const run = readRecord(path);
  const given: Given[] = [];
  const held: [key: string, value: unknown][] = [];
  const options = fromPlain(run.record.options, (key, what) => {
    const made = remade(run, what);
    if (made === undefined) given.push(describeGiven(key, what));
    else held.push([key, made]);
  }) as Partial<SftOptions>;
  for (const [key, value] of held) Object.assign(options, { [key]: value });
  // Half an evaluation, or hooks without their functions, cannot be used.
  for (const key of ['evaluate', 'replay', 'hooks'] as const)
    if (given.some(missing => missing.key === key || missing.key.startsWith(`${key}.`))) delete options[key];
  return { run, options, given };
}

const SCHEDULES: Record<ScheduleName, (options: never) => Schedule> = {
  constant,
  linear,
  cosine,
  polynomial,
  'inverse-sqrt': inverseSqrt,
  wsd,
};

/** What a record describes well enough to make it anew. */
function remade(run: RecordedRun, held: Record<string, unknown>): unknown {
  try {
    if (held.$given === 'tokenizer') {
      const { json, config, options } = JSON.parse(readFileSync(join(run.folder, FILES.tokenizer), 'utf8')) as ReturnType<
        Tokenizer['parts']
      >;
      const tokenizer = Tokenizer.fromJSON(json, config, options);
      return hashTokenizer(tokenizer) === held.sha256 ? tokenizer : undefined;
    }
    if (held.$given === 'template') {
      const name = String(held.name);
      const template: Template = typeof held.source === 'string' ? fromJinja(held.source, { name }) : get(name);
      return hashTemplate(template) === held.sha256 ? template : undefined;
    }
    if (held.$given === 'optimizer') return rebuiltOptimizer(held);
    if (held.$given === 'schedule') {
      const make = SCHEDULES[held.name as ScheduleName] as (options: object) => Schedule;
      const schedule = make(held.options as object);
      return hashSchedule(schedule, run.total) === held.sha256 ? schedule : undefined;
    }
  } catch {
    // Then it is to be given again.
  }
  return undefined;
}

function describeGiven(key: string, held: Record<string, unknown>): Given {
  const { $given, count, file, name, names, sha256, streamed } = held;
  const parts = {
    rows: streamed ? 'a stream of rows' : `${count} rows${file ? ` of ${file}` : ''}`,
    model: 'the model with the weights the run started from',
    hooks: `hooks ${(names as string[] | undefined)?.join(', ')}`,
    schedule: 'the schedule, a function',
  } as Record<string, string>;
  return {
    key,
    what: parts[$given as string] ?? `${$given}${name ? ` ${name}` : ''}`,
    ...(typeof sha256 === 'string' && { sha256 }),
    ...(typeof file === 'string' && { file }),
  };
}

/**
 * Options with those of the record they name in `from` below them. What the record cannot hold must be among them, and must be what it
 * was.
 * @throws BadInput that lists all that is missing or another
 */
export function withRecorded({ from, ...overrides }: SftOptions): SftOptions {
  const { run, options: recorded, given } = fromRecord(from!);
  const options = { ...recorded };
  // One of two is enough, and ours counts.
  if (overrides.steps !== undefined || overrides.epochs !== undefined)
    for (const key of ['steps', 'epochs'] as const) delete options[key];
  if (overrides.schedule !== undefined && overrides.warmup === undefined) delete options.warmup;
  const merged = { ...options, ...overrides } as SftOptions;
  const missing = given.filter(({ key }) => merged[key.split('.')[0] as keyof SftOptions] === undefined);
  const where = { file: run.folder, key: 'from' };
  if (missing.length > 0)
    throw new BadInput({
      problem: 'The record of a run cannot hold everything',
      where,
      expected: missing.map(({ key, what }) => `${key} (${what})`).join(', '),
      fix: `give ${[...new Set(missing.map(({ key }) => key.split('.')[0]))].join(', ')} again`,
    });
  const other = differences(run, merged, given);
  if (other.length > 0)
    throw new BadInput({
      problem: `Not what the run was recorded with: ${other.join(', ')}`,
      where,
      expected: 'the same by SHA-256',
      fix: 'give what the run had; to train with its settings on something else: train.sft({ ...train.fromRecord(dir).options, model, rows })',
    });
  return { ...merged, from };
}

/** Which of the things given are not those recorded. */
export function differences({ record }: RecordedRun, options: SftOptions, given: readonly Given[]): string[] {
  const { hashes, total } = record;
  const { rows, replay, evaluate, template, tokenizer, schedule, hooks, model } = options;
  const same = (found: string | undefined, recorded: string | undefined) => recorded === undefined || found === recorded;
  const tasks = Object.fromEntries(evaluate ? tasksOf(evaluate.rows) : []);
  const hashOf = (part: readonly (Row | TrainRow)[] | undefined) => part && hashRows(part);
  const texts = hookTexts(oneOf(hooks));
  const asked = (key: string) => given.some(one => one.key === key || one.key.startsWith(`${key}.`));
  // Weights can only be compared with time: `rerun` does.
  const sizes = model.parameters?.reduce((sum, { size }) => sum + size, 0);
  return [
    sizes === undefined || sizes === record.model.size || `model (${sizes} weights in place of ${record.model.size})`,
    typeof rows === 'function' || same(hashOf(rows), hashes.rows) || 'rows',
    !asked('replay') || same(hashOf(replay?.rows), hashes.replay) || 'replay.rows',
    !asked('evaluate') ||
      Object.entries(hashes.heldOut ?? {}).every(([task, hash]) => same(hashOf(tasks[task]), hash)) ||
      'evaluate.rows',
    !asked('template') || same(typeof template === 'object' ? hashTemplate(template) : undefined, hashes.template) || 'template',
    !asked('tokenizer') || same(tokenizer && hashTokenizer(tokenizer), hashes.tokenizer) || 'tokenizer',
    !asked('schedule') ||
      same(typeof schedule === 'function' ? hashSchedule(schedule, total) : undefined, hashes.schedule) ||
      'schedule',
    !asked('hooks') || Object.entries(hashes.hooks ?? {}).every(([name, hash]) => same(texts[name], hash)) || 'hooks',
  ].filter(answer => typeof answer === 'string');
}

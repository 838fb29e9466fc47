import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type * as tf from '@tensorflow/tfjs-core';
import type { Parameter } from '../../../base/core/index.js';
import type { Row } from '../../../prepare/data/index.js';
import { get, type Template } from '../../../prepare/templates/index.js';
import type { Adapter } from '../../models/index.js';
import { partsOf } from '../combine.js';
import { HOOK_NAMES, type Hooks } from '../hooks.js';
import type { SftOptions, SftPlan } from '../options.js';
import { originOf } from '../schedules.js';
import type { TrainableModel, TrainRow } from '../types.js';
import { hashRows, hashSchedule, hashTemplate, hashTokenizer } from './hashes.js';
import { sha256, toPlain } from './held.js';
import type { RecordHashes, RecordModel, RunRecord } from './types.js';

/** What can be said of a run before it begins. */
export type Description = Pick<RunRecord, 'name' | 'total' | 'options' | 'config' | 'seeds' | 'model' | 'hashes'>;

/** Options and settings of a plan as plain JSON, with hashes of what these stand on. */
export function describe(plan: SftPlan, total: number): Description {
  const { options, seed, name } = plan;
  const hashes = hashesOf(plan, total);
  return {
    name,
    total,
    options: plainOptions(options, hashes),
    config: settingsOf(plan),
    seeds: { seed },
    model: describeModel(plan.model),
    hashes,
  };
}

type AnyRows = readonly (Row | TrainRow)[];
type RowsByTask = Readonly<Record<string, AnyRows>>;

function hashesOf({ options, rows, stream, hooks }: SftPlan, total: number): RecordHashes {
  const { template, tokenizer, evaluate, replay, schedule } = options;
  const heldOut = evaluate && tasksOf(evaluate.rows).map(([task, part]) => [task, hashRows(part)] as const);
  const functions = hookTexts(hooks);
  return {
    rows: stream ? 'streamed' : hashRows(options.rows as AnyRows),
    ...(!stream && { encoded: hashRows(rows) }),
    ...(replay && { replay: hashRows(replay.rows) }),
    ...(heldOut && { heldOut: Object.fromEntries(heldOut) }),
    ...(template && { template: hashTemplate(templateOf(template)) }),
    ...(tokenizer && { tokenizer: hashTokenizer(tokenizer) }),
    ...(typeof schedule === 'function' && { schedule: hashSchedule(schedule, total) }),
    ...(Object.keys(functions).length > 0 && { hooks: functions }),
  };
}

export function templateOf(template: Template | string): Template {
  return typeof template === 'string' ? get(template) : template;
}

export function tasksOf(rows: AnyRows | RowsByTask): [task: string, rows: AnyRows][] {
  return Array.isArray(rows) ? [['rows', rows as AnyRows]] : Object.entries(rows as RowsByTask);
}

/** SHA-256 of the text of every hook, and of what hooks say of themselves; what they close over is not in it. */
export function hookTexts(hooks: Hooks): Record<string, string> {
  const found: Record<string, string> = {};
  const parts = partsOf(hooks);
  // Hooks may be methods of a class.
  for (const name of HOOK_NAMES) {
    const texts = parts.filter(part => typeof part[name] === 'function').map(part => String(part[name]));
    if (texts.length > 0) found[name] = sha256(texts.join('\0'));
  }
  if (hooks.about) found.about = sha256(JSON.stringify(hooks.about));
  return found;
}

/** The options as given. What cannot be kept says what it was, so that it can be given again. */
function plainOptions(options: SftOptions, hashes: RecordHashes): Record<string, unknown> {
  const { model, rows, tokenizer, template, optimizer, schedule, hooks, evaluate, replay, ...rest } = options;
  // Of this process alone: where it is recorded and logged, and how it is stopped.
  const { signal: _s, record: _r, logs: _l, from: _f, ...settings } = rest;
  return {
    model: { $given: 'model' },
    rows: typeof rows === 'function' ? { $given: 'rows', streamed: true } : heldRows(rows, hashes.rows!),
    ...(tokenizer && { tokenizer: { $given: 'tokenizer', vocabSize: tokenizer.vocabSize, sha256: hashes.tokenizer } }),
    ...(template && { template: typeof template === 'string' ? template : heldTemplate(template, hashes.template!) }),
    ...(optimizer && {
      optimizer:
        typeof optimizer === 'string'
          ? optimizer
          : {
              $given: 'optimizer',
              name: optimizer.name,
              ...(optimizer.learningRate !== undefined && { learningRate: optimizer.learningRate }),
              settings: toPlain(optimizer.settings),
            },
    }),
    ...(schedule && {
      schedule:
        typeof schedule === 'function' ? { $given: 'schedule', ...originOf(schedule), sha256: hashes.schedule } : schedule,
    }),
    ...(hashes.hooks && { hooks: { $given: 'hooks', names: Object.keys(hashes.hooks).filter(name => name !== 'about') } }),
    ...(evaluate && { evaluate: { ...(toPlain({ ...evaluate, rows: 0 }) as object), rows: heldOut(evaluate.rows, hashes) } }),
    ...(replay && { replay: { ...replay, rows: heldRows(replay.rows, hashes.replay!) } }),
    ...(toPlain(settings) as object),
  };
}

function heldOut(rows: AnyRows | RowsByTask, { heldOut: found }: RecordHashes): unknown {
  const tasks = tasksOf(rows).map(([task, part]) => [task, heldRows(part, found![task]!)] as const);
  return Array.isArray(rows) ? tasks[0]![1] : Object.fromEntries(tasks);
}

function heldRows(rows: AnyRows, hash: string): unknown {
  const file = fileOf(rows);
  return { $given: 'rows', count: rows.length, sha256: hash, ...(file && { file }) };
}

/** The one file that all rows were read from. */
function fileOf(rows: AnyRows): string | undefined {
  const source = (rows[0] as Row | undefined)?.source;
  if (!source || !rows.every(row => (row as Row).source === source)) return undefined;
  return statSync(source, { throwIfNoEntry: false })?.isFile() ? resolve(source) : undefined;
}

function heldTemplate(template: Template, hash: string): unknown {
  const { source } = template as { source?: unknown };
  return { $given: 'template', name: template.name, sha256: hash, ...(typeof source === 'string' && { source }) };
}

/** The settings of a plan, defaults filled in. */
function settingsOf(plan: SftPlan): Record<string, unknown> {
  const { model: _m, rows, stream, options, encoding: _e, packed, optimizer, schedule, scheduleName, ...rest } = plan;
  const { replay, freeze: _f, hooks, heldOut: _o, shaping, checkpoint, record: _r, ...settings } = rest;
  const { tokenizer, template, maxLength, evaluate } = options;
  return {
    ...(stream ? { streamed: true } : { rows: rows.length }),
    ...(packed && { packed: toPlain(packed) }),
    ...(template && { template: templateOf(template).name }),
    ...(tokenizer && { vocabSize: tokenizer.vocabSize }),
    ...(maxLength !== undefined && { maxLength }),
    optimizer: { name: optimizer.name, ...(toPlain(optimizer.settings) as object) },
    ...(scheduleName ?? { schedule: toPlain(originOf(schedule)) ?? 'a function' }),
    ...(replay && { replay: { share: replay.share, rows: replay.rows.length } }),
    ...(hooks.about && { hooks: toPlain(hooks.about) }),
    ...(evaluate && { evaluate: toPlain({ ...evaluate, rows: undefined }) }),
    ...(checkpoint && { checkpoint: toPlain(checkpoint) }),
    ...(toPlain({ ...settings, ...shaping, record: undefined }) as object),
  };
}

/** What a model may say of itself beyond what training asks of it. */
interface TalkativeModel extends TrainableModel {
  readonly directory?: string;
  readonly adapters?: ReadonlyMap<string, Adapter>;
  readonly baseParameters?: readonly Parameter<tf.Tensor>[];
}

function describeModel(model: TalkativeModel): RecordModel {
  const sizeOf = (parameters: readonly Parameter<tf.Tensor>[]) => parameters.reduce((sum, { size }) => sum + size, 0);
  const adapters = Array.from(model.adapters?.values() ?? [], adapter => {
    const { name, kind } = adapter;
    return { name, kind, config: toPlain(adapter.toPeft().config) };
  });
  const type = (model.config as { modelType?: string } | undefined)?.modelType;
  return {
    ...(type && { type }),
    ...(model.directory && { directory: model.directory }),
    size: sizeOf(model.parameters),
    trainable: sizeOf(model.parameters.filter(({ trainable }) => trainable)),
    ...(adapters.length > 0 && { adapters }),
    ...(model.config && { config: toPlain(model.config) }),
  };
}

/** A model's own weights, and those of its adapters. */
export function weightsOf(model: TalkativeModel): Record<'base' | 'adapters', readonly Parameter<tf.Tensor>[]> {
  const base = model.baseParameters ?? model.parameters;
  const own = new Set(base);
  return { base, adapters: model.parameters.filter(parameter => !own.has(parameter)) };
}

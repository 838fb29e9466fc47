import { createHash, type Hash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import type { Parameter } from '../../../base/core/index.js';
import type { Message, Row } from '../../../prepare/data/index.js';
import type { Template } from '../../../prepare/templates/index.js';
import type { Tokenizer } from '../../../prepare/tokens/index.js';
import { hashFile } from '../checkpoints/folder.js';
import { isConversation } from '../rows.js';
import type { Schedule } from '../schedules.js';
import type { TrainRow } from '../types.js';
import { sha256 } from './held.js';
import type { WeightsHash } from './types.js';

/** What rows say, in their order: not where they came from. */
export function hashRows(rows: readonly (Row | TrainRow)[]): string {
  const hash = createHash('sha256');
  for (const row of rows) {
    if (isConversation(row)) {
      const { messages, tools, documents, task } = row;
      hash.update(`${JSON.stringify({ messages, tools, documents, task })}\n`);
    } else hashEncoded(hash, row);
  }
  return hash.digest('hex');
}

function hashEncoded(hash: Hash, { ids, labels, weights, segmentIds, task }: TrainRow): void {
  hash.update(Int32Array.from([ids.length, labels.length, ...ids, ...labels]));
  if (weights) hash.update('w').update(Float64Array.from(weights));
  if (segmentIds) hash.update('s').update(Int32Array.from(segmentIds));
  if (task !== undefined) hash.update(`t${task}\n`);
}

const turn = (role: 'system' | 'user' | 'assistant', content: string): Message => ({ role, content });
const [ask, answer] = [turn('user', 'What is 2 + 2? <|im_end|>'), turn('assistant', ' Four.\n')];
const PROBES: readonly Message[][] = [
  [ask, answer],
  [turn('system', 'Be brief.'), ask, answer],
  [ask, answer, turn('user', 'Sure?'), turn('assistant', 'Yes.')],
  [{ ...turn('user', 'Translate.'), input: 'Guten Tag' }, answer],
];

/** A template by its source where it has one, else by what it makes of four conversations. */
export function hashTemplate(template: Template): string {
  const { source } = template as { source?: unknown };
  if (typeof source === 'string') return sha256(source);
  const made = PROBES.flatMap(probe =>
    [probe, probe.slice(0, -1)].map((messages, prompt) => {
      try {
        return template.render(messages, { bosToken: '<s>', eosToken: '</s>', addGenerationPrompt: prompt === 1 });
      } catch {
        return 'refused';
      }
    }),
  );
  return sha256(JSON.stringify([template.boundary, template.stop, made]));
}

export function hashTokenizer(tokenizer: Tokenizer): string {
  return sha256(JSON.stringify(tokenizer.parts()));
}

/** A schedule by its values at 65 steps from the first to the last. */
export function hashSchedule(schedule: Schedule, total: number): string {
  const values = Array.from({ length: 65 }, (_, i) => schedule(Math.round((i / 64) * Math.max(0, total - 1)), total));
  return sha256(Float64Array.from(values));
}

/** Weights up to so many bytes are hashed whole: a fifth of a second at most. */
const WHOLE = 64 * 2 ** 20;
/** Of every weight of a larger model. */
const SAMPLE = 512;

/** The values of weights as they are now: all of small models, 512 of each weight of large ones. */
export async function hashWeights(parameters: readonly Parameter<tf.Tensor>[]): Promise<WeightsHash> {
  const whole = parameters.reduce((sum, { bytes }) => sum + bytes, 0) <= WHOLE;
  const hash = createHash('sha256');
  for (const parameter of parameters) {
    hash.update(`${parameter.name} ${parameter.shape.join('×')}\n`);
    const kept = tf.tidy(() => {
      const values = parameter.read();
      if (whole || parameter.size <= SAMPLE) return values;
      const at = Int32Array.from({ length: SAMPLE }, (_, i) => Math.floor((i * parameter.size) / SAMPLE));
      return tf.gather(tf.reshape(values, [parameter.size]), tf.tensor1d(at, 'int32'));
    });
    try {
      hash.update(await kept.data());
    } finally {
      kept.dispose();
    }
  }
  return { sha256: hash.digest('hex'), weights: parameters.length, ...(!whole && { sampled: SAMPLE }) };
}

/** What decides about a model in a folder. */
const MODEL_FILES = /^(config\.json|.*\.safetensors|.*\.safetensors\.index\.json)$/;

/** SHA-256 of the files of a model's folder. They are read piece by piece beside the run, a millisecond each. */
export async function hashModelFiles(dir: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(dir).sort()) if (MODEL_FILES.test(name)) found[name] = await hashFile(join(dir, name));
  return found;
}

import * as tf from '@tensorflow/tfjs-core';
import { BadInput, quote } from '../../../base/core/index.js';
import { fused, gather } from '../../../base/ops/index.js';
import type { Model } from '../model.js';
import { createParameter, type ModelParameter } from '../parameter.js';
import { HEAD } from '../reading.js';
import { baseWeight, isTied } from './base.js';
import type { PlannedTensor } from './format.js';

/** Token ids whose rows are trained: in the embedding, or by the name of the module (PEFT's `trainable_token_indices`). */
export type TokenIndices = readonly number[] | Readonly<Record<string, readonly number[]>>;

/** Rows of the embedding or the head, of which an adapter has trained copies. */
export interface TokenRows extends PlannedTensor {
  readonly ids: readonly number[];
  /** The weights whose rows they stand in place of: two where embedding and head share them. */
  readonly weights: readonly string[];
}

/** The rows a configuration names. Throws BadInput for tokens and modules that the model has not. */
export function tokenRows(model: Model, indices: TokenIndices | undefined): TokenRows[] {
  if (indices === undefined) return [];
  const embedding = model.vocabularyMatrices()[0]!;
  const named = isList(indices) ? [[embedding, indices] as const] : Object.entries(indices).map(byModule(model, embedding));
  const found = new Map<string, readonly number[]>();
  for (const [weight, ids] of named) {
    checkIds(ids, model.config.vocabSize);
    found.set(weight, ids);
  }
  const [rows, headRows] = [found.get(embedding), found.get(HEAD)];
  // PEFT: a head that shares the embedding's matrix learns with it, unless tokens of its own are named for it.
  const together = rows !== undefined && isTied(model) && (headRows === undefined || headRows.join() === rows.join());
  if (together) found.delete(HEAD);
  return [...found].map(([weight, ids]) => ({
    ids,
    weights: together ? [embedding, HEAD] : [weight],
    file: `base_model.model.${weight.replace(/weight$/, 'token_adapter.trainable_tokens_delta')}`,
    shape: [ids.length, model.config.hiddenSize],
  }));
}

/** Tokens as `trainTokens` names them, as PEFT does: where the head is a matrix of its own, its rows are named too. */
export function forBothEnds(model: Model, ids: readonly number[]): TokenIndices {
  if (isTied(model)) return ids;
  const modules = model.vocabularyMatrices().map(
    weight =>
      weight
        .replace(/\.weight$/, '')
        .split('.')
        .at(-1)!,
  );
  return Object.fromEntries(modules.map(module => [module, ids]));
}

/** Copies of the base's rows, or these values. */
export function createRows(
  model: Model,
  rows: TokenRows,
  name: string,
  values?: ReadonlyMap<string, Float32Array>,
): ModelParameter {
  const given = values?.get(rows.file);
  if (given) return createParameter(name, rows.shape, given);
  const own = tf.tidy(() => tf.gather(baseWeight(model, rows.weights[0]!)!.read(), tf.tensor1d([...rows.ids], 'int32')));
  try {
    return createParameter(name, rows.shape, own.dataSync() as Float32Array);
  } finally {
    own.dispose();
  }
}

/** A matrix with other rows in some places; differentiable by both. */
export function withRows(matrix: tf.Tensor2D, rows: tf.Tensor2D, ids: readonly number[]): tf.Tensor2D {
  const count = matrix.shape[0];
  const from = Int32Array.from({ length: count }, (_, i) => i);
  ids.forEach((id, k) => {
    from[id] = count + k;
  });
  return fused<tf.Tensor2D>([matrix, rows], () => ({
    value: gather(tf.concat([matrix, rows], 0), tf.tensor1d(from, 'int32')),
    gradient: dy => {
      const kept = tf.tensor2d(
        Float32Array.from(from, row => (row < count ? 1 : 0)),
        [count, 1],
      );
      return [tf.mul(dy, kept) as tf.Tensor2D, gather(dy, tf.tensor1d([...ids], 'int32'))];
    },
  }));
}

function isList(indices: TokenIndices): indices is readonly number[] {
  return Array.isArray(indices);
}

/** The weight of the module that a name ends like. */
function byModule(model: Model, embedding: string) {
  return ([module, ids]: [string, readonly number[]]): readonly [string, readonly number[]] => {
    const weight = [embedding, HEAD].find(weight => module !== '' && weight.endsWith(`${module}.weight`));
    if (weight) return [weight, ids];
    throw new BadInput({
      problem: 'Single tokens are trained in the embedding or the head, and this names neither',
      where: { key: 'trainTokens' },
      expected: [embedding, HEAD].map(weight => weight.replace(/\.weight$/, '')).join(' or '),
      found: `${quote(module)}, in a model of type ${model.config.modelType}`,
    });
  };
}

function checkIds(ids: readonly number[], vocabSize: number): void {
  const good = (id: unknown) => Number.isInteger(id) && (id as number) >= 0 && (id as number) < vocabSize;
  const whole = Array.isArray(ids) && ids.length > 0 && ids.every(good) && new Set(ids).size === ids.length;
  if (whole) return;
  throw new BadInput({
    problem: 'These are no tokens that could be trained',
    where: { key: 'trainTokens' },
    expected: `ids from 0 to ${vocabSize - 1}, each once`,
    found: quote(ids ?? null, 80),
    fix: 'for tokens that were added: models.resizeVocabulary(model, tokenizer) first',
  });
}

import * as tf from '@tensorflow/tfjs-core';
import { BadInput } from '../../../base/core/index.js';
import type { Model } from '../model.js';
import type { ModelParameter } from '../parameter.js';
import { untrainedRows } from '../untrained-tokens.js';
import { baseWeight } from './base.js';

/**
 * A tensor of an adapter's file that is none of the adapter's own. PEFT writes embedding and head along where they are targets or
 * were resized, and with them a second time what it keeps inside them.
 */
export type Carried =
  /** A weight of the base. */
  | { base: ModelParameter }
  /** The same numbers as another tensor of the file. */
  | { copyOf: string };

/** What a tensor that is not planned is; undefined for one that the model has no place for. */
export function carriedTensor(name: string, model: Model, planned: ReadonlyMap<string, unknown>): Carried | undefined {
  const own = name.replace(/\.modules_to_save(?=\.(weight|bias)$)/, '');
  if (own !== name && planned.has(own)) return { copyOf: own };
  // A tied head shows the embedding's rows.
  const rows = [...planned.keys()].find(key => key.endsWith('.token_adapter.trainable_tokens_delta'));
  if (rows !== undefined && name === 'base_model.model.lm_head.token_adapter.trainable_tokens_delta') return { copyOf: rows };
  if (!name.startsWith('base_model.model.')) return undefined;
  const inside = /\.(?:token_adapter\.)?(?:base_layer|original_module)(?=\.(weight|bias)$)/;
  const base = baseWeight(model, name.slice('base_model.model.'.length).replace(inside, ''));
  return base && { base };
}

/** Values that a 16-bit type rounded differ from the base's by this share. */
const ROUNDED = 2 ** -8;

/**
 * Whether a carried weight differs from the model's where it may: in rows of tokens that were only added, which begin with other numbers in
 * Python. Throws BadInput where it differs elsewhere.
 */
export function differs(
  model: Model,
  { name, shape }: ModelParameter,
  values: Float32Array,
  dtype: string,
  file: string,
): boolean {
  const tensor = baseWeight(model, name)!.read();
  const own = tensor.dataSync() as Float32Array;
  tf.dispose(tensor);
  const share = dtype === 'F32' ? 0 : ROUNDED;
  const width = values.length / shape[0]!;
  const rows = new Set<number>();
  values.forEach((value, i) => {
    if (!(Math.abs(value - own[i]!) <= share * Math.abs(own[i]!))) rows.add(Math.floor(i / width));
  });
  if (rows.size === 0) return false;
  const added = new Set(model.vocabularyMatrices().includes(name) ? untrainedRows(own, shape[0]!) : []);
  const other = [...rows].find(row => !added.has(row));
  if (other === undefined) return true;
  throw new BadInput({
    problem: 'The adapter brings a base weight of its own, which is not that of this model',
    where: { file, key: name },
    ...(added.size > 0 || shape.length === 2 ? { found: `another row ${other}` } : {}),
    fix: 'load it on the base it was trained on; for one whose embeddings were trained too, name them in modules_to_save',
  });
}

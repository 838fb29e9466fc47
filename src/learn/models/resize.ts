import { BadInput } from '../../base/core/index.js';
import type { Model } from './model.js';
import { createParameter, type ModelParameter } from './parameter.js';

export interface ResizeOptions {
  /**
   * What the rows of new tokens begin with. `mean` (the default) is the mean of the old rows (Hewitt 2021, what transformers'
   * `resize_token_embeddings` does up to its noise): new tokens then start with the average logit, and no other token loses
   * much of its probability. `zeros` gives them logit 0.
   */
  init?: 'mean' | 'zeros';
}

/**
 * Give the model rows for more tokens, e.g. after `tokenizer.addTokens`: in the embedding and, where it is a matrix of its
 * own, in the output head. The model is changed in place; its config says so and is saved with it. Old rows keep their
 * values. Do this before training: a run that was made before goes on with the old weights.
 * @param size the new number of tokens, or a tokenizer. For a tokenizer that the model has rows enough for nothing changes,
 * as many models have a few more rows than tokens; a smaller number cuts the last rows off.
 * @returns the model.
 */
export function resizeVocabulary(
  model: Model,
  size: number | { readonly vocabSize: number },
  options: ResizeOptions = {},
): Model {
  const { init = 'mean' } = options;
  const old = model.config.vocabSize;
  const wanted = typeof size === 'number' ? size : Math.max(size.vocabSize, old);
  if (!Number.isInteger(wanted) || wanted < 1)
    throw new BadInput({
      problem: 'This is no size of a vocabulary',
      expected: 'a tokenizer or a whole number from 1 up',
      found: String(wanted),
      fix: 'models.resizeVocabulary(model, tokenizer)',
    });
  if (init !== 'mean' && init !== 'zeros')
    throw new BadInput({ problem: 'Unknown init', expected: 'mean or zeros', found: String(init), fix: 'leave it out for mean' });
  if (wanted === old) return model;
  const resized = model.vocabularyMatrices().map(name => resize(model.parameter(name), wanted, init));
  model.replace(resized, { vocabSize: wanted });
  return model;
}

/** A weight [tokens, width] with another number of rows. */
function resize(parameter: ModelParameter, rows: number, init: 'mean' | 'zeros'): ModelParameter {
  const [old, width] = parameter.shape as [number, number];
  const tensor = parameter.read();
  const values = tensor.dataSync<'float32'>();
  tensor.dispose();
  const out = new Float32Array(rows * width);
  out.set(values.subarray(0, Math.min(old, rows) * width));
  if (init === 'mean' && rows > old) {
    const mean = new Float64Array(width);
    for (let i = 0; i < old * width; i++) mean[i % width]! += values[i]!;
    for (let i = old * width; i < out.length; i++) out[i] = mean[i % width]! / old;
  }
  const made = createParameter(parameter.name, [rows, width], out);
  made.trainable = parameter.trainable;
  return made;
}

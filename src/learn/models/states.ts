import * as tf from '@tensorflow/tfjs-core';
import { BadInput } from '../../base/core/index.js';
import { softcapped } from '../../base/ops/index.js';
import { attendWithin } from './attend.js';
import { type TrainBatch, unpad } from './batch.js';
import { type DecoderInput, decode } from './decoder.js';
import { DecoderModel } from './decoder-model.js';
import type { Model } from './model.js';
import { pack } from './packed.js';

/** What a model makes its predictions from, without gradients: see {@link predictors}. */
export interface Predictors {
  /** Hidden states of the positions that predict a labelled token, [labelled, hiddenSize], in the order of rows and tokens. */
  hidden: tf.Tensor2D;
  /** [vocabSize, hiddenSize]. */
  head: tf.Tensor2D;
  softcap: number | undefined;
}

/**
 * Hidden states of the positions that predict the labelled tokens of a batch, and the head: what comes before the logits, which for a
 * large vocabulary do not fit in memory together. Undefined for a batch without labels. The caller disposes both tensors.
 */
export function predictors(model: Model, batch: TrainBatch): Predictors | undefined {
  let found: Omit<Predictors, 'softcap'> | undefined;
  withNothingTrained(model, () => {
    const { numerator, gradients } = model.lossAndGradients(batch, {
      only: true,
      extra: ({ hidden, head }) => {
        found = { hidden: tf.keep(tf.clone(hidden)), head: tf.keep(tf.clone(head)) };
        return tf.scalar(0);
      },
    });
    tf.dispose([numerator, ...gradients]);
  });
  return found && { ...found, softcap: softcapOf(model) };
}

/** Logits of some of the positions of {@link predictors}: [positions, vocabSize]. */
export function logitsOf({ hidden, head, softcap }: Predictors): tf.Tensor2D {
  return tf.tidy(() => softcapped(tf.matMul(hidden, head, false, true) as tf.Tensor2D, softcap));
}

/** The cap of a model's logits, c · tanh(z / c), where it has one (Gemma 2). */
export function softcapOf({ config }: Model): number | undefined {
  return (config as { logitSoftcap?: number }).logitSoftcap;
}

/**
 * Show the hidden states of every layer of a decoder, inside one pass: `visit(0, …)` gets the embeddings, `visit(i, …)` what layer i gives,
 * [tokens, hiddenSize] with the tokens of all rows one after the other. Tensors are gone when `visit` returns. Adapters in use take part;
 * virtual tokens are left out.
 * @throws BadInput for an encoder–decoder
 */
export function hiddenStates(model: Model, ids: number[][], visit: (layer: number, states: tf.Tensor2D) => void): void {
  if (!(model instanceof DecoderModel))
    throw new BadInput({
      problem: 'Hidden states by layer are those of decoders: this model is an encoder–decoder',
      fix: 'compare its logits or its weights',
    });
  const { config } = model;
  const { rows } = unpad({ ids });
  tf.tidy(() => {
    const weights = model.readWeights(model.readValues());
    const packed = pack(rows, config, { virtualTokens: weights.virtualTokens, shared: false });
    const keep =
      packed.slots &&
      tf.tensor1d(
        rows.flat().map((_, i) => packed.place(i)),
        'int32',
      );
    let layer = 0;
    const show = (x: tf.Tensor2D) => tf.tidy(() => visit(layer, keep ? tf.gather(x, keep) : x));
    const input: DecoderInput = {
      ...packed,
      ...attendWithin(packed, config),
      recompute: (_, x, part) => {
        if (layer === 0) show(x);
        layer++;
        const next = part(x, weights);
        show(next);
        return next;
      },
    };
    try {
      decode(input, weights, config);
    } finally {
      packed.dispose();
    }
  });
}

/** Work with all weights at rest, so that a pass costs no gradient. */
function withNothingTrained(model: Model, work: () => void): void {
  const trained = model.parameters.filter(({ trainable }) => trainable);
  for (const parameter of trained) parameter.trainable = false;
  try {
    work();
  } finally {
    for (const parameter of trained) parameter.trainable = true;
  }
}

/** Take the adapters of a model out of use. Returns what puts them back, with what is trained as it was. */
export function restAdapters(model: Model): () => void {
  const names = [...model.inUse];
  if (names.length === 0) return () => {};
  const trained = model.parameters.map(({ trainable }) => trainable);
  model.use([]);
  return () => {
    model.use(names);
    model.parameters.forEach((parameter, i) => {
      parameter.trainable = trained[i]!;
    });
  };
}

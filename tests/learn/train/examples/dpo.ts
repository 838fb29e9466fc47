import * as tf from '@tensorflow/tfjs-core';
import type { Model } from '../../../../src/learn/models/index.js';
import * as train from '../../../../src/learn/train/index.js';

/** A prompt with the answer that is wanted and one that is not, encoded: labels are −100 on the prompt. */
export interface Pair {
  chosen: train.TrainRow;
  rejected: train.TrainRow;
}

export interface DpoOptions extends Omit<train.SftOptions, 'rows' | 'model'> {
  model: Model;
  pairs: readonly Pair[];
  /** How dear it is to leave the reference. Default 0.1. */
  beta?: number;
  /** Default: the model as it is before the first step. */
  reference?: Model;
}

/**
 * Direct preference optimisation (Rafailov et al. 2023): −log σ(β · [(log π − log π₀)(chosen) − (log π − log π₀)(rejected)]),
 * averaged over pairs. A pair is one packed row, so that both answers are in one batch whatever the order of rows.
 */
export function dpo({ pairs, beta = 0.1, model, reference = model, ...options }: DpoOptions): train.Run {
  const rows = pairs.map(({ chosen, rejected }) => ({
    ids: [...chosen.ids, ...rejected.ids],
    labels: [...chosen.labels, ...rejected.labels],
    segmentIds: [...chosen.ids.map(() => 1), ...rejected.ids.map(() => 2)],
  }));
  /** log π₀(chosen) − log π₀(rejected) of every pair. */
  const base = new Map<train.TrainRow, number>();

  const hooks: train.Hooks = {
    onStart: () => {
      for (const row of rows) {
        const [losses] = reference.tokenLosses({ ids: [row.ids], segmentIds: [row.segmentIds] });
        const terms = losses!.map((loss, i) => (row.labels[i] === -100 || Number.isNaN(loss) ? 0 : sign(row, i) * loss));
        base.set(row, -terms.reduce((a, b) => a + b, 0));
      }
    },
    objective(pass, { rows, tokens }) {
      const logits = pass.logits();
      const target = tf.oneHot(pass.labels, logits.shape[1]);
      const logp = tf.sum(tf.mul(tf.logSoftmax(logits), tf.cast(target, 'float32')), 1, true);
      // [pairs, tokens]: +1 on tokens of the pair's chosen answer, −1 on those of its rejected one.
      const signs = rows.map((row, r) => tokens.row.map((own, i) => (own === r ? sign(row, tokens.at[i]!) : 0)));
      const ours = tf.squeeze(tf.matMul(tf.tensor2d(signs), logp as tf.Tensor2D), [1]);
      const margins = tf.mul(tf.sub(ours, tf.tensor1d(rows.map(row => base.get(row)!))), beta);
      // −log σ(x) = softplus(−x).
      return { numerator: tf.sum(tf.softplus(tf.neg(margins))) as tf.Scalar, denominator: rows.length };
    },
  };
  return train.sft({ ...options, model, rows, hooks: [hooks, ...[options.hooks ?? []].flat()] });
}

function sign({ segmentIds }: train.TrainRow, at: number): number {
  return segmentIds![at] === 1 ? 1 : -1;
}

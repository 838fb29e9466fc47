import * as tf from '@tensorflow/tfjs-core';
import { BadInput, Interrupted, type Parameter, progress } from '../../../base/core/index.js';
import { batchOf } from '../../../prepare/tokens/index.js';
import type { TrainableModel, TrainRow } from '../types.js';
import { KeptWeights } from './kept.js';

/**
 * Diagonal of the Fisher information of a model on rows, by weight: the mean over tokens of the squared gradient of their log-likelihood,
 * taken row by row (the *empirical* Fisher, with the rows' own labels),
 *
 *     F = Σ_rows (∂ Σ_t log p(y_t | …) / ∂θ)² ÷ tokens
 *
 * so that ½ Σ F (θ − θ₀)² is what the diagonal has of the divergence from the base, to second order, in nats per token. One pass forward and back a row.
 */
export async function fisher(
  model: TrainableModel,
  rows: readonly TrainRow[],
  parameters: readonly Parameter<tf.Tensor>[],
  signal?: AbortSignal,
): Promise<KeptWeights> {
  const found = new KeptWeights();
  const bar = progress('Fisher information', { total: rows.length, unit: 'rows' });
  let tokens = 0;
  try {
    for (const [i, row] of rows.entries()) {
      if (signal?.aborted)
        throw new Interrupted({ problem: `the Fisher information was stopped after ${i} of ${rows.length} rows` });
      const { numerator, denominator, gradients } = model.lossAndGradients(batchOf([row]));
      numerator.dispose();
      tokens += denominator;
      parameters.forEach(({ name }, k) => {
        const before = found.get(name);
        found.put(
          name,
          tf.tidy(() => (before ? tf.add(before, tf.square(gradients[k]!)) : tf.square(gradients[k]!))),
        );
      });
      tf.dispose(gradients);
      bar.update(i + 1);
      // Interrupts and displays need their turn.
      await new Promise<void>(resolve => setImmediate(resolve));
    }
    for (const name of found.names) {
      const mean = tf.tidy(() => tf.div(found.get(name)!, tokens));
      found.put(name, mean);
    }
    await refuseNonFinite(found);
    return found;
  } catch (error) {
    found.dispose();
    throw error;
  } finally {
    bar.finish();
  }
}

async function refuseNonFinite(found: KeptWeights): Promise<void> {
  const sums = tf.tidy(() => tf.stack(found.names.map(name => tf.sum(found.get(name)!))));
  try {
    const bad = [...(await sums.data())].findIndex(sum => !Number.isFinite(sum));
    if (bad >= 0)
      throw new BadInput({
        problem: `The Fisher information of ${found.names[bad]} is not finite`,
        where: { key: 'rows' },
        fix: 'look for weights that are not finite, or rows of which the model makes a loss that is not',
      });
  } finally {
    sums.dispose();
  }
}

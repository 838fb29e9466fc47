import * as tf from '@tensorflow/tfjs-core';
import { fused } from '../../../base/ops/index.js';
import { logitsOf, type Predictors } from '../../models/index.js';

/** Whose expectation a divergence is: 'base' KL(base ‖ model), 'model' KL(model ‖ base). */
export type KlDirection = 'base' | 'model';

/** Logits held at once, in elements (64 MB): beyond it the positions are worked off in chunks. */
const CHUNK_ELEMENTS = 1 << 24;

/**
 * Σ_i factor_i · KL_i between the predictions of a model and of its base, exact over the vocabulary, with its gradient computed on the way, so
 * that the logits of all positions never exist together. With p the model's and q the base's probabilities of a position:
 *
 *     KL(q ‖ p) = Σ q (log q − log p),   dz = p − q
 *     KL(p ‖ q) = Σ p (log p − log q),   dz = p · (log p − log q − KL)
 *
 * and dh = dz · W, dW = dzᵀ · h; with a soft cap c dz is multiplied by 1 − (z/c)².
 *
 * @param base makes the base's side, outside the tape; what it gives is disposed
 * @param options.frozen the model's head is a constant
 */
export function linearKl(
  { hidden, head, softcap }: Predictors,
  base: () => Predictors,
  factors: readonly number[],
  { direction, frozen, chunk }: { direction: KlDirection; frozen?: boolean; chunk?: number },
): tf.Scalar {
  const size = chunk ?? Math.max(1, Math.floor(CHUNK_ELEMENTS / head.shape[0]));
  return fused<tf.Scalar>(frozen ? [hidden] : [hidden, head], save => {
    const other = base();
    const sums: tf.Scalar[] = [];
    const dHidden: tf.Tensor2D[] = [];
    let dHead: tf.Tensor2D | undefined;
    for (let start = 0; start < factors.length; start += size) {
      const count = Math.min(size, factors.length - start);
      const part = tf.tidy(() => {
        const h = rowsOf(hidden, start, count);
        const z = logitsOf({ hidden: h, head, softcap });
        const logp = tf.logSoftmax(z);
        const logq = tf.logSoftmax(logitsOf({ ...other, hidden: rowsOf(other.hidden, start, count) }));
        const factor = tf.tensor2d(factors.slice(start, start + count), [count, 1]);
        const [p, q] = [tf.exp(logp), tf.exp(logq)];
        const gap = tf.sub(logp, logq);
        const kl = direction === 'base' ? tf.neg(tf.sum(tf.mul(q, gap), 1, true)) : tf.sum(tf.mul(p, gap), 1, true);
        const slope = direction === 'base' ? tf.sub(p, q) : tf.mul(p, tf.sub(gap, kl));
        let dz = tf.mul(slope, factor) as tf.Tensor2D;
        if (softcap) dz = tf.mul(dz, tf.sub(1, tf.square(tf.div(z, softcap))));
        const dW = frozen ? undefined : tf.matMul(dz, h, true, false);
        return [tf.sum(tf.mul(kl, factor)), tf.matMul(dz, head), ...(dW ? [dHead ? tf.add(dHead, dW) : dW] : [])];
      });
      sums.push(part[0] as tf.Scalar);
      dHidden.push(part[1] as tf.Tensor2D);
      dHead?.dispose();
      dHead = part[2] as tf.Tensor2D | undefined;
    }
    tf.dispose([other.hidden, other.head]);
    const dh = dHidden.length === 1 ? dHidden[0]! : tf.concat(dHidden, 0);
    if (dHead) save(dh, dHead);
    else save(dh);
    return { value: tf.addN(sums) as tf.Scalar, gradient: (dy, saved) => saved.map(d => tf.mul(d, dy)) };
  });
}

function rowsOf(x: tf.Tensor2D, start: number, count: number): tf.Tensor2D {
  return count === x.shape[0] ? x : tf.slice(x, [start, 0], [count, x.shape[1]]);
}

import * as tf from '@tensorflow/tfjs-core';
import { native } from '../backend/index.js';
import { fused } from './fused.js';
import { matmul } from './matmul.js';
import { crossEntropyFused } from './native/fused.js';
import { softmaxCrossEntropyKernel } from './native/kernels.js';
import { softcapped } from './softcap.js';

/** Logits held at once, in elements (64 MB): beyond it the positions are worked off in chunks. */
const CHUNK_ELEMENTS = 1 << 24;

/** What {@link linearCrossEntropy} may be told. */
export interface LinearCrossEntropyOptions {
  /** The head is a constant. */
  frozen?: boolean;
  /** Positions worked off at once. */
  chunk?: number;
  softcap?: number;
  /** Label smoothing, from 0 to below 1. */
  smoothing?: number;
  observe?: (seen: SeenTokens) => void;
}

/** What {@link linearCrossEntropy} shows of a chunk of positions, inside its forward pass: keep (`tf.keep`) what is to outlive the call. */
export interface SeenTokens {
  /** Loss of every position, without its weight. */
  losses: tf.Tensor1D;
  /** [positions, vocabulary]. */
  logits: tf.Tensor2D;
  labels: tf.Tensor1D;
}

/**
 * Σ_i weight_i · (logsumexp(z_i) − z_i[label_i]) with z = h · Wᵀ: the sum of weighted token losses, in nats.
 * The logits of all positions never exist together, and the gradient is computed on the way.
 *
 * Gradient: dz_i = weight_i · (softmax(z_i) − onehot(label_i)); dh = dz · W, dW = dzᵀ · h.
 *
 * @param hidden [positions, width], labelled positions only
 * @param head [vocabulary, width]
 * @param labels int32 [positions]
 * @param weights [positions]
 * With a soft cap c (Gemma 2), z = c · tanh(h · Wᵀ / c), and dz is multiplied by 1 − (z/c)².
 *
 * With label smoothing ε (Szegedy et al. 2016, as `torch.nn.functional.cross_entropy`) the target is 1 − ε on the label and ε/V on
 * every token: the loss becomes logsumexp(z_i) − (1−ε) z_i[label_i] − ε mean(z_i), dz_i = softmax(z_i) − (1−ε) onehot − ε/V.
 *
 * @param options `frozen`: the head is a constant; `softcap`, `smoothing`: see above; `observe` is shown every chunk
 */
export function linearCrossEntropy(
  hidden: tf.Tensor2D,
  head: tf.Tensor2D,
  labels: tf.Tensor1D,
  weights: tf.Tensor1D,
  options: LinearCrossEntropyOptions = {},
): tf.Scalar {
  const chunk = options.chunk ?? Math.max(1, Math.floor(CHUNK_ELEMENTS / head.shape[0]));
  return fused<tf.Scalar>(options.frozen ? [hidden] : [hidden, head], save => {
    const losses: tf.Scalar[] = [];
    const dHidden: tf.Tensor2D[] = [];
    let dHead: tf.Tensor2D | undefined;
    for (const [h, label, weight] of chunks(chunk, hidden, labels, weights)) {
      const part = tf.tidy(() => {
        const z = softcapped(matmul(h, head, false, true), options.softcap);
        const { loss, weighted } = weightedCrossEntropy(z, label, weight, options.smoothing);
        options.observe?.({ losses: loss, logits: z, labels: label });
        let dz = weighted;
        if (options.softcap) dz = tf.mul(dz, tf.sub(1, tf.square(tf.div(z, options.softcap))));
        const dW = options.frozen ? undefined : matmul(dz, h, true, false);
        const sum = dHead && dW ? tf.add(dHead, dW) : dW;
        const result: tf.Tensor[] = [tf.sum(tf.mul(loss, weight)), matmul(dz, head)];
        return sum ? [...result, sum] : result;
      });
      losses.push(part[0] as tf.Scalar);
      dHidden.push(part[1] as tf.Tensor2D);
      dHead?.dispose();
      dHead = part[2] as tf.Tensor2D | undefined;
    }
    const dh = dHidden.length === 1 ? dHidden[0]! : tf.concat(dHidden, 0);
    if (dHead) save(dh, dHead);
    else save(dh);
    return {
      value: losses.length === 1 ? losses[0]! : (tf.addN(losses) as tf.Scalar),
      gradient: (dy, saved) => saved.map(d => tf.mul(d, dy)),
    };
  });
}

/** The loss of every position, [positions], in nats. For evaluation: no gradient. */
export function tokenCrossEntropy(
  hidden: tf.Tensor2D,
  head: tf.Tensor2D,
  labels: tf.Tensor1D,
  options: { chunk?: number; softcap?: number } = {},
): tf.Tensor1D {
  const { chunk = Math.max(1, Math.floor(CHUNK_ELEMENTS / head.shape[0])), softcap } = options;
  return tf.tidy(() => {
    const losses: tf.Tensor1D[] = [];
    for (const [h, label] of chunks(chunk, hidden, labels, labels))
      losses.push(tf.tidy(() => softmaxCrossEntropy(softcapped(matmul(h, head, false, true), softcap), label).loss));
    return losses.length === 1 ? losses[0]! : tf.concat(losses, 0);
  });
}

function* chunks(
  size: number,
  hidden: tf.Tensor2D,
  labels: tf.Tensor1D,
  weights: tf.Tensor1D,
): Generator<[tf.Tensor2D, tf.Tensor1D, tf.Tensor1D]> {
  const [count, width] = hidden.shape;
  if (count <= size) return yield [hidden, labels, weights];
  for (let start = 0; start < count; start += size) {
    const n = Math.min(size, count - start);
    yield [tf.slice(hidden, [start, 0], [n, width]), tf.slice(labels, start, n), tf.slice(weights, start, n)];
  }
}

/** Loss of every position, and the gradient of the weighted losses. */
function weightedCrossEntropy(
  z: tf.Tensor2D,
  labels: tf.Tensor1D,
  weights: tf.Tensor1D,
  smoothing = 0,
): { loss: tf.Tensor1D; weighted: tf.Tensor2D } {
  const door = native();
  if (door?.fused && smoothing === 0) return crossEntropyFused(door, z, labels, weights);
  const { loss, gradient } = smoothed(softmaxCrossEntropy(z, labels), z, labels, smoothing);
  return { loss, weighted: tf.mul(gradient, tf.expandDims(weights, 1)) as tf.Tensor2D };
}

/** loss = logsumexp(z) − z[label] and its gradient softmax(z) − onehot(label), by rows. On native one kernel gives both. */
function softmaxCrossEntropy(z: tf.Tensor2D, labels: tf.Tensor1D): { loss: tf.Tensor1D; gradient: tf.Tensor2D } {
  const door = native();
  if (door) return softmaxCrossEntropyKernel(door, z, labels);
  const shifted = tf.sub(z, tf.max(z, 1, true));
  const e = tf.exp(shifted);
  const sum = tf.sum(e, 1, true);
  // Cast, not dtype: oneHot to float writes integer bits on the wasm backend.
  const hot = tf.cast(tf.oneHot(labels, z.shape[1]), 'float32');
  const loss = tf.sub(tf.log(tf.squeeze(sum, [1])), tf.sum(tf.mul(shifted, hot), 1));
  return { loss: loss as tf.Tensor1D, gradient: tf.sub(tf.div(e, sum), hot) as tf.Tensor2D };
}

/** Loss and gradient with label smoothing: ε · (z[label] − mean(z)) is added to the loss, ε · (onehot − 1/V) to the gradient. */
function smoothed(
  plain: { loss: tf.Tensor1D; gradient: tf.Tensor2D },
  z: tf.Tensor2D,
  labels: tf.Tensor1D,
  smoothing = 0,
): { loss: tf.Tensor1D; gradient: tf.Tensor2D } {
  if (smoothing === 0) return plain;
  const vocabulary = z.shape[1];
  const change = tf.mul(tf.sub(tf.cast(tf.oneHot(labels, vocabulary), 'float32'), 1 / vocabulary), smoothing) as tf.Tensor2D;
  return {
    loss: tf.add(plain.loss, tf.sum(tf.mul(z, change), 1)),
    gradient: tf.add(plain.gradient, change),
  };
}

import * as tf from '@tensorflow/tfjs-core';
import type { NativeOps, OpAttr } from '../../backend/index.js';

/**
 * Our own TensorFlow kernels (backend/fused/kernels.cc): one pass over memory and one call where TensorFlow's ops make many.
 * Callers ask `door.fused` first. None is seen by the gradient tape.
 */

/** y = (offset + w) ∘ x · r and r = (mean(x²) + ε)^−½, [tokens]. */
export function rmsNormFused(
  { attr, executeMany }: NativeOps,
  x: tf.Tensor2D,
  weight: tf.Tensor1D,
  epsilon: number,
  offset: number,
): { y: tf.Tensor2D; r: tf.Tensor1D } {
  const attrs = [attr.float('eps', epsilon), attr.float('offset', offset)];
  const [y, r] = executeMany('TunebookRmsNorm', attrs, [x, weight], 2);
  return { y: y as tf.Tensor2D, r: r as tf.Tensor1D };
}

/** Its gradient: dx, and dw unless the weight is frozen. */
export function rmsNormGradFused(
  { attr, executeMany }: NativeOps,
  dy: tf.Tensor2D,
  x: tf.Tensor,
  weight: tf.Tensor,
  r: tf.Tensor,
  options: { offset: number; frozen: boolean },
): tf.Tensor[] {
  const attrs = [attr.float('offset', options.offset), attr.int('frozen', options.frozen ? 1 : 0)];
  const [dx, dw] = executeMany('TunebookRmsNormGrad', attrs, [dy, x, weight, r], 2);
  if (!options.frozen) return [dx!, dw!];
  dw!.dispose();
  return [dx!];
}

/**
 * Every head's halves a, b turned: a · cos − b · sin, b · cos + a · sin; `back` turns the other way. What of a head is not turned
 * is multiplied with `pass`.
 * @param cosine and sine: [tokens, turned/2]
 */
export function ropeFused(
  { attr, execute }: NativeOps,
  x: tf.Tensor2D,
  cosine: tf.Tensor,
  sine: tf.Tensor,
  options: { heads: number; back: boolean; pass: number },
): tf.Tensor2D {
  const { heads, back, pass } = options;
  const attrs = [attr.float('pass', pass), attr.int('heads', heads), attr.int('back', back ? 1 : 0)];
  return execute('TunebookRope', attrs, [x, cosine, sine]) as tf.Tensor2D;
}

/** y = w ∘ (x − mean(x)) · r + b and r = (var(x) + ε)^−½; mean and r are [tokens]. */
export function layerNormFused(
  { attr, executeMany }: NativeOps,
  x: tf.Tensor2D,
  weight: tf.Tensor1D,
  bias: tf.Tensor1D,
  epsilon: number,
): { y: tf.Tensor2D; mean: tf.Tensor1D; r: tf.Tensor1D } {
  const [y, mean, r] = executeMany('TunebookLayerNorm', [attr.float('eps', epsilon)], [x, weight, bias], 3);
  return { y: y as tf.Tensor2D, mean: mean as tf.Tensor1D, r: r as tf.Tensor1D };
}

/**
 * Its gradient: dx, and dw and db unless the weights are frozen.
 * @param inputs gradient of the output, x, weight, mean, r
 */
export function layerNormGradFused({ attr, executeMany }: NativeOps, inputs: tf.Tensor[], frozen: boolean): tf.Tensor[] {
  const all = executeMany('TunebookLayerNormGrad', [attr.int('frozen', frozen ? 1 : 0)], inputs, 3);
  if (!frozen) return all;
  tf.dispose(all.slice(1));
  return all.slice(0, 1);
}

/** Units that have a kernel, by its number. */
export const UNITS = { silu: 0, quick_gelu: 1, gelu_new: 2, gelu: 3 } as const;
export type FusedUnit = keyof typeof UNITS;

export function isFusedUnit(kind: string): kind is FusedUnit {
  return Object.hasOwn(UNITS, kind);
}

/** f(x), or f(gate) ∘ up where the inputs are two. */
export function unitFused({ attr, execute }: NativeOps, kind: FusedUnit, inputs: tf.Tensor2D[]): tf.Tensor2D {
  const op = inputs.length === 2 ? 'TunebookGatedUnit' : 'TunebookUnit';
  return execute(op, [attr.int('kind', UNITS[kind])], inputs) as tf.Tensor2D;
}

/** Its gradients by every input. */
export function unitGradFused(
  { attr, executeMany }: NativeOps,
  kind: FusedUnit,
  dy: tf.Tensor2D,
  inputs: tf.Tensor[],
): tf.Tensor[] {
  const op = inputs.length === 2 ? 'TunebookGatedUnitGrad' : 'TunebookUnitGrad';
  return executeMany(op, [attr.int('kind', UNITS[kind])], [dy, ...inputs], inputs.length);
}

/** Heads of {@link attentionFused}; a window of 0 is none. */
export interface AttentionShape {
  heads: number;
  keyHeads: number;
  window: number;
}

/**
 * Causal attention of rows that lie one after the other, and log Σ exp of every query's scores, [tokens, heads].
 * @param inputs queries (scaled), keys, values
 * @param starts int32 [rows + 1]
 */
export function attentionFused(
  door: NativeOps,
  inputs: tf.Tensor[],
  starts: tf.Tensor1D,
  shape: AttentionShape,
): { out: tf.Tensor2D; logSum: tf.Tensor2D } {
  const [out, logSum] = door.executeMany('TunebookAttention', attentionAttrs(door, shape), [...inputs, starts], 2);
  return { out: out as tf.Tensor2D, logSum: logSum as tf.Tensor2D };
}

/**
 * Its gradients by queries, keys and values.
 * @param inputs gradient of the output, queries, keys, values, output, log sums
 */
export function attentionGradFused(
  door: NativeOps,
  inputs: tf.Tensor[],
  starts: tf.Tensor1D,
  shape: AttentionShape,
): tf.Tensor[] {
  return door.executeMany('TunebookAttentionGrad', attentionAttrs(door, shape), [...inputs, starts], 3);
}

/**
 * Attention of one new token a row to its own and earlier ones' keys and values, [rows · keyHeads, slots, headDim], and log Σ exp of
 * every query's scores, [rows, heads].
 * @param queries [rows, heads · headDim], scaled
 * @param positions of the new tokens, whose keys and values stand in the slots of these numbers: int32 [rows]
 */
export function cachedAttentionFused(
  door: NativeOps,
  queries: tf.Tensor2D,
  keys: tf.Tensor3D,
  values: tf.Tensor3D,
  positions: tf.Tensor1D,
  shape: AttentionShape,
): { out: tf.Tensor2D; logSum: tf.Tensor2D } {
  const inputs = [queries, keys, values, positions];
  const [out, logSum] = door.executeMany('TunebookCachedAttention', attentionAttrs(door, shape), inputs, 2);
  return { out: out as tf.Tensor2D, logSum: logSum as tf.Tensor2D };
}

/**
 * Attention goes on over keys that come before the others and are the same for every query.
 * @param inputs queries (scaled), [tokens, heads · headDim]; the result so far and log Σ exp of its scores, [tokens, heads]; keys and
 * values, [keyHeads, count, headDim]
 * @param positions every query's, counted from the first of these keys: int32 [tokens]
 */
export function sharedAttentionFused(
  door: NativeOps,
  inputs: tf.Tensor[],
  positions: tf.Tensor1D,
  shape: AttentionShape,
): tf.Tensor2D {
  return door.execute('TunebookSharedAttention', attentionAttrs(door, shape), [...inputs, positions]) as tf.Tensor2D;
}

/** op(a) · op(b) for matrices of any size, where op transposes when asked. */
export function matMulFused(
  { attr, execute }: NativeOps,
  a: tf.Tensor2D,
  b: tf.Tensor2D,
  transposeA: boolean,
  transposeB: boolean,
): tf.Tensor2D {
  const attrs = [attr.int('turn_a', transposeA ? 1 : 0), attr.int('turn_b', transposeB ? 1 : 0)];
  return execute('TunebookMatMul', attrs, [a, b]) as tf.Tensor2D;
}

/** What {@link productsFused} works on beside the rows; what is absent is left out. */
export interface ProductParts {
  /** [out, in] each, beside each other; [in, out] where `transposed`. */
  matrices: readonly tf.Tensor2D[];
  transposed?: boolean;
  /** One for every matrix. */
  biases?: readonly tf.Tensor1D[];
  /** Of the rows, before the products: by root mean square, or with a bias a layer norm. */
  norm?: { weight: tf.Tensor1D; bias?: tf.Tensor1D; epsilon: number; offset?: 0 | 1 };
  /** Behind the products; gated: f(first half of the columns) ∘ second half. */
  unit?: { kind: FusedUnit; gated: boolean };
  /** Added in the end. */
  residual?: tf.Tensor2D;
}

/** y = residual + f(norm(x) · [W₁ … Wₙ]ᵀ + b) for few rows: reads every matrix once. */
export function productsFused({ attr, execute }: NativeOps, x: tf.Tensor2D, parts: ProductParts): tf.Tensor2D {
  const { matrices, biases = [], norm, unit, residual } = parts;
  const inputs: tf.Tensor[] = [x];
  if (norm) inputs.push(norm.weight);
  if (norm?.bias) inputs.push(norm.bias);
  inputs.push(...matrices, ...biases);
  if (residual) inputs.push(residual);
  const flag = (name: string, set: unknown) => attr.int(name, set ? 1 : 0);
  const attrs = [
    attr.int('N', inputs.length - 1),
    attr.int('matrices', matrices.length),
    attr.int('norm', norm ? (norm.bias ? 2 : 1) : 0),
    flag('biased', biases.length > 0),
    flag('residual', residual),
    flag('transposed', parts.transposed),
    attr.int('unit', unit ? UNITS[unit.kind] : -1),
    flag('gated', unit?.gated),
    attr.float('eps', norm?.epsilon ?? 0),
    attr.float('offset', norm?.offset ?? 0),
  ];
  return execute('TunebookProducts', attrs, inputs) as tf.Tensor2D;
}

/** How {@link attentionStepFused} makes queries and keys. */
export interface AttentionStepParts extends AttentionShape {
  /** Factor of the scores. */
  scale: number;
  /** Every head of queries and keys is normed by its root mean square. */
  norms?: { query: tf.Tensor1D; key: tf.Tensor1D; epsilon: number; offset: number };
  /** Cosines and sines of the rotation to the positions, [rows, turned/2]. */
  rotation?: { cos: tf.Tensor2D; sin: tf.Tensor2D };
  /** What all rows have before their own keys and values, [keyHeads, count, headDim] each: positions count from behind it. */
  shared?: { keys: tf.Tensor3D; values: tf.Tensor3D };
}

/**
 * {@link cachedAttentionFused} from projections: norms and rotates queries and keys, and writes keys and values into their slots.
 * @param projections queries, keys and values beside each other, [rows, (heads + 2 · keyHeads) · headDim]
 */
export function attentionStepFused(
  door: NativeOps,
  projections: tf.Tensor2D,
  keys: tf.Tensor3D,
  values: tf.Tensor3D,
  positions: tf.Tensor1D,
  parts: AttentionStepParts,
): tf.Tensor2D {
  const { norms, rotation, shared, scale } = parts;
  const more = [
    ...(norms ? [norms.query, norms.key] : []),
    ...(rotation ? [rotation.cos, rotation.sin] : []),
    ...(shared ? [shared.keys, shared.values] : []),
  ];
  const { attr } = door;
  const attrs = [
    attr.int('N', more.length),
    ...attentionAttrs(door, parts),
    attr.int('normed', norms ? 1 : 0),
    attr.int('turned', rotation ? 1 : 0),
    attr.int('shared', shared ? 1 : 0),
    attr.float('scale', scale),
    attr.float('eps', norms?.epsilon ?? 0),
    attr.float('offset', norms?.offset ?? 0),
  ];
  return door.execute('TunebookAttentionStep', attrs, [projections, keys, values, positions, ...more]) as tf.Tensor2D;
}

function attentionAttrs({ attr }: NativeOps, { heads, keyHeads, window }: AttentionShape): OpAttr[] {
  return [attr.int('heads', heads), attr.int('key_heads', keyHeads), attr.int('window', window)];
}

/** Loss of every row of logits, and the gradient of the weighted losses. */
export function crossEntropyFused(
  { executeMany }: NativeOps,
  logits: tf.Tensor2D,
  labels: tf.Tensor1D,
  weights: tf.Tensor1D,
): { loss: tf.Tensor1D; weighted: tf.Tensor2D } {
  const [loss, weighted] = executeMany('TunebookCrossEntropy', [], [logits, labels, weights], 2);
  return { loss: loss as tf.Tensor1D, weighted: weighted as tf.Tensor2D };
}

/** Σ x² of every tensor, [tensors]. */
export function sumsOfSquaresFused({ attr, execute }: NativeOps, tensors: readonly tf.Tensor[]): tf.Tensor1D {
  return execute('TunebookSumsOfSquares', [attr.int('N', tensors.length)], tensors) as tf.Tensor1D;
}

/**
 * One step of AdamW, in place.
 * @param settings factor of the gradients, 1 − β₁, β₂, 1 − β₂, 1/√(1 − β₂ᵗ), ε: [6]
 * @param rates by weight what decay leaves of it, and the step size: [weights, 2]
 */
export function adamWFused(
  { attr, executeMany }: NativeOps,
  settings: tf.Tensor1D,
  rates: tf.Tensor2D,
  targets: readonly Record<'weight' | 'mean' | 'square' | 'gradient', tf.Tensor>[],
): void {
  const lists = (['weight', 'mean', 'square', 'gradient'] as const).flatMap(part => targets.map(target => target[part]));
  executeMany('TunebookAdamW', [attr.int('N', targets.length)], [settings, rates, ...lists], 0);
}

/** Write values into a tensor from element `index · size` on, where it lies: whatever shares its memory changes too. */
export function placeFused({ executeMany }: NativeOps, target: tf.Tensor, values: tf.Tensor, index: number, size: number): void {
  const at = tf.tensor1d([index, size], 'int32');
  executeMany('TunebookPlace', [], [target, values, at], 0);
  at.dispose();
}

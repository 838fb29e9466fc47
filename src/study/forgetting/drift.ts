import * as tf from '@tensorflow/tfjs-core';
import { EVD, Matrix } from 'ml-matrix';
import { BadInput, Interrupted, type Parameter, progress, setView } from '../../base/core/index.js';
import { sameShapes } from '../../learn/models/index.js';
import { effectiveWeights } from './effective-weights.js';
import { checkPair, notFinite, type Pair } from './pair.js';

/** How far one weight went. */
export interface WeightDrift {
  /** Its Hugging Face name. */
  name: string;
  shape: number[];
  /** ‖θ − θ₀‖ ÷ ‖θ₀‖; Infinity for one that was zero and is not. */
  drift: number;
  /** Effective rank of the change of a matrix: see {@link drift}. Undefined for vectors and matrices beyond `largest`; 0 where nothing changed. */
  rank?: number;
}

/** Options of {@link drift}. */
export interface DriftOptions extends Pair {
  /** Share of Σσ² that the effective rank holds. Default 0.9. */
  energy?: number;
  /** Of matrices whose smaller side is longer, no rank is computed, but for that of a LoRA: the time grows with its cube (1,024: seconds
   * each). Default 1024. */
  largest?: number;
  signal?: AbortSignal;
}

/** Result of {@link drift}: an array that shows itself as a map of the weights. */
export class Drift extends Array<WeightDrift> {
  // Without this, map and filter would make Drifts of whatever they return.
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }
}

setView(Drift, rows => ({ kind: 'drift', data: rows.map(({ name, drift }) => ({ name, drift })) }));

/**
 * How far every weight is from the base, and in how many directions: the least r with Σ_{i≤r} σᵢ² ≥ 0.9 Σ σᵢ², σ being the singular
 * values of the change of a matrix. Adapters in use are folded in; the rank of a LoRA's change is that of its factors.
 * @throws BadInput for models with other weights, and adapters that are no change of weights
 */
export async function drift(options: DriftOptions): Promise<Drift> {
  const { base, tuned, energy = 0.9, largest = 1024, signal } = options;
  checkPair(options);
  sameShapes(base, tuned);
  if (!(energy > 0 && energy <= 1))
    throw new BadInput({
      problem: '"energy" is not usable',
      where: { key: 'energy' },
      expected: 'above 0, at most 1',
      found: String(energy),
    });
  const then = base === tuned ? undefined : effectiveWeights(base);
  const now = effectiveWeights(tuned);
  const rows = new Drift();
  const bar = progress('drift of the weights', { total: tuned.baseParameters.length, unit: 'weights' });
  try {
    for (const [i, { name, shape }] of tuned.baseParameters.entries()) {
      if (signal?.aborted) throw new Interrupted({ problem: `measuring the drift was stopped after ${i} weights` });
      const before = then ? then.read(name) : tuned.parameter(name).read();
      const after = now.read(name);
      const change = tf.sub(after, before);
      const [from, way] = [norm(before), norm(change)];
      tf.dispose([before, after]);
      let rank: number | undefined;
      try {
        if (!Number.isFinite(from + way)) throw notFinite(name);
        if (shape.length === 2) {
          const small = Math.min(...shape) <= largest;
          const squares = spectrum(options, name) ?? (small ? gramSpectrum(change as tf.Tensor2D) : undefined);
          rank = squares && rankOf(squares, energy);
        }
      } finally {
        change.dispose();
      }
      rows.push({
        name,
        shape: [...shape],
        drift: from > 0 ? way / from : way > 0 ? Number.POSITIVE_INFINITY : 0,
        ...(rank !== undefined && { rank }),
      });
      bar.update(i + 1, name);
      // Interrupts and displays need their turn.
      await new Promise<void>(resolve => setImmediate(resolve));
    }
    return rows;
  } finally {
    bar.finish();
    now.dispose();
    then?.dispose();
  }
}

/**
 * Effective rank of a matrix: the least r whose largest singular values hold this share of Σσ².
 * @param matrix [rows, columns]
 */
export function effectiveRank(matrix: tf.Tensor2D, energy: number = 0.9): number {
  return rankOf(gramSpectrum(matrix), energy);
}

/** σ² of a matrix: the eigenvalues of the smaller of M·Mᵀ and Mᵀ·M. */
function gramSpectrum(matrix: tf.Tensor2D): number[] {
  const wide = matrix.shape[0] <= matrix.shape[1];
  return eigenvalues(gram(matrix, wide));
}

/** M·Mᵀ (by rows) or Mᵀ·M. */
function gram(matrix: tf.Tensor2D, byRows: boolean): Matrix {
  const product = tf.matMul(matrix, matrix, !byRows, byRows);
  const values = product.dataSync();
  product.dispose();
  const size = matrix.shape[byRows ? 0 : 1];
  const found = new Matrix(size, size);
  for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) found.set(i, j, values[i * size + j]!);
  return found;
}

function eigenvalues(symmetric: Matrix): number[] {
  return new EVD(symmetric, { assumeSymmetric: true }).realEigenvalues.map(value => Math.max(0, value));
}

function rankOf(squares: readonly number[], energy: number): number {
  const sorted = [...squares].sort((a, b) => b - a);
  const total = sorted.reduce((sum, value) => sum + value, 0);
  if (!(total > 0)) return 0;
  let [rank, sum] = [0, 0];
  // σ² of float32 products are known to a millionth of the largest: what is left beyond is rounding, and would be all of them at energy 1.
  while (rank < sorted.length && sum < energy * total * (1 - 1e-6)) sum += sorted[rank++]!;
  return rank;
}

/**
 * σ², up to a factor, of what the one LoRA in use adds to a matrix, from its factors: those of B·A are the eigenvalues of S·(A·Aᵀ)·S with
 * S² = Bᵀ·B, a matrix as small as the rank. Undefined where the change is not that.
 */
function spectrum({ base, tuned }: Pair, weight: string): number[] | undefined {
  const [name, second] = tuned.inUse;
  const adapter = name === undefined || second !== undefined ? undefined : tuned.adapters.get(name);
  const at = weight.replace(/\.weight$/, '');
  const factor = (which: string) => adapter?.parameters.find(parameter => parameter.name === `${at}.${which}.${name}.weight`);
  const [a, b] = [factor('lora_A'), factor('lora_B')];
  // DoRA rescales the sum.
  if (!a || !b || adapter!.parameters.some(parameter => parameter.name.startsWith(`${at}.lora_magnitude`))) return undefined;
  if (base !== tuned && (base.inUse.length > 0 || !equal(base.parameter(weight), tuned.parameter(weight)))) return undefined;
  const gramOf = (factor: Parameter<tf.Tensor>, byRows: boolean) => {
    const value = factor.read() as tf.Tensor2D;
    try {
      return gram(value, byRows);
    } finally {
      value.dispose();
    }
  };
  const [left, right] = [gramOf(b, false), gramOf(a, true)];
  const { eigenvectorMatrix: v, realEigenvalues } = new EVD(left, { assumeSymmetric: true });
  const root = v.mmul(Matrix.diag(realEigenvalues.map(value => Math.sqrt(Math.max(0, value))))).mmul(v.transpose());
  return eigenvalues(root.mmul(right).mmul(root));
}

function norm(x: tf.Tensor): number {
  const value = tf.tidy(() => tf.sqrt(tf.sum(tf.square(x))));
  const [found] = value.dataSync();
  value.dispose();
  return found!;
}

function equal(a: Parameter<tf.Tensor>, b: Parameter<tf.Tensor>): boolean {
  const [x, y] = [a.read(), b.read()];
  const change = tf.sub(x, y);
  const far = norm(change);
  tf.dispose([x, y, change]);
  return far === 0;
}

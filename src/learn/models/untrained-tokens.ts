import type { Model } from './model.js';
import { HEAD } from './reading.js';

/** A row that differs from zero or from the mean by less than this share of the matrix's root mean square was never trained. */
const ALIKE = 1e-3;

/**
 * Tokens whose row in embedding or head was never trained – it is zero, or the mean of all rows, as added tokens begin – and that no
 * trainable weight of the model changes: where training rows have them, they stay what they are.
 */
export function untrainedTokens(model: Model): ReadonlySet<number> {
  const found = new Set<number>();
  const matrices = model.vocabularyMatrices();
  for (const name of matrices) {
    const weight = model.parameter(name);
    if (weight.trainable) continue;
    const names = matrices.length === 1 ? [name, HEAD] : [name];
    const learnt = model.inUse.flatMap(adapter => names.map(own => model.adapters.get(adapter)!.trainedRows?.(own) ?? []));
    if (learnt.includes('all')) continue;
    const reached = new Set((learnt as (readonly number[])[]).flat());
    const tensor = weight.read();
    try {
      for (const id of untrainedRows(tensor.dataSync<'float32'>(), weight.shape[0]!)) if (!reached.has(id)) found.add(id);
    } finally {
      tensor.dispose();
    }
  }
  return found;
}

/** Rows of a matrix that are zero or the mean of all. */
export function untrainedRows(values: Float32Array, count: number): number[] {
  const width = values.length / count;
  const mean = new Float64Array(width);
  const none = new Float64Array(width);
  let squares = 0;
  for (let row = 0; row < count; row++)
    for (let i = 0; i < width; i++) {
      const value = values[row * width + i]!;
      mean[i]! += value / count;
      squares += value * value;
    }
  const near = ALIKE * Math.sqrt(squares / values.length);
  const isNear = (row: number, to: Float64Array) => {
    for (let i = 0; i < width; i++) if (!(Math.abs(values[row * width + i]! - to[i]!) <= near)) return false;
    return true;
  };
  return Array.from({ length: count }, (_, row) => row).filter(row => isNear(row, none) || isNear(row, mean));
}

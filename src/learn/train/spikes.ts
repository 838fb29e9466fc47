/** When a loss counts as a spike. */
export interface SpikeOptions {
  /** Steps looked back on. Default 50. */
  window?: number;
  /** Standard deviations above their mean. Default 5. */
  deviations?: number;
}

/** Steps that are needed before anything can be called a spike. */
const LEAST = 10;

/**
 * How many standard deviations a loss lies above the mean of the losses before it, where that makes it a spike; else undefined.
 * The deviation counts as at least 1 % of the mean, so that a loss that hardly moves is not full of spikes.
 */
export function spike(losses: readonly number[], loss: number, options: SpikeOptions = {}): number | undefined {
  const { window = 50, deviations = 5 } = options;
  const past = losses.slice(-window);
  if (past.length < Math.min(LEAST, window)) return undefined;
  const mean = past.reduce((a, b) => a + b, 0) / past.length;
  const variance = past.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (past.length - 1);
  const z = (loss - mean) / Math.max(Math.sqrt(variance), 0.01 * Math.abs(mean), 1e-12);
  return z > deviations ? z : undefined;
}

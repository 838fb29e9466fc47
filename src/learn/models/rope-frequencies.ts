import type { RopeConfig } from './config/types.js';

/** Frequencies of a rotary embedding, radians a position: half as many as the head has turned dimensions. */
export interface RopeFrequencies {
  frequencies: Float32Array;
  /** Factor of cos and sin. */
  attentionFactor: number;
}

/**
 * The frequencies θ^(−2j/d), d = headDim · partial, stretched as the configuration says. Formulas: linear, position
 * interpolation (Chen et al. 2023); dynamic, NTK-aware with the length at hand; yarn (Peng et al. 2023); longrope (Ding et
 * al. 2024); llama3 (Llama 3.1's blend by wavelength). Numbers are rounded where transformers rounds them.
 * @param length longest row at hand: `dynamic` and `longrope` depend on it
 * @param context the model's `maxPositionEmbeddings`
 */
export function ropeFrequenciesOf(rope: RopeConfig, headDim: number, length: number, context: number): RopeFrequencies {
  const width = Math.floor(headDim * rope.partial);
  const { type, factor = 1 } = rope;
  switch (type) {
    case 'linear':
      return { frequencies: plain(rope.theta, width).map(f => f / factor), attentionFactor: 1 };
    case 'dynamic': {
      const old = rope.originalMaxPositionEmbeddings ?? context;
      const longest = Math.max(length, old);
      const theta = rope.theta * ((factor * longest) / old - (factor - 1)) ** (width / (width - 2));
      return { frequencies: plain(theta, width), attentionFactor: 1 };
    }
    case 'llama3':
      return { frequencies: llama3(rope, width, context), attentionFactor: 1 };
    case 'yarn':
      return yarn(rope, width, context);
    case 'longrope':
      return longrope(rope, width, length, context);
    default:
      return { frequencies: plain(rope.theta, width), attentionFactor: 1 };
  }
}

function plain(theta: number, width: number): Float32Array {
  return Float32Array.from({ length: Math.ceil(width / 2) }, (_, j) => 1 / Math.fround(theta ** Math.fround((2 * j) / width)));
}

function llama3(rope: RopeConfig, width: number, context: number): Float32Array {
  const { factor = 1, lowFreqFactor: low = 1, highFreqFactor: high = 4, originalMaxPositionEmbeddings: old = context } = rope;
  return plain(rope.theta, width).map(frequency => {
    const wavelength = (2 * Math.PI) / frequency;
    if (wavelength < old / high) return frequency;
    if (wavelength > old / low) return frequency / factor;
    const smooth = (old / wavelength - low) / (high - low);
    return ((1 - smooth) * frequency) / factor + smooth * frequency;
  });
}

function yarn(rope: RopeConfig, width: number, context: number): RopeFrequencies {
  const { theta, factor = 1, betaFast = 32, betaSlow = 1, truncate = true } = rope;
  const old = rope.originalMaxPositionEmbeddings ?? context;
  const mscale = (m = 1) => (factor <= 1 ? 1 : 0.1 * m * Math.log(factor) + 1);
  const inferred = rope.mscale && rope.mscaleAllDim ? mscale(rope.mscale) / mscale(rope.mscaleAllDim) : mscale();
  /** The dimension that turns this often within the old context. */
  const dimension = (rotations: number) => (width * Math.log(old / (rotations * 2 * Math.PI))) / (2 * Math.log(theta));
  const round = (x: number, how: (x: number) => number) => (truncate ? how(x) : x);
  const low = Math.max(round(dimension(betaFast), Math.floor), 0);
  let high = Math.min(round(dimension(betaSlow), Math.ceil), width - 1);
  if (low === high) high += 0.001;
  const frequencies = plain(theta, width).map((frequency, j) => {
    const interpolated = Math.min(1, Math.max(0, (j - low) / (high - low)));
    return (frequency / factor) * interpolated + frequency * (1 - interpolated);
  });
  return { frequencies, attentionFactor: rope.attentionFactor ?? inferred };
}

function longrope(rope: RopeConfig, width: number, length: number, context: number): RopeFrequencies {
  const { factor = 1 } = rope;
  const old = rope.originalMaxPositionEmbeddings ?? context;
  const divisors = (length > old ? rope.longFactor : rope.shortFactor) ?? [];
  const frequencies = Float32Array.from(
    { length: Math.ceil(width / 2) },
    (_, j) => 1 / Math.fround(Math.fround(divisors[j] ?? 1) * Math.fround(rope.theta ** Math.fround((2 * j) / width))),
  );
  const inferred = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(old));
  return { frequencies, attentionFactor: rope.attentionFactor ?? inferred };
}

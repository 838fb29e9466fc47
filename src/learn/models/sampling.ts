import type { Random } from '../../base/core/index.js';

/** How a token is drawn from logits. */
export interface SamplingOptions {
  /** 0 (the default) takes the most likely token; above, logits are divided by it. */
  temperature?: number;
  /** Draw from the k most likely tokens only. */
  topK?: number;
  /** Draw from the smallest set of most likely tokens whose probabilities reach this sum (nucleus, Holtzman et al. 2020). */
  topP?: number;
}

/** The most likely token; the first of equals. */
export function argmax(logits: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  return best;
}

/** One token drawn from the logits of one row. Top-k is applied before top-p, as transformers does. */
export function sampleToken(logits: ArrayLike<number>, options: SamplingOptions, random: Random): number {
  const { temperature = 0, topK, topP } = options;
  if (temperature === 0) return argmax(logits);
  const highest = logits[argmax(logits)]!;
  const mass = Float64Array.from(logits, z => Math.exp((z - highest) / temperature));
  if ((topK === undefined || topK >= mass.length) && (topP === undefined || topP >= 1)) return draw(mass, undefined, random);
  let order = Array.from(mass.keys()).sort((a, b) => mass[b]! - mass[a]! || a - b);
  if (topK !== undefined) order = order.slice(0, topK);
  if (topP !== undefined) {
    const total = order.reduce((sum, i) => sum + mass[i]!, 0);
    let sum = 0;
    let count = 0;
    while (count < order.length && sum < topP * total) sum += mass[order[count++]!]!;
    order = order.slice(0, Math.max(1, count));
  }
  return draw(mass, order, random);
}

function draw(mass: Float64Array, order: number[] | undefined, random: Random): number {
  const count = order?.length ?? mass.length;
  const at = (i: number) => order?.[i] ?? i;
  let total = 0;
  for (let i = 0; i < count; i++) total += mass[at(i)]!;
  let left = random.next() * total;
  for (let i = 0; i < count; i++) {
    left -= mass[at(i)]!;
    if (left < 0) return at(i);
  }
  return at(count - 1);
}

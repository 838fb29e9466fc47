import type { Random } from '../../../base/core/index.js';

/**
 * How a token is drawn from logits. The order is transformers': repetition penalty, temperature, top-k, top-p, min-p; at
 * temperature 0 only the penalty has an effect.
 */
export interface SamplingOptions {
  /** 0 (the default) takes the most likely token; above, logits are divided by it. */
  temperature?: number;
  /** Draw from the k most likely tokens only (and those as likely as the k-th). */
  topK?: number;
  /** Draw from the smallest set of most likely tokens whose probabilities reach this sum (nucleus, Holtzman et al. 2020). */
  topP?: number;
  /** Draw from tokens at least this share as likely as the most likely one (Nguyen et al. 2024). */
  minP?: number;
  /**
   * Divide the positive logits of tokens that the row has already, prompt included, and multiply the negative ones
   * (Keskar et al. 2019, CTRL). 1 (the default): none.
   */
  repetitionPenalty?: number;
}

/** A token and its log-probabilities, in nats. */
export interface Choice {
  token: number;
  /** log softmax(logits / temperature)[token], the model's own logits: no penalty, no filter. Temperature 1 for greedy. */
  logProb: number;
  /** Under the distribution that the token was drawn from, after penalty and filters. */
  processedLogProb: number;
}

/** The most likely token; the first of equals. */
export function argmax(logits: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  return best;
}

/**
 * Logits after the repetition penalty: a copy, or the very array where nothing changes.
 * @param seen tokens that the row has
 */
export function penalised(logits: Float32Array, seen: Iterable<number>, penalty: number = 1): Float32Array {
  if (penalty === 1) return logits;
  const scores = logits.slice();
  for (const id of seen) scores[id] = logits[id]! < 0 ? logits[id]! * penalty : logits[id]! / penalty;
  return scores;
}

/**
 * One token from the logits of one row, [vocabSize]. Nothing is sorted but the few tokens that top-p has to compare, so
 * that a vocabulary of 50,000 takes well under a millisecond.
 * @param seen tokens that the row has, for the repetition penalty
 * @param wantLogProbs work out the log-probabilities (they are NaN otherwise)
 */
export function choose(
  logits: Float32Array,
  options: SamplingOptions,
  random: Random,
  seen: Iterable<number> = [],
  wantLogProbs = false,
): Choice {
  const { temperature = 0 } = options;
  const scores = penalised(logits, seen, options.repetitionPenalty);
  const scale = temperature === 0 ? 1 : 1 / temperature;
  let kept: number[] | undefined;
  let token: number;
  if (temperature === 0) token = argmax(scores);
  else {
    kept = survivors(scores, options);
    token = draw(scores, kept, scale, random);
  }
  if (!wantLogProbs) return { token, logProb: Number.NaN, processedLogProb: Number.NaN };
  const logProb = logits[token]! * scale - logSumExp(logits, undefined, scale);
  const processedLogProb = scores === logits && !kept ? logProb : scores[token]! * scale - logSumExp(scores, kept, scale);
  return { token, logProb, processedLogProb };
}

/** The tokens that top-k, top-p and min-p leave, in order of their index; undefined for all. */
export function survivors(scores: Float32Array, options: SamplingOptions): number[] | undefined {
  const { temperature = 1, topK, topP, minP } = options;
  const scale = 1 / (temperature || 1);
  let kept: number[] | undefined;
  if (topK !== undefined && topK < scores.length) kept = atLeast(scores, undefined, kthLargest(scores, topK));
  if (topP !== undefined && topP < 1) kept = nucleus(scores, kept, topP, scale);
  // The share of the most likely token's probability does not depend on what else was left out.
  if (minP !== undefined && minP > 0) kept = atLeast(scores, kept, scores[argmax(scores)]! + Math.log(minP) / scale);
  return kept;
}

/** The k-th largest value, by a heap of the k largest so far whose root is the smallest of them. */
export function kthLargest(values: Float32Array, k: number): number {
  const heap = values.slice(0, k).sort();
  for (let i = k; i < values.length; i++) {
    const value = values[i]!;
    if (!(value > heap[0]!)) continue;
    let at = 0;
    for (let child = 1; child < k; child = 2 * at + 1) {
      if (child + 1 < k && heap[child + 1]! < heap[child]!) child++;
      if (heap[child]! >= value) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = value;
  }
  return heap[0]!;
}

/** The most likely token always stays, whatever rounding does to the threshold. */
function atLeast(scores: Float32Array, among: readonly number[] | undefined, threshold: number): number[] {
  const kept: number[] = [];
  const count = among?.length ?? scores.length;
  for (let i = 0; i < count; i++) {
    const id = among ? among[i]! : i;
    if (scores[id]! >= threshold) kept.push(id);
  }
  return kept.length > 0 ? kept : [argmax(scores)];
}

/** The most likely tokens until their probabilities reach `p` of the sum; a token stays when those above it do not reach it. */
function nucleus(scores: Float32Array, among: readonly number[] | undefined, p: number, scale: number): number[] {
  const top = scores[argmax(scores)]!;
  const mass = (id: number) => Math.exp((scores[id]! - top) * scale);
  const goal = p * total(scores, among, top, scale);
  // Only the tokens within a distance of the best are sorted; the distance grows until they are enough.
  for (let nats = 4; ; nats *= 2) {
    const near = atLeast(scores, among, nats > 1000 ? Number.NEGATIVE_INFINITY : top - nats / scale);
    const all = near.length === (among?.length ?? scores.length);
    near.sort((a, b) => scores[b]! - scores[a]! || a - b);
    let sum = 0;
    let count = 0;
    while (count < near.length && sum < goal) sum += mass(near[count++]!);
    if (sum >= goal || all) return near.slice(0, Math.max(1, count)).sort((a, b) => a - b);
  }
}

/** Σ exp((score − top) · scale). */
function total(scores: Float32Array, among: readonly number[] | undefined, top: number, scale: number): number {
  let sum = 0;
  if (among) for (const id of among) sum += Math.exp((scores[id]! - top) * scale);
  else for (let i = 0; i < scores.length; i++) sum += Math.exp((scores[i]! - top) * scale);
  return sum;
}

function logSumExp(scores: Float32Array, among: readonly number[] | undefined, scale: number): number {
  let top = Number.NEGATIVE_INFINITY;
  if (among) for (const id of among) top = Math.max(top, scores[id]!);
  else top = scores[argmax(scores)]!;
  return top * scale + Math.log(total(scores, among, top, scale));
}

/** Walks the tokens in the order of their index until the random share of the mass is used up. */
function draw(scores: Float32Array, among: readonly number[] | undefined, scale: number, random: Random): number {
  const top = scores[argmax(scores)]!;
  const count = among?.length ?? scores.length;
  let left = random.next() * total(scores, among, top, scale);
  for (let i = 0; i < count; i++) {
    const id = among ? among[i]! : i;
    left -= Math.exp((scores[id]! - top) * scale);
    if (left < 0) return id;
  }
  return among ? among[count - 1]! : count - 1;
}

import { BadInput, Interrupted, progress } from '../../base/core/index.js';
import type { LikelihoodModel } from './model.js';

/** Tokens of one pass, about. */
const PASS = 4096;

/** A text whose likelihood is asked for: the tokens before it, and its own. */
export interface LikelihoodRequest {
  context: readonly number[];
  continuation: readonly number[];
}

/** Options of what measures likelihoods. */
export interface LikelihoodOptions {
  model: LikelihoodModel;
  signal?: AbortSignal;
  label?: string;
}

/** Log-likelihood of every continuation after its context, in nats: Σ log p. What is too long for the model loses its beginning. */
export async function logLikelihoods(requests: readonly LikelihoodRequest[], options: LikelihoodOptions): Promise<number[]> {
  const { model, signal, label = 'measuring likelihoods' } = options;
  const seq2seq = model.startIds !== undefined;
  const longest = seq2seq ? Number.POSITIVE_INFINITY : (model.config?.maxPositionEmbeddings ?? Number.POSITIVE_INFINITY);
  for (const [i, { context, continuation }] of requests.entries()) check(context, continuation, i, longest);
  const size = ({ context, continuation }: LikelihoodRequest) => context.length + continuation.length;
  const order = requests.map((_, i) => i).sort((a, b) => size(requests[a]!) - size(requests[b]!) || a - b);
  const found = new Array<number>(requests.length);
  const bar = progress(label, { total: requests.length, unit: 'texts' });
  try {
    for (let start = 0; start < order.length; ) {
      if (signal?.aborted) throw new Interrupted({ problem: `${label} was stopped after ${start} of ${order.length} texts` });
      let end = start;
      for (let tokens = 0; end < order.length && (end === start || tokens < PASS); end++) tokens += size(requests[order[end]!]!);
      const members = order.slice(start, end);
      const chosen = members.map(i => requests[i]!);
      const losses = seq2seq
        ? model.tokenLosses({ ids: chosen.map(r => [...r.context]), labels: chosen.map(r => [...r.continuation]) })
        : model.tokenLosses({ ids: chosen.map(r => [...r.context, ...r.continuation].slice(-longest)) });
      members.forEach((i, k) => {
        const own = losses[k]!.slice(-requests[i]!.continuation.length);
        found[i] = -own.reduce((a, b) => a + b, 0);
      });
      start = end;
      bar.update(end);
      // Interrupts and displays get their turn.
      await new Promise<void>(resolve => setImmediate(resolve));
    }
  } finally {
    bar.finish();
  }
  return found;
}

function check(context: readonly number[], continuation: readonly number[], index: number, longest: number): void {
  const problem =
    continuation.length === 0
      ? `text ${index} has no tokens`
      : context.length === 0
        ? `nothing stands before text ${index}, so that nothing predicts its first token`
        : continuation.length >= longest
          ? `text ${index} is longer than the model's context`
          : undefined;
  if (problem)
    throw new BadInput({
      problem,
      expected: `at least one token before it, and 1 to ${longest - 1} of its own`,
      found: `${context.length} before, ${continuation.length} of its own`,
      fix: context.length === 0 ? 'put a BOS or EOS token before it' : 'shorten it, or leave it out',
    });
}

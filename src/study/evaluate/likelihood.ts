import { BadInput, Interrupted, progress } from '../../base/core/index.js';
import type { LikelihoodModel } from './model.js';

/** Tokens of one pass, about. */
const PASS = 4096;

/** What a pass costs beside its tokens, in tokens. */
const ANOTHER = 256;

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
  // What begins alike is worked on together: the model computes that once.
  const order = seq2seq ? bySize(requests) : byBeginning(requests);
  const found = new Array<number>(requests.length);
  const bar = progress(label, { total: requests.length, unit: 'texts' });
  let done = 0;
  try {
    for (const members of passes(order, requests, seq2seq)) {
      if (signal?.aborted) throw new Interrupted({ problem: `${label} was stopped after ${done} of ${order.length} texts` });
      const chosen = members.map(i => requests[i]!);
      const texts = chosen.map(r => [...r.context, ...r.continuation].slice(-longest));
      const losses = seq2seq
        ? model.tokenLosses({ ids: chosen.map(r => [...r.context]), labels: chosen.map(r => [...r.continuation]) })
        : model.tokenLosses({ ids: texts, from: texts.map((ids, k) => ids.length - chosen[k]!.continuation.length) });
      members.forEach((i, k) => {
        const own = losses[k]!.slice(-requests[i]!.continuation.length);
        found[i] = -own.reduce((a, b) => a + b, 0);
      });
      done += members.length;
      bar.update(done);
      // Interrupts and displays get their turn.
      await new Promise<void>(resolve => setImmediate(resolve));
    }
  } finally {
    bar.finish();
  }
  return found;
}

const size = ({ context, continuation }: LikelihoodRequest) => context.length + continuation.length;

function bySize(requests: readonly LikelihoodRequest[]): number[] {
  return requests.map((_, i) => i).sort((a, b) => size(requests[a]!) - size(requests[b]!) || a - b);
}

/** Texts with the same beginning beside each other. */
function byBeginning(requests: readonly LikelihoodRequest[]): number[] {
  return bySize(requests).sort((a, b) => {
    const [left, right] = [requests[a]!.context, requests[b]!.context];
    const at = common(left, right);
    return (left[at] ?? -1) - (right[at] ?? -1);
  });
}

/** What texts are worked on together: as many tokens as a pass may have, those that all begin with counted once. */
function passes(order: readonly number[], requests: readonly LikelihoodRequest[], seq2seq: boolean): number[][] {
  const made: number[][] = [];
  let [shared, own, cost] = [0, 0, 0];
  order.forEach((i, at) => {
    const request = requests[i]!;
    const pass = made.at(-1);
    const before = requests[order[at - 1]!]?.context ?? [];
    const alike = seq2seq ? 0 : Math.min(shared, common(before, request.context));
    const together = alike + (pass ? own + size(request) - alike * (pass.length + 1) : 0);
    // One that has little in common with the others ends the pass where computing their beginning again costs more than a pass.
    if (pass && cost < PASS && together - cost <= size(request) + ANOTHER) {
      pass.push(i);
      [shared, own, cost] = [alike, own + size(request), together];
    } else {
      made.push([i]);
      [shared, own, cost] = [request.context.length, size(request), size(request)];
    }
  });
  return made;
}

/** Tokens that both begin with. */
function common(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length);
  let shared = 0;
  while (shared < most && a[shared] === b[shared]) shared++;
  return shared;
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

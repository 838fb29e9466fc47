import { expectedCapacity, type GenerateOptions } from './options.js';
import type { GenerativeModel } from './stepper.js';

/** Prompts that begin alike. */
export interface Alike {
  /** Which of the prompts. */
  rows: readonly number[];
  /** Tokens that all of them begin with, at least one less than any of them has; 0 for prompts that share nothing worth it. */
  shared: number;
}

/** What a step of generation costs beside its rows, in tokens of prompts: a group's steps are its own. */
const STEP = 32;

/** What a pass of its own costs beside its tokens, in tokens. */
const PASS = 128;

/** Shorter beginnings cost as much to put together with what is behind as they save. */
const SHORTEST = 24;

/**
 * Groups of prompts whose common beginning is worth computing once: few-shot examples, a system prompt, the head of a template. Of all ways
 * to cut the sorted prompts where their common beginnings end, the one that saves most: a group of n prompts saves n − 1 times its
 * beginning, and costs steps of its own.
 * @param steps that generation may take
 */
export function sharedBeginnings(prompts: readonly (readonly number[])[], steps: number): Alike[] {
  const order = prompts.map((_, i) => i).sort((a, b) => compare(prompts[a]!, prompts[b]!) || a - b);
  const groups = best(order, prompts, (rows, shared) => (shared < SHORTEST ? 0 : (rows - 1) * shared - STEP * steps));
  const found: Alike[] = groups.map(({ from, to, shared }) => ({ rows: order.slice(from, to), shared }));
  const taken = new Set(found.flatMap(({ rows }) => rows));
  const rest = order.filter(row => !taken.has(row));
  return rest.length > 0 ? [...found, { rows: rest, shared: 0 }] : found;
}

/** Tokens that all rows of one pass begin with, one less than any has at the most; 0 where it does not pay to compute them once. */
export function sharedByAll(rows: readonly (readonly number[])[]): number {
  const shared = rows.slice(1).reduce((least, row) => Math.min(least, common(rows[0]!, row)), Number.POSITIVE_INFINITY);
  return shared >= SHORTEST && (rows.length - 1) * shared >= PASS ? shared : 0;
}

/** The groups of a call: all prompts in one where the model cannot share, or shall not. */
export function groupsOf(model: GenerativeModel, prompts: readonly (readonly number[])[], options: GenerateOptions): Alike[] {
  const { cachePrompts = true, maxNewTokens = 64 } = options;
  const shares = cachePrompts && prompts.length > 1 && model.shares?.(expectedCapacity(prompts, options));
  return shares ? sharedBeginnings(prompts, maxNewTokens) : [{ rows: prompts.map((_, i) => i), shared: 0 }];
}

/** The prompts `order[from … to − 1]`. */
interface Span {
  from: number;
  to: number;
  shared: number;
}

/** Spans that share at least this much, on their way: what the best of those inside them save. */
interface Open {
  from: number;
  shared: number;
  saved: number;
  inside: Span[];
}

/** The spans that save most together, no two overlapping: one pass over the common beginnings of neighbours (Abouelhoda et al. 2004). */
function best(
  order: readonly number[],
  prompts: readonly (readonly number[])[],
  gain: (rows: number, shared: number) => number,
): Span[] {
  const root: Open = { from: 0, shared: 0, saved: 0, inside: [] };
  const open = [root];
  for (let to = 1; to <= order.length; to++) {
    const shared = to < order.length ? common(prompts[order[to - 1]!]!, prompts[order[to]!]!) : 0;
    let next: Open = { from: to - 1, shared, saved: 0, inside: [] };
    while (open.at(-1)!.shared > shared) {
      const closed = open.pop()!;
      const whole = gain(to - closed.from, closed.shared);
      const kept: Open = whole > closed.saved ? { ...closed, saved: whole, inside: [{ ...closed, to }] } : closed;
      const outer = open.at(-1)!;
      if (outer.shared >= shared) {
        outer.saved += kept.saved;
        for (const span of kept.inside) outer.inside.push(span);
      } else next = { ...kept, shared };
    }
    if (open.at(-1)!.shared < shared) open.push(next);
  }
  return root.inside;
}

/** Tokens that both begin with; one less than the shorter has at the most, as something must be left to predict from. */
function common(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length) - 1;
  let shared = 0;
  while (shared < most && a[shared] === b[shared]) shared++;
  return shared;
}

function compare(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length);
  for (let i = 0; i < most; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

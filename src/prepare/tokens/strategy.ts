import { BadInput, quote } from '../../base/core/index.js';
import type { Message } from '../data/index.js';
import type { Segment } from '../templates/index.js';

/** Weights by role: 0 or false masks, true is 1. Roles left out are masked. */
export type RoleWeights = Partial<Record<Segment['role'], number | boolean>>;

/** Weight of a segment: 0 or false masks it, true is 1. `message` is the index of the message it belongs to, if any. */
export type SegmentWeight = (segment: Segment, message: number | undefined) => number | boolean;

/** What carries loss, and how much. */
export interface MaskOptions {
  /**
   * - `response` (the default): every assistant turn with its end of turn;
   * - `last`: only the last assistant message;
   * - `all`: every token but the first, which nothing predicts;
   * - weights by role, `{assistant: 1, user: 0.1}`: the text of those messages; for the assistant also its end of turn. What
   *   the template prints around the others' text stays masked;
   * - a function of segment and message index that gives the weight.
   *
   * A message's and a part's own `train` stand above it, and their `weight` is multiplied with it.
   */
  train?: 'response' | 'last' | 'all' | RoleWeights | SegmentWeight;
  /**
   * Weight, 0 to 1, of what `train` leaves out: the prompt-loss weight (Huerta-Enochian & Ko, arXiv 2401.13586). Defaults to 0.
   * Text that is masked explicitly (`train: false`, weight 0, reasoning, history) stays masked.
   */
  promptWeight?: number;
  /** Mask everything before the last user message. Defaults to false. */
  maskHistory?: boolean;
  /** False masks reasoning: the model sees it and is not trained on it. Defaults to true. */
  trainThinking?: boolean;
}

/**
 * Weight of every segment, from the strategy, then the messages' and parts' own `train` and `weight`.
 * @throws BadInput for a weight that is none.
 */
export function segmentWeights(
  segments: readonly Segment[],
  messages: readonly Message[],
  { train = 'response', promptWeight = 0, maskHistory = false, trainThinking = true }: MaskOptions,
): number[] {
  if (!(promptWeight >= 0 && promptWeight <= 1)) throw badWeight('promptWeight', 'a number from 0 to 1', promptWeight);
  const base = strategy(train, segments);
  const question = maskHistory ? messages.findLastIndex(message => message.role === 'user') : -1;
  const history =
    question < 0
      ? 0
      : Math.max(
          0,
          segments.findIndex(segment => segment.message === question && segment.role === 'user'),
        );
  return segments.map((segment, i) => {
    if (i < history || (segment.thinking && !trainThinking)) return 0;
    const message = segment.message === undefined ? undefined : messages[segment.message];
    const own = message?.role === segment.role ? message : undefined;
    if (segment.train === false || (own?.train === false && segment.train !== true)) return 0;
    let weight = base(segment);
    if (weight === 0 && (segment.train === true || (own?.train === true && (!segment.control || segment.trained)))) weight = 1;
    if (weight === 0) weight = promptWeight;
    return weight * valid(message?.weight, segment.message) * valid(segment.weight, segment.message);
  });
}

function valid(weight: number | undefined, message: number | undefined): number {
  if (weight === undefined) return 1;
  if (Number.isFinite(weight) && weight >= 0) return weight;
  throw badWeight(`the weight of message ${message}`, 'a finite number from 0 up', weight);
}

function strategy(train: MaskOptions['train'], segments: readonly Segment[]): (segment: Segment) => number {
  if (train === 'all') return () => 1;
  if (train === 'response') return ({ trained }) => (trained ? 1 : 0);
  if (train === 'last') {
    const last = segments.findLast(segment => segment.trained)?.message;
    return ({ trained, message }) => (trained && message === last ? 1 : 0);
  }
  if (typeof train === 'function') return segment => number(train(segment, segment.message), 'the value of the train function');
  if (typeof train === 'object' && train !== null) {
    const roles = ['system', 'user', 'assistant', 'tool', 'template'];
    const unknown = Object.keys(train).find(role => !roles.includes(role));
    if (unknown === undefined) {
      return ({ role, control, trained }) => {
        // Between turns there is only printed text, so naming `template` means it.
        const counts = !control || trained || role === 'template';
        return counts ? number(train[role] ?? 0, `train.${role}`) : 0;
      };
    }
    throw badWeight('train', `the roles ${roles.join(', ')}`, unknown);
  }
  throw new BadInput({
    problem: `unknown value of train: ${quote(train)}`,
    expected: 'response, last, all, weights by role or a function',
    fix: "leave it out for 'response'",
  });
}

function number(value: number | boolean, what: string): number {
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (Number.isFinite(value) && value >= 0) return value;
  throw badWeight(what, 'true, false or a finite number from 0 up', value);
}

function badWeight(what: string, expected: string, found: unknown): BadInput {
  return new BadInput({ problem: `${what} is no weight`, expected, found: quote(found), fix: 'use 0 to mask and 1 to train' });
}

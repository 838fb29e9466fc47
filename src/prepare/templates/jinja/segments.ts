import type { Part, Role } from '../../data/index.js';
import type { Segment } from '../types.js';
import type { WireMessage } from './conversation.js';
import { type Answer, spansOf } from './spans.js';
import { raw, type Text } from './text.js';

// Roles of other chat formats, as near as ours come.
const ROLES: Readonly<Record<string, Role>> = {
  system: 'system',
  developer: 'system',
  user: 'user',
  assistant: 'assistant',
  model: 'assistant',
  tool: 'tool',
  function: 'tool',
  ipython: 'tool',
};
const REASONING = new Set(['reasoning_content', 'thinking', 'reasoning']);

/**
 * A rendering as segments: data apart from what the template printed, answers apart from prompts.
 * @param hostile `as-transformers` lets special tokens in data be found as the template's own.
 */
export function toSegments(
  text: Text,
  answers: readonly Answer[],
  messages: readonly WireMessage[],
  hostile: 'text' | 'as-transformers',
): Segment[] {
  const all = raw(text);
  const spans = spansOf(text);
  const thoughts = answers.flatMap(answer => thoughtOf(all, answer));
  const edges = new Set([0, all.length]);
  for (const { start, end } of [...spans, ...answers, ...thoughts]) edges.add(start).add(end);
  const cuts = [...edges].sort((a, b) => a - b);
  const inside = <T extends { start: number; end: number }>(list: readonly T[]) => {
    // The stretches come in order, so each list is walked once.
    let i = 0;
    return (at: number): T | undefined => {
      while (i < list.length && list[i]!.end <= at) i++;
      return list[i] && list[i]!.start <= at ? list[i] : undefined;
    };
  };
  const spanAt = inside(spans);
  const answerAt = inside(merged(answers));
  const thoughtAt = inside(thoughts);
  const out: Segment[] = [];
  for (let i = 0; i + 1 < cuts.length; i++) {
    const start = cuts[i]!;
    const origin = spanAt(start)?.origin;
    const answer = answerAt(start);
    const message = origin?.message ?? answer?.message;
    const segment: Segment = {
      text: all.slice(start, cuts[i + 1]),
      role: answer ? 'assistant' : origin ? roleOf(messages, origin.message) : 'template',
      control: origin === undefined || hostile === 'as-transformers',
      trained: answer !== undefined,
    };
    if (message !== undefined) segment.message = message;
    if (origin?.part !== undefined && origin.message !== undefined) {
      const { weight, train } = (messages[origin.message]!.content as Part[])[origin.part]!;
      if (weight !== undefined) segment.weight = weight;
      if (train !== undefined) segment.train = train;
    }
    if (thoughtAt(start) || (answer && REASONING.has(origin?.field ?? ''))) segment.thinking = true;
    const last = out.at(-1);
    if (last && alike(last, segment)) last.text += segment.text;
    else out.push(segment);
  }
  return out;
}

/** Text that is no message's (tools, documents, variables) speaks for the system. */
function roleOf(messages: readonly WireMessage[], message: number | undefined): Role {
  const role = message === undefined ? 'system' : messages[message]!.role;
  return Object.hasOwn(ROLES, role) ? ROLES[role]! : 'user';
}

/** Nested blocks make one answer. */
function merged(answers: readonly Answer[]): Answer[] {
  const out: Answer[] = [];
  for (const answer of [...answers].sort((a, b) => a.start - b.start || b.end - a.end)) {
    const last = out.at(-1);
    if (last && answer.start < last.end) last.end = Math.max(last.end, answer.end);
    else if (answer.end > answer.start) out.push({ ...answer });
  }
  return out;
}

/** The reasoning at the beginning of an answer, tags included; its opening tag may belong to the prompt. */
function thoughtOf(text: string, { start, end }: Answer): { start: number; end: number }[] {
  const close = text.indexOf('</think>', start);
  if (close < 0 || close + 8 > end) return [];
  const open = text.slice(start, close).indexOf('<think>');
  const prompted = open < 0 && /<think>\s*$/.test(text.slice(Math.max(0, start - 32), start));
  return open < 0 && !prompted ? [] : [{ start: prompted ? start : start + open, end: close + 8 }];
}

function alike(a: Segment, b: Segment): boolean {
  return (['role', 'control', 'trained', 'message', 'weight', 'train', 'thinking'] as const).every(key => a[key] === b[key]);
}

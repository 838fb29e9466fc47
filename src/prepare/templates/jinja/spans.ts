import { BadInput } from '../../../base/core/index.js';
import type { WireMessage } from './conversation.js';
import { type Chat, type JinjaRenderOptions, renderChat } from './render.js';
import { raw, type Span, Str, type Text } from './text.js';

/** Rendered characters [start, end) that the model is to produce, and the assistant message they belong to. */
export interface Answer {
  start: number;
  end: number;
  message: number;
}

export function spansOf(text: Text): readonly Span[] {
  return text instanceof Str ? text.spans : [];
}

/** First and last character of a message in a rendering; undefined where none of it is printed. */
function extent(text: Text, message: number): { start: number; end: number } | undefined {
  const own = spansOf(text).filter(({ origin }) => origin.message === message);
  return own.length > 0 ? { start: own[0]!.start, end: own.at(-1)!.end } : undefined;
}

/** The answers that `{% generation %}` blocks mark, each with the assistant message whose text is in it. */
export function markedAnswers(text: Text, generations: readonly [number, number][], messages: readonly WireMessage[]): Answer[] {
  const assistants = messages.flatMap(({ role }, i) => (role === 'assistant' ? [i] : []));
  let last = -1;
  return generations.map(([start, end]) => {
    const inside = spansOf(text).find(
      ({ start: from, end: to, origin }) =>
        from < end && to > start && origin.message !== undefined && messages[origin.message]?.role === 'assistant',
    );
    const message = inside?.origin.message ?? assistants.find(i => i > last) ?? assistants.at(-1) ?? 0;
    last = message;
    return { start, end, message };
  });
}

/**
 * The answers of a template without `{% generation %}`: what rendering up to an assistant message adds to the prompt that
 * asks for it. The header belongs to the prompt; the end of the turn is trained, white space after it is not.
 *
 * Templates that print history differently (Qwen3 strips its reasoning) are no prefix of themselves. There the answer is
 * found by its characters, which carry the message they come from, and its end by the end it has when it comes last.
 * @throws BadInput where the end of an answer cannot be told.
 */
export function prefixAnswers(chat: Chat, messages: readonly WireMessage[], options: JinjaRenderOptions, full: Text): Answer[] {
  const out: Answer[] = [];
  const { addGenerationPrompt: _, continueFinalMessage, ...rest } = options;
  const attempt = (count: number, prompt: boolean): Text | undefined => {
    if (count === 0) return undefined;
    try {
      return renderChat(chat, messages.slice(0, count), { ...rest, addGenerationPrompt: prompt }).text;
    } catch (error) {
      // Many templates refuse conversations that end where they are cut here.
      if (error instanceof BadInput) return undefined;
      throw error;
    }
  };
  let tail: string | undefined;
  for (const [i, message] of messages.entries()) {
    if (message.role !== 'assistant') continue;
    const prompt = attempt(i, true);
    const without = attempt(i, false);
    const open = continueFinalMessage === true && i === messages.length - 1;
    const part = open ? full : attempt(i + 1, false);
    const start = prompt === undefined ? undefined : raw(prompt).length;
    const ownTail = part === undefined ? undefined : open ? '' : tailOf(part, i, start);
    tail = ownTail ?? tail;
    let answer: Answer | undefined;
    if (part !== undefined && start !== undefined && raw(part).startsWith(raw(prompt!))) {
      const own = extent(part, i);
      const end = (own?.end ?? start) + (ownTail ?? '').length;
      const printed = own !== undefined || extent(full, i) === undefined;
      const from = headerEnd(part, i, start, prompt, without);
      if (printed && end >= from && raw(full).startsWith(raw(part).slice(0, end))) answer = { start: from, end, message: i };
    }
    answer ??= byOrigin(full, i, part, tail, generationPrompt(prompt, without), out.at(-1)?.end ?? 0);
    if (!answer || answer.end <= answer.start) continue;
    const { start: from, end: to } = answer;
    // A mask must never run over into another message, whatever the template does.
    if (
      spansOf(full).some(
        ({ start, end, origin }) => start < to && end > from && origin.message !== undefined && origin.message !== i,
      )
    ) {
      throw unclear(i);
    }
    out.push(answer);
  }
  return out;
}

/** What follows an assistant message that comes last, without the white space at its end. */
function tailOf(part: Text, message: number, promptEnd: number | undefined): string {
  const text = raw(part);
  return text.slice(extent(part, message)?.end ?? promptEnd ?? text.length).trimEnd();
}

function unclear(message: number): BadInput {
  return new BadInput({
    problem: `the chat template prints history differently, so where the answer of message ${message} begins and ends cannot be told from a prefix`,
    expected:
      'a template that marks what the model writes with {% generation %}, or that prints a conversation alike when it goes on',
    fix: 'put {% generation %} … {% endgeneration %} around the assistant turn in the template, its end of turn included',
  });
}

/**
 * Where an answer begins. A template that ignores add_generation_prompt leaves its header to us, and a header is not trained:
 * there the answer begins with its own text. (White space before it is the answer's; so is what a tool call begins with.)
 */
function headerEnd(part: Text, message: number, start: number, prompt: Text | undefined, without: Text | undefined): number {
  if (without === undefined || generationPrompt(prompt, without) !== '') return start;
  const first = spansOf(part).find(({ origin }) => origin.message === message);
  const header = first && first.origin.field === 'content' ? raw(part).slice(start, first.start) : '';
  return header.trim() === '' ? start : first!.start;
}

/** What add_generation_prompt adds. */
function generationPrompt(prompt: Text | undefined, without: Text | undefined): string {
  if (prompt === undefined || without === undefined || !raw(prompt).startsWith(raw(without))) return '';
  return raw(prompt).slice(raw(without).length);
}

// What ends a turn in the middle of a conversation may differ from what ends the last one (Phi-3 adds its EOS there, gpt-oss
// writes <|return|> in place of <|end|>); it is a special token by its looks.
const TOKEN = /\s*(?:<[^<>\s]+>|\[[^[\]\s]+\])/y;

/** Length of the end of turn at `at`: the `tail` a last turn has, or a special token in its place. */
function endAt(text: string, at: number, tail: string): number {
  if (text.startsWith(tail, at)) return tail.length;
  TOKEN.lastIndex = at;
  return TOKEN.exec(text)?.[0].length ?? 0;
}

/**
 * Where the characters of a message end in `full`, by the last ones it has when it comes last (`part`). The template may
 * print more of them later (a tool's answer that names the call); those do not belong to the answer.
 */
function lastOwn(full: Text, part: Text, message: number): number | undefined {
  const own = (text: Text) =>
    spansOf(text)
      .filter(({ origin }) => origin.message === message)
      .map(({ start, end, origin }) => ({ end, field: origin.field, text: raw(text).slice(start, end).trim() }));
  const alone = own(part);
  const last = alone.at(-1);
  if (!last) return undefined;
  // History may print less of a text, its reasoning cut off the front.
  const matches = (span: typeof last) =>
    span.field === last.field && (span.text.endsWith(last.text) || last.text.endsWith(span.text));
  const times = alone.filter(matches).length;
  const found = own(full).filter(matches);
  return (found[times - 1] ?? found.at(-1))?.end;
}

function byOrigin(
  full: Text,
  message: number,
  part: Text | undefined,
  tail: string | undefined,
  header: string,
  after: number,
): Answer | undefined {
  const text = raw(full);
  const whole = extent(full, message);
  if (!whole) return undefined;
  const contentEnd = part === undefined ? undefined : lastOwn(full, part, message);
  if (tail === undefined || contentEnd === undefined) {
    throw unclear(message);
  }
  const end = contentEnd + endAt(text, contentEnd, tail);
  // The header that generation begins with; without the opening of reasoning, which history may lack.
  let start = whole.start;
  for (const head of [header, header.split('<think>')[0]!]) {
    const at = head.trim() === '' ? -1 : text.lastIndexOf(head, whole.start - head.length);
    if (at >= after) {
      start = at + head.length;
      break;
    }
  }
  return { start, end, message };
}

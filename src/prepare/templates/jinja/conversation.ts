import { BadInput, quote } from '../../../base/core/index.js';
import type { Message, Part, ToolCall } from '../../data/index.js';
import { plainData } from './data.js';
import { concat, type Origin, raw, type Text, tainted } from './text.js';
import { Dict, type Value } from './values.js';

/** A message in our spelling or in OpenAI's wire spelling, with whatever further keys a template may read. */
export type WireMessage = Message | ({ role: string } & Record<string, unknown>);

// Names a message's reasoning goes by; transformers fills in the others, the first of which is the standard one.
const REASONING = ['reasoning_content', 'thinking', 'reasoning'] as const;
// Ours alone: training, not rendering.
const OURS = new Set(['weight', 'train', 'input', 'toolCalls', 'toolCallId']);
// A role that is a word cannot be mistaken for a special token, and templates build those from it (Phi-4: `<|` + role + `|>`).
const WORD = /^[\w-]+$/;

/** The messages as transformers hands them to a template: wire spelling, keys without a value left out, reasoning under all its names. */
export function wireMessages(messages: readonly WireMessage[]): Dict[] {
  if (!Array.isArray(messages) || messages.length === 0) throw notMessages(messages);
  return messages.map((message, index) => {
    if (typeof message !== 'object' || message === null || Array.isArray(message)) throw notMessages(message);
    return wireMessage(message as Record<string, unknown>, index);
  });
}

function wireMessage(message: Record<string, unknown>, index: number): Dict {
  const entries = new Map<string, Value>();
  const put = (key: string, value: unknown) => {
    if (value === undefined || value === null) return;
    const origin: Origin = { message: index, field: key };
    const own = key === 'role' && typeof value === 'string' && WORD.test(value);
    entries.set(key, own ? (value as string) : plainData(value, origin));
  };
  for (const [key, value] of Object.entries(message)) {
    if (key === 'content') {
      const content = contentOf(message, index);
      if (content !== undefined) entries.set(key, content);
    } else if (key === 'toolCalls' && value !== undefined && value !== null) {
      put('tool_calls', (value as ToolCall[]).map(wireCall));
    } else if (key === 'toolCallId') put('tool_call_id', value);
    else if (!OURS.has(key)) put(key, value);
  }
  const reasoning = REASONING.map(key => entries.get(key)).find(value => value !== undefined);
  const dict = new Dict();
  if (reasoning !== undefined && !entries.has('thinking')) dict.set('thinking', reasoning);
  for (const [key, value] of entries) dict.set(key, value);
  if (reasoning !== undefined) dict.set('reasoning_content', reasoning);
  return dict;
}

function wireCall({ id, name, arguments: given, ...rest }: ToolCall): object {
  return { ...(id !== undefined && { id }), type: 'function', function: { name, arguments: given }, ...rest };
}

function contentOf(message: Record<string, unknown>, index: number): Value | undefined {
  const { content, input } = message;
  if (content === undefined || content === null) return undefined;
  const origin: Origin = { message: index, field: 'content' };
  let value: Value = isParts(content)
    ? concat(content.map(({ text }, part) => tainted(text, { ...origin, part })))
    : plainData(content, origin);
  // A context passage goes on a new line, as the built-in templates have it.
  if (typeof input === 'string' && input !== '' && typeof content === 'string') {
    value = concat([value as Text, tainted(`\n${input}`, origin)]);
  }
  return value;
}

/** Parts of ours have no type; those of a chat API do (`{type: 'text', text}`), and the template gets them as they are. */
function isParts(content: unknown): content is Part[] {
  return (
    Array.isArray(content) &&
    content.length > 0 &&
    content.every(part => typeof part === 'object' && part !== null && typeof part.text === 'string' && !('type' in part))
  );
}

function notMessages(found: unknown): BadInput {
  return new BadInput({
    problem: 'a chat template needs messages',
    expected: 'at least one object {role, content}',
    found: quote(found),
    fix: "give messages as [{role: 'user', content: '…'}, {role: 'assistant', content: '…'}]",
  });
}

const TAG = 'CONTINUE_FINAL_MESSAGE_TAG ';

/** Put a mark after the text of the last message; {@link cutAtMark} finds it. By transformers' way of continuing a message. */
export function markFinal(messages: Dict[], source: string): string {
  const last = messages.at(-1)!;
  const content = last.get('content');
  const refuse = (problem: string) =>
    new BadInput({
      problem: `continueFinalMessage: ${problem}`,
      expected: 'a last message whose text the template prints',
      fix: 'leave continueFinalMessage out, or use addGenerationPrompt to begin a new turn',
    });
  if (content === undefined || content === null) throw refuse('the last message has no content');
  if (!source.includes('content')) throw refuse('this template does not read the content of messages');
  if (Array.isArray(content)) {
    const part = (content as Value[]).findLast(item => item instanceof Dict && item.has('text')) as Dict | undefined;
    if (!part) throw refuse('the last message has no text');
    const text = part.get('text') as Text;
    part.set('text', concat([text, TAG]));
    return raw(text);
  }
  last.set('content', concat([content as Text, TAG]));
  return raw(content as Text);
}

/** Where to end the rendering, given that {@link markFinal} marked it; undefined where the template lost the message. */
export function cutAtMark(text: string, final: string): number | undefined {
  const at = text.lastIndexOf(TAG.trim());
  if (at < 0 || !text.includes(final.trim())) return undefined;
  if (text.startsWith(TAG, at)) return at;
  return text.slice(0, at).trimEnd().length;
}

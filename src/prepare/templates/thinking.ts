import type { Message } from '../data/index.js';
import type { Thinking } from './types.js';

/** Index of the last user message; what the assistant writes after it answers the present question, the rest is history. */
export function lastQuestion(messages: readonly Message[]): number {
  return messages.findLastIndex(message => message.role === 'user');
}

/** The reasoning to print in message `index`; undefined where none is. */
export function thinkingOf(messages: readonly Message[], index: number, mode: Thinking): string | undefined {
  const { role, thinking } = messages[index]!;
  if (role !== 'assistant' || thinking === undefined || mode === 'drop') return undefined;
  return mode === 'keep' || index > lastQuestion(messages) ? thinking : undefined;
}

/**
 * A message whose content begins with its reasoning, `<think>…</think>`, with the two apart; as Qwen3's own template reads it.
 * Tags anywhere else are ordinary text, and content given in parts stays as it is.
 */
export function splitThinking(message: Message): Message {
  if (message.role !== 'assistant' || message.thinking !== undefined || typeof message.content !== 'string') return message;
  const found = /^\s*<think>([\s\S]*?)<\/think>([\s\S]*)$/.exec(message.content);
  return found ? { ...message, thinking: stripNewlines(found[1]!), content: found[2]!.replace(/^\n+/, '') } : message;
}

/** Without newlines at both ends (other white space stays), as the published templates write reasoning. */
export function stripNewlines(text: string): string {
  return text.replace(/^\n+|\n+$/g, '');
}

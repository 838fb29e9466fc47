import type { Message, Row } from '../types.js';
import { instructionParts } from './alpaca.js';
import { describe, extras, malformed, own, unusable } from './fields.js';
import type { Layout, Malformed } from './layout.js';
import { readMessage, readMessages, says } from './message.js';
import { withTools } from './messages.js';

/** {prompt, completion} (or `response`), each a text or a list of messages. */
export const promptCompletion: Layout = {
  name: 'prompt-completion',
  kind: 'rows',
  like: '{"prompt", "completion"}',
  structured: ['prompt', 'completion', 'response', 'tools', 'functions', 'documents'],
  detect: value => 'prompt' in value && ('completion' in value || 'response' in value),
  convert(value) {
    const answer = 'completion' in value ? 'completion' : 'response';
    const prompt = readSide(value, 'prompt', 'user');
    if (!Array.isArray(prompt)) return prompt;
    const completion = readSide(value, answer, 'assistant');
    if (!Array.isArray(completion)) return completion;
    if (!prompt.some(saysAnything)) return unusable('"prompt" is empty');
    if (!completion.some(m => m.role === 'assistant' && says(m))) return unusable(`"${answer}" is empty`);
    return withTools({ messages: [...prompt, ...completion] }, value, ['prompt', answer]);
  },
  write(row) {
    const parts = instructionParts(row as Row);
    if ('reason' in parts) return parts;
    if (parts.system !== undefined || parts.user.input !== undefined) return { reason: 'it has a system message or an input' };
    const rest = extras(row, ['prompt', 'completion', 'response', 'tools', 'functions', 'documents']);
    if ('reason' in rest) return rest;
    return { value: { prompt: parts.user.content, completion: parts.answer, ...rest.value } };
  },
};

export function saysAnything(message: Message): boolean {
  return says(message) || (message.input ?? '').trim() !== '';
}

/** A prompt or an answer: a text, one message, or a list of messages. */
export function readSide(
  value: Record<string, unknown>,
  key: string,
  role: 'assistant' | 'user',
): Message[] | Malformed | { kind: 'unusable'; reason: string } {
  const side = own(value, key);
  // An empty cell of a table.
  if (side === undefined && key in value) return [];
  if (typeof side === 'string') return [{ role, content: side }];
  if (Array.isArray(side)) return readMessages(side, key);
  if (typeof side === 'object' && side !== null) {
    const message = readMessage(side, key);
    return 'role' in message ? [message] : message;
  }
  return malformed(
    key,
    `"${key}" is neither text nor messages`,
    'a string, a message or an array of messages',
    key in value ? describe(side) : 'no such key',
  );
}

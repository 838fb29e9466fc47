import { BadInput, quote } from '../../base/core/index.js';
import type { Message } from '../data/index.js';

const ROLES: readonly string[] = ['system', 'user', 'assistant', 'tool'];

/** Check that `messages` is a conversation at all; names the message that is not. */
export function checkMessages(messages: readonly Message[], template: string): void {
  const fail = (i: number, expected: string, found: unknown): never => {
    throw new BadInput({
      problem: `template ${template}: message ${i} cannot be rendered`,
      expected,
      found: quote(found),
      fix: "give messages as [{role: 'user', content: '…'}, {role: 'assistant', content: '…'}]",
    });
  };
  if (!Array.isArray(messages) || messages.length === 0) fail(0, 'at least one message', messages);
  for (const [i, message] of messages.entries()) {
    if (typeof message !== 'object' || message === null) fail(i, 'an object {role, content}', message);
    if (!ROLES.includes(message.role)) fail(i, `role ${ROLES.join(', ')}`, message.role ?? 'nothing');
    if (typeof message.content !== 'string') fail(i, 'a string in content', message.content ?? 'nothing');
  }
}

/**
 * Check the order of a conversation: an optional system message first, then at least one more message; with
 * `addGenerationPrompt` the last one must not be the assistant's (its turn is the one to be generated).
 */
export function checkOrder(messages: readonly Message[], template: string, addGenerationPrompt: boolean): void {
  checkMessages(messages, template);
  const found = messages.map(m => m.role).join(', ');
  const late = messages.findIndex((m, i) => m.role === 'system' && i > 0);
  if (late > 0) {
    throw new BadInput({
      problem: `template ${template}: message ${late} is a system message`,
      expected: 'a system message only at the beginning',
      found,
      fix: 'move it to the front or make it a user message',
    });
  }
  if (messages.length === 1 && messages[0]!.role === 'system') {
    throw new BadInput({
      problem: `template ${template}: the conversation is only a system message`,
      expected: 'a user message after it',
      found,
      fix: 'add a user message',
    });
  }
  if (addGenerationPrompt && messages.at(-1)!.role === 'assistant') {
    throw new BadInput({
      problem: `template ${template}: a prompt for generation ends with an assistant message`,
      expected: 'a user (or tool) message last, so that the answer is what follows',
      found,
      fix: 'drop the last message, or render without addGenerationPrompt',
    });
  }
}

/** A user message's text with its context passage on a new line, as LLaMA-Factory joins Alpaca's instruction and input. */
export function withInput({ content, input }: Message): string {
  return input ? `${content}\n${input}` : content;
}

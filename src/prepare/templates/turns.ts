import { BadInput, quote } from '../../base/core/index.js';
import type { Message, Part } from '../data/index.js';
import type { RenderOptions } from './types.js';

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
    const { content } = message;
    if (typeof content === 'string') continue;
    if (!Array.isArray(content)) fail(i, 'a string, or a list of parts {text}, in content', content ?? 'nothing');
    const bad = (content as Part[]).find(part => typeof part?.text !== 'string');
    if (bad !== undefined) fail(i, 'parts {text, weight?, train?} in content', bad);
  }
}

/**
 * Check the order of a conversation: an optional system message first, then at least one more message; with
 * `addGenerationPrompt` the last one must not be the assistant's (its turn is the one to be generated).
 */
export function checkOrder(messages: readonly Message[], template: string, options: RenderOptions): void {
  checkMessages(messages, template);
  const late = messages.findIndex((m, i) => m.role === 'system' && i > 0);
  const found = () => messages.map(m => m.role).join(', ');
  if (late > 0) {
    throw new BadInput({
      problem: `template ${template}: message ${late} is a system message`,
      expected: 'a system message only at the beginning',
      found: found(),
      fix: 'move it to the front or make it a user message',
    });
  }
  if (messages.length === 1 && messages[0]!.role === 'system') {
    throw new BadInput({
      problem: `template ${template}: the conversation is only a system message`,
      expected: 'a user message after it',
      found: found(),
      fix: 'add a user message',
    });
  }
  const endsWithAnswer = messages.at(-1)!.role === 'assistant';
  if (options.addGenerationPrompt && endsWithAnswer) {
    throw new BadInput({
      problem: `template ${template}: a prompt for generation ends with an assistant message`,
      expected: 'a user (or tool) message last, so that the answer is what follows',
      found: found(),
      fix: 'drop the last message, or render without addGenerationPrompt',
    });
  }
  if (options.continueFinalMessage && !endsWithAnswer) {
    throw new BadInput({
      problem: `template ${template}: there is no assistant message to continue`,
      expected: 'an assistant message last',
      found: found(),
      fix: 'use addGenerationPrompt to begin a new answer',
    });
  }
}

/** What a template can express beyond plain turns. */
export interface Abilities {
  tools?: boolean;
  toolCalls?: boolean;
}

/** Nothing a row holds is left out in silence: what the template cannot express is refused. */
export function checkAbilities(
  messages: readonly Message[],
  template: string,
  options: RenderOptions,
  { tools = false, toolCalls = false }: Abilities,
): void {
  const refuse = (what: string, fix: string): never => {
    throw new BadInput({ problem: `template ${template} has no place for ${what}`, fix });
  };
  if (options.tools?.length && !tools)
    refuse(
      'tool descriptions',
      'describe the tools in the system message, or use qwen3, qwen2.5, mistral-v3 or the model’s own Jinja template',
    );
  if (options.documents?.length)
    refuse('documents', "put the passage into the user message's input, or use the model’s own Jinja template");
  if (toolCalls) return;
  const calling = messages.findIndex(m => m.toolCalls?.length);
  if (calling >= 0)
    refuse(
      `the tool calls of message ${calling}`,
      'use chatml, qwen2.5, qwen3, llama-3 or mistral-v3, or the model’s own Jinja template',
    );
}

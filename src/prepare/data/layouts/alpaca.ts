import type { Message, Row } from '../types.js';
import { demand, extras, finish, optional, unusable } from './fields.js';
import type { Converted, Layout } from './layout.js';
import { isPlain } from './message.js';

const KEYS = ['instruction', 'input', 'output', 'system'] as const;

/** Stanford Alpaca: {instruction, input?, output}, with LLaMA-Factory's optional `system`. */
export const alpaca: Layout = {
  name: 'alpaca',
  kind: 'rows',
  like: '{"instruction", "input" (optional), "output"} (Alpaca)',
  detect: value => 'instruction' in value || 'output' in value,
  convert: value => instructionRow(value, { question: 'instruction', context: 'input', answer: 'output', system: 'system' }),
  write(row) {
    const parts = instructionParts(row as Row);
    if ('reason' in parts) return parts;
    const rest = extras(row, KEYS);
    if ('reason' in rest) return rest;
    const { system, user, answer } = parts;
    return {
      value: {
        ...(system === undefined ? {} : { system }),
        instruction: user.content,
        input: user.input ?? '',
        output: answer,
        ...rest.value,
      },
    };
  },
};

interface Keys {
  question: string;
  context: string;
  answer: string;
  system?: string;
}

/** One instruction, perhaps a passage, one answer, under whatever names. */
export function instructionRow(value: Record<string, unknown>, keys: Keys): Converted {
  const instruction = demand(value, keys.question);
  if (typeof instruction !== 'string') return instruction;
  const output = demand(value, keys.answer);
  if (typeof output !== 'string') return output;
  const input = optional(value, keys.context);
  if (typeof input !== 'string') return input;
  const system = keys.system ? optional(value, keys.system) : '';
  if (typeof system !== 'string') return system;
  if (instruction.trim() === '' && input.trim() === '') return unusable(`"${keys.question}" is empty`);
  if (output.trim() === '') return unusable(`"${keys.answer}" is empty`);
  const messages: Message[] = [];
  if (system !== '') messages.push({ role: 'system', content: system });
  messages.push(input === '' ? { role: 'user', content: instruction } : { role: 'user', content: instruction, input });
  messages.push({ role: 'assistant', content: output });
  return finish({ messages }, value, Object.values(keys));
}

/** The parts of a row that is one instruction and one answer; else why it is not. */
export function instructionParts(
  row: Row,
): { system?: string; user: Message & { content: string }; answer: string } | { reason: string } {
  const { messages } = row;
  const system = messages[0]?.role === 'system' ? messages[0] : undefined;
  const [user, assistant, ...more] = system ? messages.slice(1) : messages;
  const fits =
    user?.role === 'user' &&
    assistant?.role === 'assistant' &&
    more.length === 0 &&
    isPlain(user, true) &&
    isPlain(assistant) &&
    (!system || (isPlain(system) && system.content !== '')) &&
    !row.tools &&
    !row.documents;
  if (!fits)
    return { reason: 'it is not one optional system message, one user message and one assistant message, without weights' };
  return { system: system?.content as string | undefined, user, answer: assistant.content };
}

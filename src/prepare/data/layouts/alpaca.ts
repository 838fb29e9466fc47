import type { Message, Row } from '../types.js';
import { demand, extras, finish, optional, own, unusable } from './fields.js';
import type { Converted, Layout } from './layout.js';
import { isPlain } from './message.js';

const KEYS = ['instruction', 'input', 'output', 'system', 'history'] as const;

/** Stanford Alpaca: {instruction, input?, output}, with LLaMA-Factory's optional `system` and `history`, a list of [question, answer]. */
export const alpaca: Layout = {
  name: 'alpaca',
  kind: 'rows',
  like: '{"instruction", "input" (optional), "output"} (Alpaca)',
  detect: value => 'instruction' in value || 'output' in value,
  structured: ['history'],
  convert: value =>
    instructionRow(value, { question: 'instruction', context: 'input', answer: 'output', system: 'system', history: 'history' }),
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
  history?: string;
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
  const history = keys.history === undefined ? undefined : turnsOf(own(value, keys.history));
  if (history) messages.push(...history);
  messages.push(input === '' ? { role: 'user', content: instruction } : { role: 'user', content: instruction, input });
  messages.push({ role: 'assistant', content: output });
  const used = Object.values(keys).filter(key => history || key !== keys.history);
  return finish({ messages }, value, used);
}

/** Earlier turns of a conversation from pairs of question and answer; undefined for anything else, which is no history. */
function turnsOf(history: unknown): Message[] | undefined {
  const isPair = (turn: unknown) => Array.isArray(turn) && turn.length === 2 && turn.every(text => typeof text === 'string');
  if (!Array.isArray(history) || !history.every(isPair)) return undefined;
  return history.flatMap(([question, answer]: [string, string]) => [
    { role: 'user', content: question },
    { role: 'assistant', content: answer },
  ]);
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

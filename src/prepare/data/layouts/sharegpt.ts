import type { Message, Row } from '../types.js';
import { extras, optional, own } from './fields.js';
import type { Layout } from './layout.js';
import { isPlain } from './message.js';
import { conversation } from './messages.js';

const KEYS = ['conversations', 'conversation', 'system', 'tools', 'functions', 'documents'] as const;
const FROM = { system: 'system', user: 'human', assistant: 'gpt', tool: 'observation' } as const;

/**
 * ShareGPT: {conversations: [{from, value}], system?, tools?} with human, gpt, system, tool, observation and function_call turns;
 * the spelling `role`, `content` is read too.
 */
export const sharegpt: Layout = {
  name: 'sharegpt',
  kind: 'rows',
  like: '{"conversations": [{"from", "value"}, …]} (ShareGPT)',
  structured: ['conversations', 'conversation', 'tools', 'functions', 'documents'],
  detect: value => Array.isArray(value.conversations ?? value.conversation) || 'conversations' in value,
  convert(value) {
    const key = 'conversations' in value ? 'conversations' : 'conversation';
    const system = optional(value, 'system');
    if (typeof system !== 'string') return system;
    const made = conversation(value, key, system === '' ? [] : [{ role: 'system', content: system }]);
    if (made.kind !== 'row' || own(value, 'system') === undefined) return made;
    const { system: _used, ...meta } = made.row.meta ?? {};
    const { meta: _meta, ...row } = made.row;
    return { kind: 'row', row: { ...row, ...(Object.keys(meta).length ? { meta } : {}) } as Row };
  },
  write(row) {
    const { messages, tools, documents } = row as Row;
    const turns = messages.map(writeTurn);
    if (turns.includes(undefined)) return { reason: 'a message has weights, parts, a name or reasoning' };
    const rest = extras(row, KEYS);
    if ('reason' in rest) return rest;
    return {
      value: { conversations: turns, ...(tools ? { tools } : {}), ...(documents ? { documents } : {}), ...rest.value },
    };
  },
};

function writeTurn(message: Message): object | undefined {
  if (isPlain(message)) return { from: FROM[message.role], value: message.content };
  const { toolCalls, ...rest } = message;
  // A call must be the whole turn, and have a name and arguments only.
  if (message.role !== 'assistant' || !toolCalls || !isPlain(rest) || rest.content !== '') return undefined;
  if (toolCalls.some(call => call.id !== undefined)) return undefined;
  const calls = toolCalls.map(({ name, arguments: given }) => ({ name, arguments: given }));
  return { from: 'function_call', value: JSON.stringify(calls.length === 1 ? calls[0] : calls) };
}

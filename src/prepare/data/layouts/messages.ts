import type { Message, Row } from '../types.js';
import { describe, extras, finish, isMalformed, malformed, own, unusable } from './fields.js';
import type { Converted, Layout } from './layout.js';
import { readMessages, readObjects, says, wireMessage } from './message.js';

const TOOL_KEYS = ['tools', 'functions', 'documents'] as const;

/** OpenAI chat: {messages: [{role, content, tool_calls …}], tools?}. Also Tülu, UltraChat, OpenHermes in their new form. */
export const messages: Layout = {
  name: 'messages',
  kind: 'rows',
  like: '{"messages": [{"role", "content"}, …]} (OpenAI)',
  structured: ['messages', ...TOOL_KEYS],
  detect: value => 'messages' in value,
  convert: value => conversation(value, 'messages'),
  write(row) {
    const { messages: list, tools, documents } = row as Row;
    const rest = extras(row, ['messages', ...TOOL_KEYS]);
    if ('reason' in rest) return rest;
    return {
      value: {
        messages: list.map(wireMessage),
        ...(tools ? { tools } : {}),
        ...(documents ? { documents } : {}),
        ...rest.value,
      },
    };
  },
};

/** A row whose conversation stands under `key`; `before` are messages that go ahead of it. */
export function conversation(value: Record<string, unknown>, key: string, before: readonly Message[] = []): Converted {
  const list = listOf(own(value, key));
  if (!Array.isArray(list))
    return malformed(
      key,
      `${key} is not a list`,
      'an array of {"role", "content"}',
      key in value ? describe(list) : 'no such key',
    );
  const read = readMessages(list, key);
  if (!Array.isArray(read)) return read;
  if (read.length === 0) return unusable(`"${key}" is empty`);
  const spoken = read.filter(m => m.role === 'assistant');
  if (spoken.length === 0) return unusable('no assistant message: nothing to train on');
  if (!spoken.some(says)) return unusable('every assistant message is empty');
  return withTools({ messages: [...before, ...read] }, value, [key]);
}

/** A list, or the JSON text of one: tables are often made with their lists as text. */
function listOf(value: unknown): unknown {
  if (typeof value !== 'string' || !value.trimStart().startsWith('[')) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value; // Refused as the text it is.
  }
}

/** Tools and documents of a row, then what {@link finish} does. */
export function withTools(row: Row, value: Record<string, unknown>, used: readonly string[]): Converted {
  const tools = readObjects(own(value, 'tools') ?? own(value, 'functions'), 'tools');
  if (isMalformed(tools)) return tools;
  const documents = readObjects(own(value, 'documents'), 'documents');
  if (isMalformed(documents)) return documents;
  if (tools) row.tools = tools;
  if (documents) row.documents = documents;
  return finish(row, value, [...used, ...TOOL_KEYS]);
}

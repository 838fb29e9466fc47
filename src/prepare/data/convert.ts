import { quote } from '../../base/core/index.js';
import type { Message, Role, Row, RowFormat } from './types.js';

/** What one raw value turned out to be: a row, a well-formed row nobody can train on, or a malformed one. */
export type Converted =
  | { kind: 'row'; row: Row }
  | { kind: 'unusable'; reason: string }
  | { kind: 'malformed'; key?: string; problem: string; expected: string; found: string; fix?: string };

const ROLES: readonly string[] = ['system', 'user', 'assistant', 'tool'];

/** The layouts readRows knows, for error messages. */
export const LAYOUTS: string =
  '{"instruction", "input" (optional), "output"} (Alpaca), {"messages": [{"role", "content"}, …]} (OpenAI) or {"text"} (plain text)';

/** Tell the layout of a row from its keys; undefined when it has none of them. */
export function detectFormat(value: unknown): RowFormat | undefined {
  if (!isObject(value)) return undefined;
  if ('messages' in value) return 'messages';
  if ('instruction' in value || 'output' in value) return 'alpaca';
  return 'text' in value ? 'text' : undefined;
}

/** Turn one parsed value into a Row of the given layout. Never throws: the caller knows file and line. */
export function convertRow(value: unknown, format: RowFormat): Converted {
  if (!isObject(value)) return malformed(undefined, 'a row is not an object', `an object like ${LAYOUTS}`, describe(value));
  if (format === 'alpaca') return fromAlpaca(value);
  if (format === 'messages') return fromMessages(value);
  return fromText(value);
}

function fromAlpaca(value: Record<string, unknown>): Converted {
  for (const key of ['instruction', 'output'] as const) {
    if (!(key in value)) {
      const keys = Object.keys(value);
      return malformed(
        key,
        `the row has no "${key}"`,
        `a string in "${key}"`,
        keys.length
          ? `only the keys ${keys
              .slice(0, 8)
              .map(k => quote(k, 40))
              .join(', ')}`
          : 'no keys at all',
        `add "${key}" to the row or delete the row; readRows(…, {onBad: 'skip'}) skips and lists such rows`,
      );
    }
    if (typeof value[key] !== 'string') return malformed(key, `"${key}" is not text`, 'a string', describe(value[key]));
  }
  const input = isMissing(value.input) ? '' : value.input;
  if (typeof input !== 'string')
    return malformed('input', '"input" is not text', 'a string, or no "input" at all', describe(input));
  const system = isMissing(value.system) ? '' : value.system;
  if (typeof system !== 'string')
    return malformed('system', '"system" is not text', 'a string, or no "system" at all', describe(system));

  const { instruction, output } = value as { instruction: string; output: string };
  if (instruction.trim() === '' && input.trim() === '') return { kind: 'unusable', reason: '"instruction" is empty' };
  if (output.trim() === '') return { kind: 'unusable', reason: '"output" is empty' };
  const messages: Message[] = [];
  if (system !== '') messages.push({ role: 'system', content: system });
  messages.push(input === '' ? { role: 'user', content: instruction } : { role: 'user', content: instruction, input });
  messages.push({ role: 'assistant', content: output });
  return { kind: 'row', row: finish(messages, value, ['instruction', 'input', 'output', 'system']) };
}

function fromMessages(value: Record<string, unknown>): Converted {
  const list = value.messages;
  if (!Array.isArray(list)) {
    return malformed(
      'messages',
      'messages is not a list',
      'an array of {"role", "content"}',
      'messages' in value ? describe(list) : 'no such key',
    );
  }
  const messages: Message[] = [];
  for (const [i, item] of list.entries()) {
    const at = `messages[${i}]`;
    if (!isObject(item))
      return malformed(at, 'a message is not an object', 'an object with "role" and "content"', describe(item));
    if (!ROLES.includes(item.role as string)) {
      return malformed(
        `${at}.role`,
        'unknown role',
        `one of ${ROLES.join(', ')}`,
        'role' in item ? quote(item.role) : 'no "role"',
      );
    }
    if (typeof item.content !== 'string') {
      return malformed(
        `${at}.content`,
        'content is not text',
        'a string',
        'content' in item ? describe(item.content) : 'no "content"',
      );
    }
    const message: Message = { role: item.role as Role, content: item.content };
    if (typeof item.input === 'string' && item.input !== '') message.input = item.input;
    if (item.weight !== undefined && item.weight !== null) {
      if (typeof item.weight !== 'number' || !(item.weight >= 0) || !Number.isFinite(item.weight)) {
        return malformed(`${at}.weight`, 'weight is not a number from 0 up', 'a finite number ≥ 0', describe(item.weight));
      }
      message.weight = item.weight;
    }
    messages.push(message);
  }
  if (messages.length === 0) return { kind: 'unusable', reason: '"messages" is empty' };
  if (!messages.some(m => m.role === 'assistant'))
    return { kind: 'unusable', reason: 'no assistant message: nothing to train on' };
  if (messages.every(m => m.role !== 'assistant' || m.content.trim() === '')) {
    return { kind: 'unusable', reason: 'every assistant message is empty' };
  }
  return { kind: 'row', row: finish(messages, value, ['messages']) };
}

function fromText(value: Record<string, unknown>): Converted {
  if (typeof value.text !== 'string') {
    return malformed(
      'text',
      'text is not a string',
      'a string in "text"',
      'text' in value ? describe(value.text) : 'no such key',
    );
  }
  if (value.text.trim() === '') return { kind: 'unusable', reason: '"text" is empty' };
  return { kind: 'row', row: finish([{ role: 'assistant', content: value.text }], value, ['text']) };
}

function finish(messages: Message[], value: Record<string, unknown>, used: readonly string[]): Row {
  const row: Row = { messages };
  if (typeof value.task === 'string') row.task = value.task;
  const rest = Object.entries(value).filter(([key, v]) => !used.includes(key) && !(key === 'task' && typeof v === 'string'));
  if (rest.length > 0) row.meta = Object.fromEntries(rest);
  return row;
}

function malformed(key: string | undefined, problem: string, expected: string, found: string, fix?: string): Converted {
  return { kind: 'malformed', key, problem, expected, found, fix };
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Tables say "no value" in three ways. */
function isMissing(value: unknown): value is null | undefined | number {
  return value === null || value === undefined || (typeof value === 'number' && Number.isNaN(value));
}

/** A value's type and a glimpse of it: `a number (3)`. */
export function describe(value: unknown): string {
  if (value === null) return 'null';
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object') return `an object with the keys ${quote(Object.keys(value).slice(0, 6))}`;
  return `a ${typeof value} (${quote(value, 40)})`;
}

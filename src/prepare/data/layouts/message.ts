import { quote } from '../../../base/core/index.js';
import { contentText } from '../message.js';
import type { Message, Part, Role, ToolCall } from '../types.js';
import { describe, isMalformed, isMissing, isObject, malformed, own } from './fields.js';
import type { Malformed } from './layout.js';

/** What other data sets call the four roles. */
const ROLES: ReadonlyMap<string, Role> = new Map([
  ['system', 'system'],
  ['developer', 'system'],
  ['user', 'user'],
  ['human', 'user'],
  ['prompter', 'user'],
  ['assistant', 'assistant'],
  ['gpt', 'assistant'],
  ['chatgpt', 'assistant'],
  ['bing', 'assistant'],
  ['bard', 'assistant'],
  ['bot', 'assistant'],
  ['chatbot', 'assistant'],
  ['model', 'assistant'],
  ['ai', 'assistant'],
  ['function_call', 'assistant'],
  ['tool', 'tool'],
  ['function', 'tool'],
  ['function_response', 'tool'],
  ['observation', 'tool'],
  ['ipython', 'tool'],
]);

/** A message that nobody can train on, for a reason that lies in the data and not in its form. */
interface Untrainable {
  kind: 'unusable';
  reason: string;
}

/** A list of messages in OpenAI's spelling (`role`, `content`, `tool_calls` …) or ShareGPT's (`from`, `value`). */
export function readMessages(list: unknown, key: string): Message[] | Malformed | Untrainable {
  if (!Array.isArray(list)) return malformed(key, `${key} is not a list`, 'an array of {"role", "content"}', describe(list));
  const messages: Message[] = [];
  for (const [i, item] of list.entries()) {
    const message = readMessage(item, `${key}[${i}]`);
    if (!('role' in message)) return message;
    messages.push(message);
  }
  return messages;
}

/** One message. `at` is where it stands in its row, for error messages. */
export function readMessage(item: unknown, at: string): Message | Malformed | Untrainable {
  if (!isObject(item)) return malformed(at, 'a message is not an object', 'an object with "role" and "content"', describe(item));
  const [roleKey, textKey] =
    Object.hasOwn(item, 'from') && !Object.hasOwn(item, 'role') ? ['from', 'value'] : ['role', 'content'];
  const spoken = own(item, roleKey!);
  const role = typeof spoken === 'string' ? ROLES.get(spoken.toLowerCase()) : undefined;
  if (!role) {
    return malformed(
      `${at}.${roleKey}`,
      'unknown role',
      roleKey === 'from' ? 'one of system, human, gpt, tool' : 'one of system, user, assistant, tool',
      spoken === undefined ? `no "${roleKey}"` : quote(spoken),
    );
  }
  const calls = readToolCalls(item, at);
  if (isMalformed(calls)) return calls;
  const content = readContent(item, textKey!, at, calls !== undefined);
  if (typeof content !== 'string' && !Array.isArray(content)) return content;

  const message: Message = { role, content };
  if (spoken === 'function_call' && calls === undefined && typeof content === 'string') takeCall(message, content);
  if (calls) message.toolCalls = calls;
  const input = own(item, 'input');
  if (typeof input === 'string' && input !== '') message.input = input;
  for (const [to, keys] of OPTIONAL_TEXT) {
    const found = keys.map(name => own(item, name)).find(v => typeof v === 'string' && v !== '');
    if (found !== undefined) message[to] = found as string;
  }
  const trained = readTraining(item, at);
  return isMalformed(trained) ? trained : Object.assign(message, trained);
}

const OPTIONAL_TEXT: readonly (readonly ['name' | 'thinking' | 'toolCallId', readonly string[]])[] = [
  ['name', ['name']],
  ['toolCallId', ['toolCallId', 'tool_call_id']],
  ['thinking', ['thinking', 'reasoning_content', 'reasoning']],
];

/** `weight` and `train` of a message or part. */
function readTraining(item: Record<string, unknown>, at: string): Pick<Message, 'train' | 'weight'> | Malformed {
  const out: Pick<Message, 'train' | 'weight'> = {};
  const weight = own(item, 'weight');
  if (!isMissing(weight)) {
    if (typeof weight !== 'number' || !(weight >= 0) || !Number.isFinite(weight))
      return malformed(`${at}.weight`, 'weight is not a number from 0 up', 'a finite number ≥ 0', describe(weight));
    out.weight = weight;
  }
  const train = own(item, 'train');
  if (!isMissing(train)) {
    if (typeof train !== 'boolean') return malformed(`${at}.train`, 'train is not true or false', 'a boolean', describe(train));
    out.train = train;
  }
  return out;
}

function readContent(
  item: Record<string, unknown>,
  key: string,
  at: string,
  hasCalls: boolean,
): string | Part[] | Malformed | Untrainable {
  const content = own(item, key);
  if (typeof content === 'string') return content;
  if (Array.isArray(content)) return readParts(content, `${at}.${key}`);
  const refusal = own(item, 'refusal');
  if (isMissing(content) && typeof refusal === 'string' && refusal !== '') return refusal;
  // A message that only calls tools has no content.
  if (isMissing(content) && hasCalls) return '';
  return malformed(`${at}.${key}`, `${key} is not text`, 'a string', content === undefined ? `no "${key}"` : describe(content));
}

/** Content parts; where none has a weight of its own, the text they make together. */
function readParts(list: readonly unknown[], at: string): string | Part[] | Malformed | Untrainable {
  const parts: Part[] = [];
  for (const [i, item] of list.entries()) {
    if (typeof item === 'string') {
      parts.push({ text: item });
      continue;
    }
    if (!isObject(item))
      return malformed(`${at}[${i}]`, 'a content part is not an object', 'an object with "text"', describe(item));
    const text = own(item, 'text') ?? own(item, 'refusal');
    if (typeof text !== 'string') {
      const type = own(item, 'type');
      // Parquet files of images keep {type: 'image'} parts beside the text.
      if (typeof type === 'string' && type !== 'text') {
        return { kind: 'unusable', reason: `a content part of type ${quote(type, 40)}: only text can be trained on` };
      }
      return malformed(`${at}[${i}].text`, 'a content part has no text', 'a string in "text"', describe(text));
    }
    const trained = readTraining(item, `${at}[${i}]`);
    if (isMalformed(trained)) return trained;
    parts.push({ text, ...trained });
  }
  return parts.some(part => part.weight !== undefined || part.train !== undefined)
    ? parts
    : parts.map(part => part.text).join('');
}

function readToolCalls(item: Record<string, unknown>, at: string): ToolCall[] | undefined | Malformed {
  const legacy = own(item, 'function_call');
  const found = own(item, 'toolCalls') ?? own(item, 'tool_calls');
  const list =
    isMissing(found) || (Array.isArray(found) && found.length === 0) ? (isObject(legacy) ? [legacy] : undefined) : found;
  if (list === undefined) return undefined;
  if (!Array.isArray(list)) return malformed(`${at}.tool_calls`, 'tool_calls is not a list', 'an array of calls', describe(list));
  const calls: ToolCall[] = [];
  for (const [i, raw] of list.entries()) {
    const call = readCall(raw);
    if (!call) {
      return malformed(
        `${at}.tool_calls[${i}]`,
        'this is no tool call',
        '{"id", "type": "function", "function": {"name", "arguments"}}',
        describe(raw),
      );
    }
    calls.push(call);
  }
  return calls;
}

function readCall(raw: unknown): ToolCall | undefined {
  if (!isObject(raw)) return undefined;
  const inner = own(raw, 'function');
  const { name, id } = { name: own(isObject(inner) ? inner : raw, 'name'), id: own(raw, 'id') };
  if (typeof name !== 'string') return undefined;
  const given = own(isObject(inner) ? inner : raw, 'arguments') ?? own(isObject(inner) ? inner : raw, 'parameters') ?? {};
  const call: ToolCall = { name, arguments: readArguments(given) };
  if (typeof id === 'string' && id !== '') call.id = id;
  return call;
}

/** OpenAI sends arguments as JSON text, templates print them as objects: text that holds an object becomes one, other text is kept. */
function readArguments(given: unknown): Record<string, unknown> | string {
  if (isObject(given)) return given;
  if (typeof given !== 'string') return JSON.stringify(given);
  try {
    const parsed: unknown = JSON.parse(given);
    if (isObject(parsed)) return parsed;
  } catch {
    // What a model wrote need not be JSON.
  }
  return given;
}

/** ShareGPT's `function_call` turn: its text is the call, or a list of calls, as JSON. */
function takeCall(message: Message, text: string): void {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return;
  }
  const calls = (Array.isArray(parsed) ? parsed : [parsed]).map(readCall);
  if (calls.length === 0 || calls.some(call => call === undefined)) return;
  message.content = '';
  message.toolCalls = calls as ToolCall[];
}

/** Whether an assistant's message has anything to learn from. */
export function says(message: Message): boolean {
  return contentText(message).trim() !== '' || (message.toolCalls?.length ?? 0) > 0 || (message.thinking ?? '').trim() !== '';
}

/** A message in OpenAI's wire spelling, which {@link readMessage} reads back. */
export function wireMessage(message: Message): Record<string, unknown> {
  const { role, content, input, weight, train, name, toolCalls, toolCallId, thinking } = message;
  const out: Record<string, unknown> = {
    role,
    content: typeof content === 'string' ? content : content.map(part => ({ type: 'text', ...part })),
  };
  if (name !== undefined) out.name = name;
  if (thinking !== undefined) out.reasoning_content = thinking;
  if (toolCalls !== undefined) {
    out.tool_calls = toolCalls.map(({ id, name: called, arguments: given }) => ({
      ...(id === undefined ? {} : { id }),
      type: 'function',
      function: { name: called, arguments: typeof given === 'string' ? given : JSON.stringify(given) },
    }));
  }
  if (toolCallId !== undefined) out.tool_call_id = toolCallId;
  if (input !== undefined) out.input = input;
  if (weight !== undefined) out.weight = weight;
  if (train !== undefined) out.train = train;
  return out;
}

/** Whether a message is nothing but a role and one text (and, with `input`, a passage), so that flat layouts can hold it. */
export function isPlain(message: Message, withInput = false): message is Message & { content: string } {
  return (
    typeof message.content === 'string' &&
    Object.entries(message).every(
      ([key, value]) => value === undefined || key === 'role' || key === 'content' || (withInput && key === 'input'),
    )
  );
}

/** Tools or documents of a row: a list, or its JSON text as some data sets keep it. */
export function readObjects(value: unknown, key: string): object[] | undefined | Malformed {
  let list = value;
  if (typeof list === 'string' && list.trim() !== '') {
    try {
      list = JSON.parse(list);
    } catch {
      return malformed(key, `${key} is not a list`, 'an array of objects, or its JSON text', describe(value));
    }
  }
  if (isMissing(list) || list === '') return undefined;
  if (isObject(list)) list = [list];
  if (!Array.isArray(list) || !list.every(isObject))
    return malformed(key, `${key} is not a list of objects`, 'an array of objects', describe(value));
  return list.length ? (list as object[]) : undefined;
}

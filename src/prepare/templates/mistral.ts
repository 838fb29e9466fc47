import { BadInput } from '../../base/core/index.js';
import { contentText, type Message, type ToolCall } from '../data/index.js';
import { think } from './define.js';
import { pythonJson } from './json.js';
import { Rendering } from './rendering.js';
import { lastQuestion, thinkingOf } from './thinking.js';
import { argumentsText } from './tool-calls.js';
import { checkAbilities, checkOrder } from './turns.js';
import type { RenderOptions, Segment, Template } from './types.js';

// The three versions of Mistral's instruct format differ in spaces (mistral-common; the Jinja templates of Mistral-7B-Instruct
// v0.1/v0.2, v0.3 and Mistral-Nemo). None has a system role. We put the system text into the first user message, so that the
// beginning of a chat stays the same as it goes on; mistral-common puts it into the last one from v3 on.
interface Mistral {
  name: string;
  before: string;
  end: string;
  /** The model's own space in front of an answer. */
  lead: string;
  trimAnswer: boolean;
  /** What stands after a tool marker; undefined where the version knows no tools. */
  marker?: string;
}

function mistral(form: Mistral): Template {
  return {
    name: form.name,
    boundary: 'split',
    stop: ['eos'],
    render: (messages, options = {}) => render(form, messages, options),
  };
}

function render(form: Mistral, messages: readonly Message[], options: RenderOptions): Segment[] {
  checkOrder(messages, form.name, options);
  const tools = form.marker !== undefined;
  checkAbilities(messages, form.name, options, { tools, toolCalls: tools });
  const out = new Rendering();
  out.print(options.bosToken ?? '<s>');
  const eos = options.eosToken ?? '</s>';
  let system = messages[0]!.role === 'system' ? messages[0] : undefined;
  const question = lastQuestion(messages);
  if (system && question < 0) throw noPlace(form, 'a system message without a user message');
  for (const [i, message] of messages.entries()) {
    const { role } = message;
    const own = { role, message: i };
    if (role === 'user') {
      if (i === question && options.tools?.length) writeTools(out, form, options.tools, i);
      out.print(form.before, own);
      if (system && out.content(system, 0)) out.print('\n\n', { role: 'system', message: 0 });
      system = undefined;
      out.question(message, i);
      out.print(form.end, own);
    } else if (role === 'assistant') {
      const answer = { ...own, trained: true };
      if (message.toolCalls?.length) writeCalls(out, form, messages, i);
      else {
        out.print(form.lead, answer);
        const thought = thinkingOf(messages, i, options.thinking ?? 'keep');
        if (thought !== undefined) think(out, thought, i);
        out.content(message, i, form.trimAnswer ? 'both' : undefined);
      }
      if (!(options.continueFinalMessage && i === messages.length - 1)) out.print(eos, answer);
    } else if (role === 'tool') {
      if (form.marker === undefined) throw noPlace(form, `message ${i}, a tool's result`);
      out.print(`[TOOL_RESULTS]${form.marker}{"content": `, own);
      out.content(message, i);
      out.print(', "call_id": "', own);
      out.write(callId(message.toolCallId ?? callBefore(messages, i)), 'tool', i);
      out.print('"}[/TOOL_RESULTS]', own);
    }
  }
  return out.segments;
}

function writeTools(out: Rendering, { marker }: Mistral, tools: readonly object[], message: number): void {
  const own = { role: 'system', message } as const;
  out.print(`[AVAILABLE_TOOLS]${marker}[`, own);
  for (const [i, tool] of tools.entries()) {
    const described = (tool as { function?: object }).function ?? tool;
    if (i > 0) out.print(', ', own);
    out.write(pythonJson({ type: 'function', function: described }), 'system', message);
  }
  out.print('][/AVAILABLE_TOOLS]', own);
}

function writeCalls(out: Rendering, { name, marker }: Mistral, messages: readonly Message[], message: number): void {
  const calling = messages[message]!;
  if (contentText(calling).trim() !== '' || calling.thinking) {
    throw new BadInput({
      problem: `template ${name}: message ${message} has both text and tool calls`,
      expected: 'one of them',
      fix: 'split it into two messages, or use qwen3, qwen2.5 or chatml',
    });
  }
  const own = { role: 'assistant', message, trained: true } as const;
  out.print(`[TOOL_CALLS]${marker}[`, own);
  for (const [i, call] of calling.toolCalls!.entries()) {
    out.print(`${i > 0 ? ', ' : ''}{"name": "`, own);
    out.write(call.name, 'assistant', message);
    out.print('", "arguments": ', own);
    out.write(argumentsText(call), 'assistant', message);
    out.print(', "id": "', own);
    out.write(callId(call.id ?? callName(message, i)), 'assistant', message);
    out.print('"}', own);
  }
  out.print(']', own);
}

/** Ids are nine letters or digits; others are made into such, the same for the same id. */
function callId(id: string): string {
  if (/^[a-zA-Z0-9]{9}$/.test(id)) return id;
  // FNV-1a, twice with different starts for 9 characters in base 36.
  const hash = (seed: number) => {
    let h = seed;
    for (let i = 0; i < id.length; i++) h = Math.imul(h ^ id.charCodeAt(i), 16777619) >>> 0;
    return h.toString(36).padStart(7, '0');
  };
  return (hash(2166136261) + hash(84696351)).slice(-9);
}

const callName = (message: number, i: number) => `call ${i} of message ${message}`;

/** A result without an id answers the calls before it in their order. */
function callBefore(messages: readonly Message[], i: number): string {
  const calling = messages.findLastIndex((m, at) => at < i && m.role === 'assistant');
  const calls: readonly ToolCall[] = messages[calling]?.toolCalls ?? [];
  const at = i - calling - 1;
  return calls[at]?.id ?? callName(calling, at);
}

function noPlace({ name }: Mistral, what: string): BadInput {
  return new BadInput({
    problem: `template ${name} has no place for ${what}`,
    fix: 'use mistral-v3 or mistral-tekken for tools, or a template such as chatml, which takes every role',
  });
}

/** Mistral 7B Instruct v0.1 and v0.2: `<s> [INST] {u} [/INST] {a}</s>`. */
export const mistralV1: Template = mistral({
  name: 'mistral-v1',
  before: ' [INST] ',
  end: ' [/INST]',
  lead: ' ',
  trimAnswer: false,
});

/** Mistral 7B Instruct v0.3 (tokenizer v3): `<s>[INST] {u}[/INST] {a}</s>`, with tools. */
export const mistralV3: Template = mistral({
  name: 'mistral-v3',
  before: '[INST] ',
  end: '[/INST]',
  lead: ' ',
  trimAnswer: true,
  marker: ' ',
});

/** Mistral Nemo and later (Tekken tokenizer): `<s>[INST]{u}[/INST]{a}</s>`, with tools. */
export const mistralTekken: Template = mistral({
  name: 'mistral-tekken',
  before: '[INST]',
  end: '[/INST]',
  lead: '',
  trimAnswer: false,
  marker: '',
});

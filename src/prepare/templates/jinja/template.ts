import { BadInput, quote } from '../../../base/core/index.js';
import type { Message } from '../../data/index.js';
import { lastQuestion } from '../thinking.js';
import type { Segment, Template } from '../types.js';
import type { WireMessage } from './conversation.js';
import type { Limits } from './meter.js';
import { Program } from './program.js';
import { type Chat, type JinjaRenderOptions, renderChat } from './render.js';
import { toSegments } from './segments.js';
import { type Answer, markedAnswers, prefixAnswers } from './spans.js';
import { pointIndex, raw } from './text.js';

export interface JinjaOptions {
  /** Defaults to `jinja`. */
  name?: string;
  /** See `Template.boundary`. Defaults to `whole`: ids are then transformers' own. `split` is what generation sees. */
  boundary?: 'split' | 'whole';
  /** What ends an assistant turn. Defaults to what the template prints after one in a short conversation. */
  stop?: readonly string[];
  /** Special tokens by the names the template knows them by: `{bos_token: '<s>', eos_token: '</s>'}`. */
  tokens?: Readonly<Record<string, string>>;
  /** Variables given to every rendering, e.g. `{enable_thinking: false}`. */
  variables?: Readonly<Record<string, unknown>>;
  /** The clock of strftime_now, for templates that print the date. Defaults to the time of rendering; a Date stands still. */
  now?: Date | (() => Date);
  limits?: Limits;
  /**
   * What becomes of text in messages that looks like a special token: `text` (the default) keeps it text, so that no user
   * can end a turn; `as-transformers` makes it the token, as apply_chat_template does.
   */
  hostile?: 'text' | 'as-transformers';
}

/** A Jinja chat template. Renders as transformers' apply_chat_template. */
export interface JinjaTemplate extends Template {
  readonly source: string;
  /** Whether it marks what the model writes with `{% generation %}`. Without that, answers are found by prefixes. */
  readonly marksGeneration: boolean;
  /** @throws BadInput what the template raises, and what is an error in Jinja. */
  render(messages: readonly (Message | WireMessage)[], options?: JinjaRenderOptions): Segment[];
  /** The rendered text alone. */
  text(messages: readonly (Message | WireMessage)[], options?: JinjaRenderOptions): string;
  /** What `{% generation %}` blocks printed, as code points [start, end): transformers' generation indices. */
  generations(messages: readonly (Message | WireMessage)[], options?: JinjaRenderOptions): [number, number][];
}

const GENERATION = /\{%[-+]?\s*generation\s*[-+]?%\}/;

/**
 * A template from the Jinja source of a `chat_template`.
 *
 * It is rendered by an interpreter of our own with Python's semantics, which reaches nothing outside the conversation and is
 * bounded in time and size (`limits`). Each character keeps where it came from, so text of a message never becomes a special
 * token, and answers are found also where the template prints them changed.
 * @throws BadInput for a source that is no Jinja, naming the line.
 */
export function fromJinja(source: string, options: JinjaOptions = {}): JinjaTemplate {
  if (typeof source !== 'string' || source === '') {
    throw new BadInput({
      problem: 'there is no Jinja source',
      expected: 'the text of a chat template',
      found: quote(source),
      fix: 'give the text of chat_template.jinja, or use templates.fromTokenizerConfig',
    });
  }
  const { name = 'jinja', boundary = 'whole', now, limits, hostile = 'text', tokens = {}, variables = {} } = options;
  const clock = now instanceof Date ? () => now : now;
  const program = new Program(source, { ...(clock && { now: clock }), ...(limits && { limits }) });
  const chat: Chat = { program, source, tokens, variables };
  const marksGeneration = GENERATION.test(source);
  const rendered = (messages: readonly WireMessage[], given: JinjaRenderOptions = {}) =>
    renderChat(chat, thinned(messages, given), given);
  return {
    name,
    boundary,
    stop: options.stop ?? stopOf(chat),
    source,
    marksGeneration,
    render(messages, given = {}) {
      const shown = thinned(messages, given);
      const { text, generations } = renderChat(chat, shown, given);
      const answers: Answer[] = marksGeneration
        ? markedAnswers(text, generations, shown)
        : prefixAnswers(chat, shown, given, text);
      return toSegments(text, answers, shown, hostile);
    },
    text: (messages, given) => raw(rendered(messages, given).text),
    generations(messages, given) {
      const { text, generations } = rendered(messages, given);
      return generations.map(([start, end]) => [pointIndex(raw(text), start), pointIndex(raw(text), end)]);
    },
  };
}

/** Reasoning left out where `thinking` says so; what is left is the template's business. */
function thinned(messages: readonly WireMessage[], { thinking }: JinjaRenderOptions): readonly WireMessage[] {
  if (thinking !== 'drop' && thinking !== 'last') return messages;
  const question = lastQuestion(messages as readonly Message[]);
  return messages.map((message, i) => {
    if (message.role !== 'assistant' || (thinking === 'last' && i > question)) return message;
    const { thinking: _1, reasoning_content: _2, reasoning: _3, ...rest } = message as Record<string, unknown>;
    const { content } = rest;
    if (typeof content === 'string') rest.content = content.replace(/^\s*<think>[\s\S]*?<\/think>\s*/, '');
    return rest as WireMessage;
  });
}

const PROBE = 'tunebook probes';
const EOS = '<|tunebook-eos|>';

/** What the template prints after the answer of a short conversation: its first special token, or all of it. */
function stopOf(chat: Chat): string[] {
  const eos = chat.tokens.eos_token ?? EOS;
  // Some templates read content only as a list of parts.
  for (const wrap of [(text: string) => text, (text: string) => [{ type: 'text', text }]]) {
    const messages = [
      { role: 'user', content: wrap('hello') },
      { role: 'assistant', content: wrap(PROBE) },
    ];
    try {
      const text = raw(renderChat(chat, messages, { eosToken: eos }).text);
      const at = text.lastIndexOf(PROBE);
      if (at < 0) continue;
      const tail = text.slice(at + PROBE.length).trim();
      return [tail === '' || tail.startsWith(eos) ? 'eos' : (/^<[^>\s]+>|^\[[^\]\s]+\]/.exec(tail)?.[0] ?? tail)];
    } catch (error) {
      if (!(error instanceof BadInput)) throw error;
    }
  }
  return ['eos'];
}

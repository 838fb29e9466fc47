import { BadInput } from '../../../base/core/index.js';
import type { RenderOptions } from '../types.js';
import { cutAtMark, markFinal, type WireMessage, wireMessages } from './conversation.js';
import { plainData } from './data.js';
import type { Program, Rendered } from './program.js';
import { cut, raw } from './text.js';
import type { Value } from './values.js';

/** What a Jinja template takes beside what every template takes. */
export interface JinjaRenderOptions extends RenderOptions {
  /** Further variables the template reads, e.g. `{enable_thinking: false}`. */
  variables?: Readonly<Record<string, unknown>>;
}

export interface Chat {
  program: Program;
  source: string;
  /** Special tokens by the names templates know them by, `bos_token` and so on. */
  tokens: Readonly<Record<string, string>>;
  variables: Readonly<Record<string, unknown>>;
}

/** Render a conversation as transformers' apply_chat_template does. */
export function renderChat(chat: Chat, messages: readonly WireMessage[], options: JinjaRenderOptions = {}): Rendered {
  const { addGenerationPrompt = false, continueFinalMessage = false, bosToken, eosToken, tools, documents } = options;
  if (addGenerationPrompt && continueFinalMessage) {
    throw new BadInput({
      problem: 'addGenerationPrompt and continueFinalMessage exclude each other',
      expected: 'one of them',
      fix: 'use continueFinalMessage to go on with the last message, addGenerationPrompt to begin a new one',
    });
  }
  const wire = wireMessages(messages);
  const final = continueFinalMessage ? markFinal(wire, chat.source) : undefined;
  const variables = new Map<string, Value>();
  const tokens = {
    ...chat.tokens,
    ...(bosToken !== undefined && { bos_token: bosToken }),
    ...(eosToken !== undefined && { eos_token: eosToken }),
  };
  for (const [name, token] of Object.entries(tokens)) variables.set(name, token);
  for (const [name, value] of Object.entries({ ...chat.variables, ...options.variables })) {
    variables.set(name, plainData(value, name.endsWith('_token') ? undefined : {}));
  }
  variables.set('messages', wire);
  variables.set('tools', plainData(tools, {}));
  variables.set('documents', plainData(documents, {}));
  variables.set('add_generation_prompt', addGenerationPrompt);
  const rendered = chat.program.render(variables);
  if (final === undefined) return rendered;
  const end = cutAtMark(raw(rendered.text), final);
  if (end === undefined) {
    throw new BadInput({
      problem: 'continueFinalMessage: the template does not print the last message as it is',
      expected: 'the text of the last message in what the template renders',
      fix: 'change the last message (templates may delete reasoning from it), or leave continueFinalMessage out',
    });
  }
  return {
    text: cut(rendered.text, 0, end),
    generations: rendered.generations
      .filter(([start]) => start < end)
      .map(([start, stop]): [number, number] => [start, Math.min(stop, end)]),
  };
}

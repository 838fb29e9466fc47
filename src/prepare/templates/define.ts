import { BadInput } from '../../base/core/index.js';
import type { Message } from '../data/index.js';
import { checkOrder, withInput } from './turns.js';
import type { RenderOptions, Segment, Template } from './types.js';

/** What a template writes around the messages of one role. In every text `{eos}` stands for the tokenizer's EOS. */
export interface TurnFormat {
  before: string;
  /** What ends the turn; for the assistant it is trained, and generation stops on it. */
  end?: string;
  /** What follows the end, e.g. the newline after `<|im_end|>`; never trained. */
  after?: string;
}

/** A chat template in a few strings. */
export interface TemplateFormat {
  name: string;
  /** Defaults to `split`: see {@link Template.boundary}. */
  boundary?: 'split' | 'whole';
  /** Leave a role out to refuse it; `fold` puts the system text in front of the first user message. */
  system?: TurnFormat | 'fold';
  user: TurnFormat;
  assistant: TurnFormat;
  tool?: TurnFormat;
  /** Print the tokenizer's BOS at the beginning. Defaults to false; `tokens.encode` adds one where the tokenizer wants it. */
  bos?: boolean;
}

/**
 * Make a template from the strings around each role. It is ready to use; `register` gives it a name `get` finds.
 *
 * ```ts
 * templates.register(templates.define({
 *   name: 'mine',
 *   system: { before: '[SYS]', end: '\n' },
 *   user: { before: '[USER]', end: '\n' },
 *   assistant: { before: '[BOT]', end: '{eos}' },
 * }));
 * ```
 */
export function define(format: TemplateFormat): Template {
  const { name, boundary = 'split', system, bos = false } = format;
  const end = format.assistant.end ?? '';
  if (end === '') {
    throw new BadInput({
      problem: `template ${name}: the assistant's turn has no end`,
      expected: 'a text in assistant.end',
      found: 'nothing: a model trained with it would never stop',
      fix: "use '{eos}' when no other text ends a turn",
    });
  }
  return {
    name,
    boundary,
    stop: end === '{eos}' ? ['eos'] : [end],
    render(messages: readonly Message[], options: RenderOptions = {}): Segment[] {
      checkOrder(messages, name, options.addGenerationPrompt === true);
      const fill = (text = '') => text.replaceAll('{eos}', options.eosToken ?? '');
      const segments: Segment[] = [];
      const push = (segment: Segment) => {
        if (segment.text !== '') segments.push(segment);
      };
      if (bos) push({ text: options.bosToken ?? '', role: 'template', control: true, trained: false });
      let folded = '';
      for (const [i, message] of messages.entries()) {
        const { role } = message;
        if (role === 'system' && system === 'fold') {
          folded = `${message.content}\n\n`;
          continue;
        }
        const turn = role === 'system' ? (system as TurnFormat | undefined) : format[role];
        if (!turn) throw refused(name, role, i);
        const trained = role === 'assistant';
        push({ text: fill(turn.before), role, control: true, trained: false, message: i });
        const content = role === 'user' ? folded + withInput(message) : message.content;
        if (role === 'user') folded = '';
        push({ text: content, role, control: false, trained, message: i });
        push({ text: fill(turn.end), role, control: true, trained, message: i });
        push({ text: fill(turn.after), role: 'template', control: true, trained: false, message: i });
      }
      if (folded !== '') throw refused(name, 'system without a user message', 0);
      if (options.addGenerationPrompt)
        push({ text: fill(format.assistant.before), role: 'assistant', control: true, trained: false });
      return segments;
    },
  };
}

function refused(name: string, role: string, i: number): BadInput {
  return new BadInput({
    problem: `template ${name} has no place for message ${i}`,
    expected: 'roles the template knows',
    found: role,
    fix: 'use another template (chatml takes every role), or define one with that role',
  });
}

import { BadInput, quote, refuseUnknown } from '../../base/core/index.js';
import type { Message } from '../data/index.js';
import { Rendering, type Trim } from './rendering.js';
import { stripNewlines, thinkingOf } from './thinking.js';
import { checkAbilities, checkOrder } from './turns.js';
import type { RenderOptions, Segment, Template, Thinking } from './types.js';

/** What a template writes around the messages of one role. In every text `{bos}` and `{eos}` stand for the tokenizer's. */
export interface TurnFormat {
  before: string;
  /** What stands between the header and an answer and is the model's to write, e.g. the space after `ASSISTANT:`; trained. */
  lead?: string;
  /** What ends the turn; for the assistant it is trained, and generation stops on it. */
  end?: string;
  /** What follows the end, e.g. the newline after `<|im_end|>`; never trained. */
  after?: string;
  /** What follows the end only where another message comes; never trained. */
  between?: string;
  /** Take white space off both ends of the content. Defaults to false. */
  trim?: boolean;
}

/** A chat template in a few strings. */
export interface TemplateFormat {
  name: string;
  /** Defaults to `split`: see {@link Template.boundary}. */
  boundary?: 'split' | 'whole';
  /**
   * Leave a role out to refuse it. `fold` puts the system text in front of the first user message with an empty line between;
   * `{fold}` says what is written around it there.
   */
  system?: TurnFormat | 'fold' | { fold: TurnFormat };
  /** System text of conversations that have none. */
  defaultSystem?: string;
  user: TurnFormat;
  assistant: TurnFormat;
  tool?: TurnFormat;
  /** Writes the tool calls of an assistant message; leave it out to refuse them. `said` tells whether text stands before them. */
  toolCalls?: (out: Rendering, message: Message, index: number, said: boolean) => void;
  /** What becomes of reasoning unless the caller says; defaults to `keep`, written as `<think>\n…\n</think>\n\n`. */
  thinking?: Thinking;
  /** What `{bos}` and `{eos}` are when the caller of `render` names no tokens; default to nothing. */
  tokens?: { bos?: string; eos?: string };
  /** Print the tokenizer's BOS at the beginning. Defaults to false; `tokens.encode` adds one where the tokenizer wants it. */
  bos?: boolean;
}

const FOLD: TurnFormat = { before: '', end: '\n\n' };

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
  refuseUnknown('templates.define', format, FORMAT);
  const { name, boundary = 'split' } = format;
  const { user, assistant, tool, system } = format;
  const turns = {
    user,
    assistant,
    ...(tool && { tool }),
    ...(system && system !== 'fold' && { system: 'fold' in system ? system.fold : system }),
  };
  for (const [role, turn] of Object.entries(turns)) checkTurn(role, turn);
  if (typeof name !== 'string' || name === '')
    throw new BadInput({ problem: 'a template needs a name', where: { key: 'name' }, expected: 'a text', found: quote(name) });
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
    stop: end.trim() === '{eos}' ? ['eos'] : [end],
    render: (messages, options = {}) => render(format, messages, options),
  };
}

const FORMAT: readonly string[] = [
  ...['name', 'boundary', 'system', 'defaultSystem', 'user', 'assistant', 'tool', 'toolCalls', 'thinking', 'tokens', 'bos'],
];
const TURN: readonly string[] = ['before', 'lead', 'end', 'after', 'between', 'trim'];

function checkTurn(role: string, turn: TurnFormat | undefined): void {
  if (typeof turn !== 'object' || turn === null || typeof turn.before !== 'string')
    throw new BadInput({
      problem: `it is not said what stands before a message of the ${role}`,
      where: { key: role },
      expected: "{ before: '…', end: '…' }",
      found: quote(turn),
    });
  refuseUnknown(role, turn, TURN);
}

function render(format: TemplateFormat, messages: readonly Message[], options: RenderOptions): Segment[] {
  const { name, system, toolCalls, bos = false } = format;
  checkOrder(messages, name, options);
  checkAbilities(messages, name, options, { toolCalls: toolCalls !== undefined });
  const bosToken = options.bosToken ?? format.tokens?.bos ?? '';
  const eosToken = options.eosToken ?? format.tokens?.eos ?? '';
  const fill = (text = '') => (text.includes('{') ? text.replaceAll('{eos}', eosToken).replaceAll('{bos}', bosToken) : text);
  const out = new Rendering();
  if (bos) out.print(bosToken);

  const fold = system === 'fold' ? FOLD : system && 'fold' in system ? system.fold : undefined;
  const first = messages[0]!;
  let folded: Message | undefined;
  if (fold && first.role === 'system') folded = first;
  else if (first.role !== 'system' && format.defaultSystem !== undefined && system) {
    const turn = fold ?? (system as TurnFormat);
    out.print(fill(turn.before) + format.defaultSystem + fill(turn.end) + fill(turn.after), { role: 'system' });
  }
  if (folded && !messages.some(m => m.role === 'user')) throw refused(name, 'system without a user message', 0);

  for (const [i, message] of messages.entries()) {
    const { role } = message;
    if (message === folded && i === 0) continue;
    const turn = role === 'system' ? (system as TurnFormat | undefined) : format[role];
    if (!turn) throw refused(name, role, i);
    const trained = role === 'assistant';
    const own = { role, message: i };
    let trim: Trim = turn.trim ? 'both' : undefined;
    out.print(fill(turn.before), own);
    if (role === 'user' && folded && fold) {
      const theirs = { role: 'system', message: 0 } as const;
      out.print(fill(fold.before), theirs);
      out.content(folded, 0);
      out.print(fill(fold.end), theirs);
      folded = undefined;
      // Where the system text has marks around it the two were trimmed as one text, which ends with the user's.
      if (trim && fold.before !== '') trim = 'end';
    }
    if (role === 'user') out.question(message, i, trim);
    else {
      out.print(fill(turn.lead), { ...own, trained });
      const thought = thinkingOf(messages, i, options.thinking ?? format.thinking ?? 'keep');
      if (thought !== undefined) think(out, thought, i);
      const said = out.content(message, i, trim);
      if (message.toolCalls?.length) toolCalls!(out, message, i, said);
    }
    const last = i === messages.length - 1;
    if (last && options.continueFinalMessage) break;
    out.print(fill(turn.end), { ...own, trained });
    const after = fill(turn.after) + (last && !options.addGenerationPrompt ? '' : fill(turn.between));
    out.print(after, { message: i });
  }
  if (options.addGenerationPrompt) out.print(fill(format.assistant.before), { role: 'assistant' });
  return out.segments;
}

/** Reasoning between its tags, in front of the answer. */
export function think(out: Rendering, thought: string, message: number): void {
  const own = { role: 'assistant', message, trained: true, thinking: true } as const;
  out.print('<think>\n', own);
  out.write(stripNewlines(thought), 'assistant', message, { thinking: true });
  out.print('\n</think>\n\n', own);
}

function refused(name: string, role: string, i: number): BadInput {
  return new BadInput({
    problem: `template ${name} has no place for message ${i}`,
    expected: 'roles the template knows',
    found: role,
    fix: 'use another template (chatml takes every role), or define one with that role',
  });
}

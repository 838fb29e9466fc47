import type { Message } from '../data/index.js';
import { think } from './define.js';
import type { Rendering } from './rendering.js';
import { thinkingOf } from './thinking.js';
import type { RenderOptions } from './types.js';

/** The answer of a template of one turn: `lead`, reasoning, content, and the tokenizer's EOS as its end. */
export function answer(
  out: Rendering,
  messages: readonly Message[],
  index: number,
  { thinking = 'keep', eosToken = '', continueFinalMessage = false }: RenderOptions,
  lead = '',
): void {
  const own = { role: 'assistant', message: index, trained: true } as const;
  out.print(lead, own);
  const thought = thinkingOf(messages, index, thinking);
  if (thought !== undefined) think(out, thought, index);
  out.content(messages[index]!, index);
  if (!continueFinalMessage) out.print(eosToken, own);
}

import type { Message } from '../data/index.js';
import { Rendering } from './rendering.js';
import { checkAbilities, checkMessages } from './turns.js';
import type { RenderOptions, Segment, Template } from './types.js';

/** Text as it is, all of it trained, then the tokenizer's EOS where there is one: for base text and replay. Roles do not matter. */
export const plain: Template = {
  name: 'plain',
  boundary: 'whole',
  stop: [],
  render(messages: readonly Message[], options: RenderOptions = {}): Segment[] {
    checkMessages(messages, 'plain');
    checkAbilities(messages, 'plain', options, {});
    const trained = options.addGenerationPrompt !== true;
    const out = new Rendering();
    for (const [i, message] of messages.entries()) out.content(message, i);
    for (const segment of out.segments) segment.trained = trained;
    if (trained && !options.continueFinalMessage)
      out.print(options.eosToken ?? '', { trained: true, message: messages.length - 1 });
    return out.segments;
  },
};

import { BadInput } from '../../base/core/index.js';
import { contentText, type Message } from '../data/index.js';
import { answer } from './answer.js';
import { Rendering } from './rendering.js';
import { checkAbilities, checkOrder } from './turns.js';
import type { RenderOptions, Segment, Template } from './types.js';
import { phraseInstruction, type WordingStyle } from './wordings/index.js';

/** How inputs and targets are joined. `{eos}` stands for the tokenizer's EOS. */
interface TextToText {
  name: string;
  style: WordingStyle;
  seed: number | string;
  /** Between an input and its target. */
  separator: string;
}

/**
 * Inputs and targets without roles, as FLAN, T0 and T5 are trained. A user message without `input` is the input as it stands
 * (`phrase` makes such rows); one with `input` is put into one of the style's wordings for instructions. Earlier exchanges
 * are examples shown in front (few-shot); only the last target is trained. A system message goes in front of everything.
 */
function textToText(form: TextToText): Template {
  return {
    name: form.name,
    boundary: 'split',
    stop: ['eos'],
    render: (messages, options = {}) => render(form, messages, options),
  };
}

function render({ name, style, seed, separator }: TextToText, messages: readonly Message[], options: RenderOptions): Segment[] {
  checkOrder(messages, name, options);
  checkAbilities(messages, name, options, {});
  const out = new Rendering();
  const start = messages[0]!.role === 'system' ? 1 : 0;
  if (start === 1 && out.content(messages[0]!, 0)) out.print('\n\n');
  for (let i = start; i < messages.length; i++) {
    const message = messages[i]!;
    const wanted = (i - start) % 2 === 0 ? 'user' : 'assistant';
    if (message.role !== wanted) {
      throw new BadInput({
        problem: `template ${name} takes inputs and targets in turn`,
        expected: `message ${i} from the ${wanted}`,
        found: message.role,
        fix: 'use a chat template such as chatml for other conversations',
      });
    }
    if (wanted === 'user') {
      if (i > start) out.print('\n\n');
      if (message.input) out.write(phraseInstruction(style, seed, contentText(message), message.input), 'user', i);
      else out.content(message, i);
      out.print(separator.replace('{eos}', options.eosToken ?? ''));
    } else if (i === messages.length - 1) answer(out, messages, i, options);
    // An example's target stands in the prompt: the model is shown it.
    else out.write(contentText(message), 'assistant', i, { trained: false });
  }
  return out.segments;
}

/** FLAN: input, newline, target. @param seed chooses the wordings of instructions with an input. */
export const flanWith = (seed: number | string): Template => textToText({ name: 'flan', style: 'flan', seed, separator: '\n' });

/** T0 and P3: input, newline, target. @param seed chooses the wordings of instructions with an input. */
export const t0With = (seed: number | string): Template => textToText({ name: 't0', style: 't0', seed, separator: '\n' });

export const flan: Template = flanWith(1);
export const t0: Template = t0With(1);

/** T5: `input</s>` and `target</s>`; for an encoder–decoder model the prompt, up to its EOS, is the encoder's. */
export const t5: Template = textToText({ name: 't5', style: 't5', seed: 1, separator: '{eos}' });

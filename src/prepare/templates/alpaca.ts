import type { Message } from '../data/index.js';
import { answer } from './answer.js';
import { Rendering } from './rendering.js';
import { singleTurn } from './single-turn.js';
import type { RenderOptions, Segment, Template } from './types.js';

// Both forms, from stanford_alpaca/train.py@761dc5b (PROMPT_DICT).
const WITH_INPUT =
  'Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes the request.\n\n### Instruction:\n';
const WITHOUT_INPUT =
  'Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\n';

/**
 * Alpaca's prompt in both forms, with and without input, then the answer and the tokenizer's EOS.
 *
 * As in stanford_alpaca the prompt ends with `### Response:` *without* a newline and the answer follows at once
 * (LLaMA-Factory writes a newline there). The template has one turn: [system?] user [assistant]; more turns are an error. A
 * system message, for which it has no place, is put in front of the instruction.
 */
export const alpaca: Template = {
  name: 'alpaca',
  boundary: 'split',
  stop: ['eos'],
  render(messages: readonly Message[], options: RenderOptions = {}): Segment[] {
    const { system, user, userIndex, assistant, assistantIndex } = singleTurn(messages, 'alpaca', options);
    const out = new Rendering();
    out.print(user.input ? WITH_INPUT : WITHOUT_INPUT);
    if (system && out.content(system, 0)) out.print('\n\n');
    out.content(user, userIndex);
    if (user.input) {
      out.print('\n\n### Input:\n');
      out.write(user.input, 'user', userIndex);
    }
    out.print('\n\n### Response:');
    if (assistant) answer(out, messages, assistantIndex, options);
    return out.segments;
  },
};

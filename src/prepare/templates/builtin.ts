import { BadInput } from '../../base/core/index.js';
import type { Message } from '../data/index.js';
import { define } from './define.js';
import { checkMessages, checkOrder } from './turns.js';
import type { RenderOptions, Segment, Template } from './types.js';

/** ChatML (OpenAI, 2023): `<|im_start|>role\ntext<|im_end|>\n`. The end of turn `<|im_end|>` is trained, the newline after it is not. */
export const chatml: Template = define({
  name: 'chatml',
  system: { before: '<|im_start|>system\n', end: '<|im_end|>', after: '\n' },
  user: { before: '<|im_start|>user\n', end: '<|im_end|>', after: '\n' },
  assistant: { before: '<|im_start|>assistant\n', end: '<|im_end|>', after: '\n' },
  tool: { before: '<|im_start|>tool\n', end: '<|im_end|>', after: '\n' },
});

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
    checkOrder(messages, 'alpaca', options.addGenerationPrompt === true);
    const system = messages[0]!.role === 'system' ? 1 : 0;
    const [user, assistant, ...more] = messages.slice(system);
    if (user?.role !== 'user' || (assistant && assistant.role !== 'assistant') || more.length > 0) {
      throw new BadInput({
        problem: 'template alpaca holds one instruction and one response',
        expected: '[system] user [assistant]',
        found: messages.map(m => m.role).join(', '),
        fix: 'use a chat template such as chatml for conversations of several turns',
      });
    }
    const segments: Segment[] = [];
    const template = (text: string) => segments.push({ text, role: 'template', control: true, trained: false });
    const content = (text: string, message: number) => {
      if (text !== '')
        segments.push({
          text,
          role: messages[message]!.role,
          control: false,
          trained: messages[message]!.role === 'assistant',
          message,
        });
    };
    template(user.input ? WITH_INPUT : WITHOUT_INPUT);
    if (system && messages[0]!.content !== '') {
      content(messages[0]!.content, 0);
      template('\n\n');
    }
    content(user.content, system);
    if (user.input) {
      template('\n\n### Input:\n');
      content(user.input, system);
    }
    template('\n\n### Response:');
    if (assistant) {
      content(assistant.content, system + 1);
      if (options.eosToken)
        segments.push({ text: options.eosToken, role: 'assistant', control: true, trained: true, message: system + 1 });
    }
    return segments;
  },
};

/** Text as it is, all of it trained, then the tokenizer's EOS where there is one: for base text and replay. Roles do not matter. */
export const plain: Template = {
  name: 'plain',
  boundary: 'whole',
  stop: [],
  render(messages: readonly Message[], options: RenderOptions = {}): Segment[] {
    checkMessages(messages, 'plain');
    const generating = options.addGenerationPrompt === true;
    const segments: Segment[] = messages
      .map((m, message): Segment => ({ text: m.content, role: m.role, control: false, trained: !generating, message }))
      .filter(segment => segment.text !== '');
    if (options.eosToken && !generating) {
      segments.push({ text: options.eosToken, role: 'template', control: true, trained: true, message: messages.length - 1 });
    }
    return segments;
  },
};

import { define } from './define.js';
import { hermesCalls } from './tool-calls.js';
import type { Template } from './types.js';

/**
 * ChatML (OpenAI, 2023): `<|im_start|>role\ntext<|im_end|>\n`. The end of turn `<|im_end|>` is trained, the newline after it is
 * not. Tool calls are written as Hermes writes them on ChatML, in `<tool_call>` blocks.
 */
export const chatml: Template = define({
  name: 'chatml',
  system: { before: '<|im_start|>system\n', end: '<|im_end|>', after: '\n' },
  user: { before: '<|im_start|>user\n', end: '<|im_end|>', after: '\n' },
  assistant: { before: '<|im_start|>assistant\n', end: '<|im_end|>', after: '\n' },
  tool: { before: '<|im_start|>tool\n', end: '<|im_end|>', after: '\n' },
  toolCalls: hermesCalls,
});

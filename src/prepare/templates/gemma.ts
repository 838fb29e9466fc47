import { define } from './define.js';
import type { Template } from './types.js';

/** Gemma (1 to 3): roles `user` and `model`, content trimmed; the system text goes in front of the first user message. */
export const gemma: Template = define({
  name: 'gemma',
  tokens: { bos: '<bos>' },
  bos: true,
  system: 'fold',
  user: { before: '<start_of_turn>user\n', end: '<end_of_turn>', after: '\n', trim: true },
  assistant: { before: '<start_of_turn>model\n', end: '<end_of_turn>', after: '\n', trim: true },
});

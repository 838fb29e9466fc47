import { define } from './define.js';
import type { Template } from './types.js';

/**
 * Phi-3: `<|role|>\ntext<|end|>\n`. (Its Jinja template also prints `<|endoftext|>` after the last turn; nothing is trained or
 * generated there, so it is left out.)
 */
export const phi3: Template = define({
  name: 'phi-3',
  system: { before: '<|system|>\n', end: '<|end|>', after: '\n' },
  user: { before: '<|user|>\n', end: '<|end|>', after: '\n' },
  assistant: { before: '<|assistant|>\n', end: '<|end|>', after: '\n' },
});

/** Phi-4: `<|im_start|>role<|im_sep|>text<|im_end|>`, nothing between turns. */
export const phi4: Template = define({
  name: 'phi-4',
  system: { before: '<|im_start|>system<|im_sep|>', end: '<|im_end|>' },
  user: { before: '<|im_start|>user<|im_sep|>', end: '<|im_end|>' },
  assistant: { before: '<|im_start|>assistant<|im_sep|>', end: '<|im_end|>' },
});

import { define } from './define.js';
import type { Template } from './types.js';

// Chat forms of open instruction-tuned models that end turns with the tokenizer's EOS and have no control tokens of their own.

/**
 * Vicuna 1.1 (FastChat's `vicuna_v1.1`): one line, `USER: … ASSISTANT: …</s>`, after a system text that has a default. The
 * prompt ends with `ASSISTANT:`, so the space after it is the model's to write.
 */
export const vicuna: Template = define({
  name: 'vicuna',
  tokens: { bos: '<s>', eos: '</s>' },
  defaultSystem:
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite answers to the user's questions.",
  system: { before: '', end: ' ' },
  user: { before: 'USER: ', end: ' ' },
  assistant: { before: 'ASSISTANT:', lead: ' ', end: '{eos}' },
});

/** Zephyr (HuggingFaceH4): `<|role|>\ntext</s>\n`, with the tokenizer's EOS after every turn. */
export const zephyr: Template = define({
  name: 'zephyr',
  tokens: { eos: '</s>' },
  system: { before: '<|system|>\n', end: '{eos}', after: '\n' },
  user: { before: '<|user|>\n', end: '{eos}', after: '\n' },
  assistant: { before: '<|assistant|>\n', end: '{eos}', after: '\n' },
});

/** Tülu (allenai/open-instruct, `tulu`): only answers end with EOS, and a newline follows only where the chat goes on. */
export const tulu: Template = define({
  name: 'tulu',
  tokens: { eos: '</s>' },
  system: { before: '<|system|>\n', end: '\n' },
  user: { before: '<|user|>\n', end: '\n' },
  assistant: { before: '<|assistant|>\n', end: '{eos}', between: '\n' },
});

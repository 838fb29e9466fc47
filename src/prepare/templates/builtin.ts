import { alpaca } from './alpaca.js';
import { chatml } from './chatml.js';
import { gemma } from './gemma.js';
import { llama2, llama3 } from './llama.js';
import { mistralTekken, mistralV1, mistralV3 } from './mistral.js';
import { tulu, vicuna, zephyr } from './open-chat.js';
import { phi3, phi4 } from './phi.js';
import { plain } from './plain.js';
import { qwen2, qwen3, qwen25 } from './qwen.js';
import { flan, t0, t5 } from './text-to-text.js';
import type { Template } from './types.js';

/** Every template that comes with tunebook. */
export const BUILTIN: readonly Template[] = [
  alpaca,
  chatml,
  flan,
  gemma,
  llama2,
  llama3,
  mistralV1,
  mistralV3,
  mistralTekken,
  phi3,
  phi4,
  plain,
  qwen2,
  qwen25,
  qwen3,
  t0,
  t5,
  tulu,
  vicuna,
  zephyr,
];

export { alpaca, chatml, plain };

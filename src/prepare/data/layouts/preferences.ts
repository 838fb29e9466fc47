import type { Message, PreferenceRow } from '../types.js';
import { extras, finish, isMalformed, isObject, malformed, optional, own, unusable } from './fields.js';
import type { Converted, Layout } from './layout.js';
import { readMessages, readObjects, says, wireMessage } from './message.js';
import { readSide, saysAnything } from './prompt-completion.js';

const PROMPTS = ['prompt', 'messages', 'conversations', 'question', 'instruction', 'query'] as const;
const KEYS = [...PROMPTS, 'chosen', 'rejected', 'system', 'input', 'tools'] as const;

/**
 * Preference pairs. Read are: {prompt, chosen, rejected} as texts or messages; {chosen, rejected} as whole conversations, whose
 * common beginning is the prompt (UltraFeedback, also Anthropic HH's "\n\nHuman: … \n\nAssistant: …"); {messages | conversations,
 * chosen, rejected} with one message each (LLaMA-Factory); and OpenAI's {input, preferred_output, non_preferred_output}.
 */
export const preferences: Layout = {
  name: 'preferences',
  kind: 'preferences',
  like: '{"prompt", "chosen", "rejected"} (preference pairs)',
  structured: [
    'prompt',
    'messages',
    'conversations',
    'chosen',
    'rejected',
    'tools',
    'input',
    'preferred_output',
    'non_preferred_output',
  ],
  detect: value => ('chosen' in value && 'rejected' in value) || ('preferred_output' in value && 'non_preferred_output' in value),
  convert(value) {
    const flat = 'preferred_output' in value ? fromOpenAI(value) : value;
    const chosen = readAnswer(flat, 'chosen');
    if (!Array.isArray(chosen)) return chosen;
    const rejected = readAnswer(flat, 'rejected');
    if (!Array.isArray(rejected)) return rejected;
    const whole =
      chosen[0]?.role !== 'assistant' && rejected[0]?.role !== 'assistant' && chosen.length > 0 && rejected.length > 0;
    const sides = whole ? common(chosen, rejected) : explicit(flat, chosen, rejected);
    if ('kind' in sides) return sides;
    if (!sides.prompt.some(saysAnything)) return unusable('the prompt is empty');
    for (const key of ['chosen', 'rejected'] as const) {
      if (!sides[key].some(m => m.role === 'assistant' && says(m))) return unusable(`"${key}" is empty`);
    }
    if (JSON.stringify(sides.chosen) === JSON.stringify(sides.rejected)) return unusable('"chosen" and "rejected" are the same');
    const tools = readObjects(own(flat, 'tools'), 'tools');
    if (isMalformed(tools)) return tools;
    const used = ['chosen', 'rejected', 'tools', ...(whole ? ['prompt'] : [usedPrompt(flat)!, 'system'])];
    return finish<PreferenceRow>({ ...sides, ...(tools ? { tools } : {}) }, flat, used);
  },
  write(row) {
    const { prompt, chosen, rejected, tools } = row as PreferenceRow;
    const rest = extras(row, KEYS);
    if ('reason' in rest) return rest;
    return {
      value: {
        prompt: prompt.map(wireMessage),
        chosen: chosen.map(wireMessage),
        rejected: rejected.map(wireMessage),
        ...(tools ? { tools } : {}),
        ...rest.value,
      },
    };
  },
};

type Sides = Pick<PreferenceRow, 'chosen' | 'prompt' | 'rejected'>;

function fromOpenAI(value: Record<string, unknown>): Record<string, unknown> {
  const { input, preferred_output: chosen, non_preferred_output: rejected, ...rest } = value;
  const given = isObject(input) ? input : { messages: input };
  return { ...rest, ...given, chosen, rejected };
}

function readAnswer(value: Record<string, unknown>, key: 'chosen' | 'rejected'): ReturnType<typeof readSide> {
  const text = own(value, key);
  return typeof text === 'string' && /^\s*Human:/.test(text) ? readHH(text) : readSide(value, key, 'assistant');
}

/** A dialogue in the spelling of Anthropic's HH set. */
function readHH(text: string): Message[] {
  const [, ...pieces] = text.split(/(?:^|\n\n)(Human|Assistant): ?/);
  const messages: Message[] = [];
  for (let i = 0; i + 1 < pieces.length; i += 2)
    messages.push({ role: pieces[i] === 'Human' ? 'user' : 'assistant', content: pieces[i + 1]! });
  return messages;
}

/** Two whole conversations: what they share at their beginning is the prompt. */
function common(chosen: readonly Message[], rejected: readonly Message[]): Sides | Converted {
  const same = (i: number) => JSON.stringify(chosen[i]) === JSON.stringify(rejected[i]);
  const most = Math.min(chosen.length, rejected.length) - 1;
  let shared = 0;
  while (shared < most && same(shared)) shared++;
  // The answers begin with the assistant's first turn of its own.
  while (shared > 0 && chosen[shared - 1]!.role === 'assistant') shared--;
  if (shared === 0 || chosen[shared]!.role !== 'assistant' || rejected[shared]!.role !== 'assistant') {
    return malformed(
      'rejected',
      '"chosen" and "rejected" answer different prompts',
      'conversations that are the same up to the last answers',
      `a first difference at message ${shared}`,
    );
  }
  return { prompt: chosen.slice(0, shared), chosen: chosen.slice(shared), rejected: rejected.slice(shared) };
}

function explicit(value: Record<string, unknown>, chosen: Message[], rejected: Message[]): Sides | Converted {
  const key = usedPrompt(value);
  if (key === undefined) {
    return malformed(
      'prompt',
      'the row has no "prompt"',
      'a prompt, or whole conversations in "chosen" and "rejected"',
      'answers only',
    );
  }
  const prompt = ['messages', 'conversations'].includes(key) ? readMessages(own(value, key), key) : readSide(value, key, 'user');
  if (!Array.isArray(prompt)) return prompt;
  const system = optional(value, 'system');
  if (typeof system !== 'string') return system;
  if (system !== '') prompt.unshift({ role: 'system', content: system });
  return { prompt, chosen, rejected };
}

function usedPrompt(value: Record<string, unknown>): string | undefined {
  return PROMPTS.find(key => Object.hasOwn(value, key));
}

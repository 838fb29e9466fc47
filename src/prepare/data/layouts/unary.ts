import type { UnaryRow } from '../types.js';
import { describe, extras, finish, isMalformed, malformed, own, unusable } from './fields.js';
import type { Layout } from './layout.js';
import { readMessages, readObjects, says, wireMessage } from './message.js';
import { readSide, saysAnything } from './prompt-completion.js';

const LABELS = ['label', 'desirable', 'kto_tag'] as const;
const KEYS = ['prompt', 'completion', 'response', 'messages', 'conversations', 'tools', ...LABELS] as const;

/** KTO: {prompt, completion, label}, or {messages, label} whose last message is the answer. `label` is true for an answer one wants. */
export const unary: Layout = {
  name: 'unary',
  kind: 'unary',
  like: '{"prompt", "completion", "label": true or false} (KTO)',
  structured: ['prompt', 'completion', 'response', 'messages', 'conversations', 'tools'],
  detect: value =>
    'prompt' in value && ('completion' in value || 'response' in value)
      ? LABELS.some(key => readLabel(value[key]) !== undefined)
      : // Beside a conversation a label 0 or 1 may be anything.
        LABELS.some(key => typeof value[key] === 'boolean') && ('messages' in value || 'conversations' in value),
  convert(value) {
    const labelKey = LABELS.find(key => key in value) ?? 'label';
    const desirable = readLabel(own(value, labelKey));
    if (desirable === undefined)
      return malformed(labelKey, `"${labelKey}" is neither true nor false`, 'a boolean', describe(own(value, labelKey)));
    const listKey = ['messages', 'conversations'].find(key => key in value && !('prompt' in value));
    let sides: UnaryRow['prompt'][];
    const used: string[] = [labelKey];
    if (listKey) {
      const list = readMessages(own(value, listKey), listKey);
      if (!Array.isArray(list)) return list;
      // The answer is everything after the last turn of the user, or of a tool.
      const last = list.findLastIndex(message => message.role !== 'assistant');
      sides = [list.slice(0, last + 1), list.slice(last + 1)];
      used.push(listKey);
    } else {
      const answer = 'completion' in value ? 'completion' : 'response';
      const prompt = readSide(value, 'prompt', 'user');
      if (!Array.isArray(prompt)) return prompt;
      const completion = readSide(value, answer, 'assistant');
      if (!Array.isArray(completion)) return completion;
      sides = [prompt, completion];
      used.push('prompt', answer);
    }
    const [prompt, completion] = sides as [UnaryRow['prompt'], UnaryRow['completion']];
    if (!prompt.some(saysAnything)) return unusable('the prompt is empty');
    if (!completion.some(m => m.role === 'assistant' && says(m))) return unusable('the completion is empty');
    const tools = readObjects(own(value, 'tools'), 'tools');
    if (isMalformed(tools)) return tools;
    return finish<UnaryRow>({ prompt, completion, desirable, ...(tools ? { tools } : {}) }, value, [...used, 'tools']);
  },
  write(row) {
    const { prompt, completion, desirable, tools } = row as UnaryRow;
    const rest = extras(row, KEYS);
    if ('reason' in rest) return rest;
    return {
      value: {
        prompt: prompt.map(wireMessage),
        completion: completion.map(wireMessage),
        label: desirable,
        ...(tools ? { tools } : {}),
        ...rest.value,
      },
    };
  },
};

/** true, 1 and "true" (CSV) are one answer, false, 0 and "false" the other. */
function readLabel(value: unknown): boolean | undefined {
  if (typeof value === 'boolean') return value;
  const text = String(value).toLowerCase();
  return ['true', '1'].includes(text) ? true : ['false', '0'].includes(text) ? false : undefined;
}

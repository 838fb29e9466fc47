import type { Row } from '../types.js';
import { demand, extras, finish, unusable } from './fields.js';
import type { Layout } from './layout.js';
import { isPlain } from './message.js';

/** Plain text for base models and replay: {text}. */
export const text: Layout = {
  name: 'text',
  kind: 'rows',
  like: '{"text"} (plain text)',
  detect: value => 'text' in value,
  convert(value) {
    const content = demand(value, 'text');
    if (typeof content !== 'string') return content;
    if (content.trim() === '') return unusable('"text" is empty');
    return finish({ messages: [{ role: 'assistant', content }] }, value, ['text']);
  },
  write(row) {
    const { messages, tools, documents } = row as Row;
    const [only, ...more] = messages;
    if (only?.role !== 'assistant' || more.length > 0 || !isPlain(only) || tools || documents)
      return { reason: 'it is a conversation, not one text' };
    const rest = extras(row, ['text']);
    return 'reason' in rest ? rest : { value: { text: only.content, ...rest.value } };
  },
};

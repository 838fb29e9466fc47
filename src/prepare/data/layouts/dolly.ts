import type { Row } from '../types.js';
import { instructionParts, instructionRow } from './alpaca.js';
import { extras, own } from './fields.js';
import type { Layout } from './layout.js';

const KEYS = ['instruction', 'context', 'response', 'category'] as const;

/** Databricks Dolly: {instruction, context, response, category}. The category is the row's task. */
export const dolly: Layout = {
  name: 'dolly',
  kind: 'rows',
  like: '{"instruction", "context", "response", "category"} (Dolly)',
  detect: value => 'instruction' in value && 'response' in value && !('output' in value),
  convert(value) {
    const made = instructionRow(value, { question: 'instruction', context: 'context', answer: 'response' });
    const category = own(value, 'category');
    if (made.kind !== 'row' || typeof category !== 'string' || made.row.task !== undefined) return made;
    const { category: _task, ...meta } = made.row.meta!;
    const { meta: _meta, ...row } = made.row;
    return { kind: 'row', row: { ...row, task: category, ...(Object.keys(meta).length ? { meta } : {}) } };
  },
  write(row) {
    const parts = instructionParts(row as Row);
    if ('reason' in parts) return parts;
    if (parts.system !== undefined) return { reason: 'it has a system message' };
    const rest = extras(row, KEYS, 'category');
    if ('reason' in rest) return rest;
    return {
      value: { instruction: parts.user.content, context: parts.user.input ?? '', response: parts.answer, ...rest.value },
    };
  },
};

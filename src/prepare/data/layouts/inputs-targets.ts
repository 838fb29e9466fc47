import type { Row } from '../types.js';
import { instructionParts } from './alpaca.js';
import { demand, extras, finish, own, unusable } from './fields.js';
import type { Layout } from './layout.js';

const TEXT = ['inputs', 'targets'] as const;
const PRETOKENIZED = ['inputs_pretokenized', 'targets_pretokenized'] as const;

/** FLAN, P3 and xP3: {inputs, targets}; where those hold ids of a tokenizer, the text is in {inputs_pretokenized, targets_pretokenized}. */
export const inputsTargets: Layout = {
  name: 'inputs-targets',
  kind: 'rows',
  like: '{"inputs", "targets"} (FLAN, P3)',
  detect: value => TEXT.every(key => key in value) || PRETOKENIZED.every(key => key in value),
  convert(value) {
    const keys = PRETOKENIZED.every(key => typeof own(value, key) === 'string') ? PRETOKENIZED : TEXT;
    const inputs = demand(value, keys[0]);
    if (typeof inputs !== 'string') return inputs;
    const targets = demand(value, keys[1]);
    if (typeof targets !== 'string') return targets;
    if (inputs.trim() === '') return unusable(`"${keys[0]}" is empty`);
    if (targets.trim() === '') return unusable(`"${keys[1]}" is empty`);
    // Ids of somebody else's tokenizer are of no use here.
    const used = [...keys, ...[...TEXT, ...PRETOKENIZED].filter(key => isIds(own(value, key)))];
    const messages: Row['messages'] = [
      { role: 'user', content: inputs },
      { role: 'assistant', content: targets },
    ];
    return finish({ messages }, value, used);
  },
  write(row) {
    const parts = instructionParts(row as Row);
    if ('reason' in parts) return parts;
    if (parts.system !== undefined || parts.user.input !== undefined) return { reason: 'it has a system message or an input' };
    const rest = extras(row, [...TEXT, ...PRETOKENIZED]);
    if ('reason' in rest) return rest;
    return { value: { inputs: parts.user.content, targets: parts.answer, ...rest.value } };
  },
};

function isIds(value: unknown): boolean {
  return Array.isArray(value) && value.every(id => typeof id === 'number');
}

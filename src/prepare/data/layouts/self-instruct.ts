import type { Row } from '../types.js';
import { demand, describe, finish, isObject, malformed, own, unusable } from './fields.js';
import type { Converted, Layout } from './layout.js';

/** Self-Instruct seeds and generations: {instruction, instances: [{input, output}], name}. Every instance is a row of the task `name`. */
export const selfInstruct: Layout = {
  name: 'self-instruct',
  kind: 'rows',
  like: '{"instruction", "instances": [{"input", "output"}, …]} (Self-Instruct)',
  structured: ['instances'],
  detect: value => 'instruction' in value && 'instances' in value,
  convert(value): Converted | Converted[] {
    const instruction = demand(value, 'instruction');
    if (typeof instruction !== 'string') return instruction;
    const instances = own(value, 'instances');
    if (!Array.isArray(instances))
      return malformed('instances', '"instances" is not a list', 'an array of {"input", "output"}', describe(instances));
    if (instances.length === 0) return unusable('"instances" is empty');
    return instances.map((instance, i) => instanceRow(instance, `instances[${i}]`, instruction, value));
  },
};

function instanceRow(instance: unknown, at: string, instruction: string, value: Record<string, unknown>): Converted {
  if (!isObject(instance)) return malformed(at, 'an instance is not an object', '{"input", "output"}', describe(instance));
  const output = own(instance, 'output');
  if (typeof output !== 'string') return malformed(`${at}.output`, '"output" is not text', 'a string', describe(output));
  const input = own(instance, 'input') ?? '';
  if (typeof input !== 'string') return malformed(`${at}.input`, '"input" is not text', 'a string', describe(input));
  if (instruction.trim() === '') return unusable('"instruction" is empty');
  if (output.trim() === '') return unusable(`"${at}.output" is empty`);
  const row: Row = {
    messages: [
      { role: 'user', content: instruction, ...(input === '' ? {} : { input }) },
      { role: 'assistant', content: output },
    ],
  };
  const made = finish(row, value, ['instruction', 'instances', 'name']);
  const name = own(value, 'name');
  if (typeof name === 'string') row.task ??= name;
  return made;
}

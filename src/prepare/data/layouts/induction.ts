import type { Row } from '../types.js';
import { describe, isObject, malformed, own, unusable } from './fields.js';
import type { Converted, Layout } from './layout.js';

/**
 * Instruction Induction (Honovich et al. 2022): {annotations: {annotations: [paraphrases of one instruction]}, induce, execute}.
 * Each example is a row of `task`; the paraphrases take turns, so that row i has instruction i modulo their number.
 */
export const induction: Layout = {
  name: 'induction',
  kind: 'rows',
  like: '{"annotations", "induce", "execute"} (Instruction Induction)',
  detect: value => 'annotations' in value && ('induce' in value || 'execute' in value),
  convert(value): Converted | Converted[] {
    const held = own(value, 'annotations');
    const given = isObject(held) ? own(held, 'annotations') : held;
    const instructions = Array.isArray(given)
      ? given.filter((text): text is string => typeof text === 'string' && text.trim() !== '')
      : [];
    if (instructions.length === 0)
      return malformed('annotations', 'there is no instruction', '{"annotations": ["…", …]}', describe(held));
    const out: Converted[] = [];
    for (const split of ['induce', 'execute']) {
      const held = own(value, split);
      const examples = isObject(held) ? Object.values(isObject(own(held, 'examples')) ? (held.examples as object) : held) : held;
      if (examples === undefined) continue;
      if (!Array.isArray(examples))
        return malformed(split, `"${split}" is not a list`, 'an array of examples', describe(examples));
      for (const [i, example] of examples.entries()) {
        out.push(
          exampleRow(example, `${split}[${i}]`, instructions[out.length % instructions.length]!, split, own(value, 'task')),
        );
      }
    }
    return out.length ? out : unusable('there are no examples');
  },
};

function exampleRow(example: unknown, at: string, instruction: string, split: string, task: unknown): Converted {
  if (!isObject(example)) return malformed(at, 'an example is not an object', '{"input", "output"}', describe(example));
  // The task common_concept has {items, concept} instead of {input, output}.
  const items = own(example, 'items');
  const input = Array.isArray(items) ? items.join(', ') : own(example, 'input');
  const output = own(example, 'output') ?? own(example, 'concept');
  if (typeof input !== 'string') return malformed(`${at}.input`, '"input" is not text', 'a string', describe(input));
  if (typeof output !== 'string') return malformed(`${at}.output`, '"output" is not text', 'a string', describe(output));
  if (output.trim() === '') return unusable(`"${at}.output" is empty`);
  const meta = Object.fromEntries(
    Object.entries(example).filter(([key]) => !['input', 'output', 'items', 'concept'].includes(key)),
  );
  const row: Row = {
    messages: [
      { role: 'user', content: instruction, ...(input === '' ? {} : { input }) },
      { role: 'assistant', content: output },
    ],
    meta: { ...meta, split },
  };
  if (typeof task === 'string') row.task = task;
  return { kind: 'row', row };
}

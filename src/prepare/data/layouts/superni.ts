import type { Row, SuperNIOptions } from '../types.js';
import { describe, isObject, malformed, own, unusable } from './fields.js';
import type { Context, Converted, Layout } from './layout.js';

const SETS = [
  ['Instances', undefined],
  ['train_instances', 'train'],
  ['test_instances', 'test'],
] as const;

/**
 * Super-NaturalInstructions (Wang et al. 2022) task files: {Definition, "Positive Examples", Instances}. Each instance is a row of
 * the task the file is named after: the definition (with examples, by `options.superni`) is the instruction, the first of its
 * outputs the answer; all of them are in `meta.references`, the task's categories in `meta.categories`.
 */
export const superni: Layout = {
  name: 'superni',
  kind: 'rows',
  like: '{"Definition", "Positive Examples", "Instances"} (SuperNI task file)',
  detect: value => 'Definition' in value && SETS.some(([key]) => key in value),
  convert(value, context): Converted | Converted[] {
    const definition = [own(value, 'Definition')].flat();
    if (definition.length === 0 || !definition.every(part => typeof part === 'string'))
      return malformed('Definition', '"Definition" is not text', 'a string or an array of strings', describe(value.Definition));
    const options = context.options.superni ?? {};
    const instruction = instruct(definition.join('\n').trim(), value, options);
    const task = taskName(context);
    const categories = [own(value, 'Categories')].flat().filter(name => typeof name === 'string');
    const out: Converted[] = [];
    for (const [key, split] of SETS) {
      const list = own(value, key);
      if (list === undefined) continue;
      if (!Array.isArray(list)) return malformed(key, `"${key}" is not a list`, 'an array of instances', describe(list));
      for (const [i, instance] of list.entries()) {
        if (out.length >= (options.instances ?? Number.POSITIVE_INFINITY)) break;
        out.push(instanceRow(instance, `${key}[${i}]`, { instruction, task, split, categories }));
      }
    }
    return out.length ? out : unusable('the task has no instances');
  },
};

interface Shared {
  instruction: string;
  task: string | undefined;
  split: string | undefined;
  categories: string[];
}

function instanceRow(instance: unknown, at: string, { instruction, task, split, categories }: Shared): Converted {
  if (!isObject(instance)) return malformed(at, 'an instance is not an object', '{"input", "output"}', describe(instance));
  const input = own(instance, 'input');
  if (typeof input !== 'string') return malformed(`${at}.input`, '"input" is not text', 'a string', describe(input));
  const references = [own(instance, 'output')].flat();
  if (references.length === 0 || !references.every(text => typeof text === 'string'))
    return malformed(`${at}.output`, '"output" is not text', 'a string or an array of strings', describe(instance.output));
  const answer = (references as string[]).find(text => text.trim() !== '');
  if (answer === undefined) return unusable(`"${at}.output" is empty`);
  const id = own(instance, 'id');
  const row: Row = {
    messages: [
      { role: 'user', content: instruction, ...(input === '' ? {} : { input }) },
      { role: 'assistant', content: answer },
    ],
    meta: {
      references,
      ...(typeof id === 'string' ? { id } : {}),
      ...(split ? { split } : {}),
      ...(categories.length ? { categories } : {}),
    },
  };
  if (task !== undefined) row.task = task;
  return { kind: 'row', row };
}

/** The definition with the examples asked for, in the form the paper's models were trained on. */
function instruct(definition: string, value: Record<string, unknown>, options: SuperNIOptions): string {
  const { positive = 0, negative = 0, explanations = false } = options;
  const blocks = [definition];
  for (const [kind, count] of [
    ['Positive', positive],
    ['Negative', negative],
  ] as const) {
    const examples = own(value, `${kind} Examples`);
    const usable = (Array.isArray(examples) ? examples : []).filter(
      (e): e is Record<string, unknown> =>
        isObject(e) && typeof e.input === 'string' && ['string', 'object'].includes(typeof e.output),
    );
    for (const [i, example] of usable.slice(0, count).entries()) {
      const lines = [
        `${kind} Example ${i + 1} -`,
        `Input: ${String(example.input).trim()}`,
        `Output: ${[example.output].flat()[0]}`.trim(),
      ];
      if (explanations && typeof example.explanation === 'string') lines.push(`Explanation: ${example.explanation.trim()}`);
      blocks.push(lines.join('\n'));
    }
  }
  return blocks.join('\n\n');
}

/** task002_quoref_answer_generation from its path. */
function taskName({ source }: Context): string | undefined {
  const base = source.split(/[/\\?#]/).findLast(part => /^task\d/i.test(part));
  return base?.replace(/\.json(\.gz)?$/i, '');
}

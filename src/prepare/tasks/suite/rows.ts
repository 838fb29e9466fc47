import { BadInput, type Random } from '../../../base/core/index.js';
import { named } from '../names.js';
import type { TaskRow } from '../types.js';
import { type Example, instructionText, type Phrase, STYLES, withExamples } from './phrasing.js';
import type { Asked, Task } from './task.js';
import { between } from './vocabulary.js';

/** A row of the suite: it knows how it was made, so that it can be said in other words, or without its instruction. */
export interface SuiteRow extends TaskRow {
  /** The order alone, without input. */
  instruction: string;
  /** What the instruction is about. */
  input: string;
  /** How the instruction is worded; with `parameter` it makes `instruction`. */
  phrase: Phrase;
  /** Name of the layout of instruction and input. */
  style: string;
  /** What the instruction names besides its input; absent in tasks without parameters. */
  parameter?: string;
  /** From 1 to 5. */
  difficulty: number;
  /** Solved questions shown in the prompt; absent in a zero-shot row. */
  examples?: Example[];
}

/** How many: always the same, or from the first to the second. */
export type Span = number | readonly [number, number];

/** Where a row's parts are drawn from. */
export interface Source {
  task: Task;
  phrases: readonly Phrase[];
  parameters: readonly string[];
  styles: readonly string[];
}

/** A random row. `usable` says whether a question may be asked or shown in an example; undefined when none was found. */
export function drawRow(
  random: Random,
  { task, phrases, parameters, styles }: Source,
  { difficulty, shots }: { difficulty: Span; shots: Span },
  usable: (row: SuiteRow) => boolean,
): SuiteRow | undefined {
  const parameter = random.pick(parameters);
  const phrase = random.pick(phrases);
  const style = random.pick(styles);
  for (let attempt = 0; attempt < 100; attempt++) {
    const level = within(random, difficulty);
    const ask = () => task.draw(random, level, parameter);
    const row = (asked: Asked, examples: Example[]) => assemble(task, { asked, parameter, phrase, style, level, examples });
    const asked = ask();
    const examples = shown(ask, asked, within(random, shots), example => usable(row(example, [])));
    if (!examples) continue;
    const made = row(asked, examples);
    if (usable(made)) return made;
  }
  return undefined;
}

function within(random: Random, span: Span): number {
  return typeof span === 'number' ? span : between(random, span[0], span[1]);
}

/** So many other questions with their answers, all different; undefined when the task has not enough of them. */
function shown(ask: () => Asked, asked: Asked, count: number, usable: (asked: Asked) => boolean): Example[] | undefined {
  const examples = new Map<string, Example>();
  for (let attempt = 0; examples.size < count; attempt++) {
    if (attempt > 50 * count) return undefined;
    const other = ask();
    if (other.input !== asked.input && usable(other)) examples.set(other.input, { input: other.input, answer: other.answer });
  }
  return [...examples.values()];
}

interface Made {
  asked: Asked;
  parameter: string;
  phrase: Phrase;
  style: string;
  level: number;
  examples: Example[];
}

function assemble(task: Task, { asked, parameter, phrase, style, level, examples }: Made): SuiteRow {
  const instruction = instructionText(task, phrase, parameter);
  return {
    messages: [
      ...(asked.system === undefined ? [] : [{ role: 'system' as const, content: asked.system }]),
      { role: 'user', content: STYLES[style]!(instruction, withExamples(examples, asked.input)) },
      { role: 'assistant', content: asked.answer },
    ],
    task: task.name,
    cluster: task.cluster,
    checker: asked.checker,
    instruction,
    input: asked.input,
    phrase,
    style,
    ...(parameter === '' ? {} : { parameter }),
    difficulty: level,
    ...(examples.length ? { examples } : {}),
  };
}

/** What {@link reword} changes; what is left out stays as it is. */
export interface Rewording {
  /** Another instruction in its place; an empty one leaves the bare input. */
  instruction?: string;
  /** Name of another layout. */
  style?: string;
  /** Other examples; none make the row zero-shot. */
  examples?: Example[];
}

/**
 * The same question asked in another way, with the same answer and checker: what a score's sensitivity to wordings and
 * layouts is measured with, and its baselines without an instruction or with another's.
 * `tasks.reword(row, {style: 'tags'})`
 * @throws BadInput when there is no such style.
 */
export function reword(
  row: SuiteRow,
  { instruction = row.instruction, style = row.style, examples = row.examples }: Rewording,
): SuiteRow {
  if (typeof row.input !== 'string' || typeof instruction !== 'string')
    throw new BadInput({
      problem: 'this row does not say what is instruction and what is input',
      where: { key: 'input', file: row.source, line: row.line },
      expected: 'a row of tasks.suite()',
      found: `a row with ${Object.keys(row).join(', ')}`,
    });
  const layout = STYLES[named('style', [style], Object.keys(STYLES))[0]!]!;
  const input = withExamples(examples ?? [], row.input);
  const content = instruction === '' ? input : layout(instruction, input);
  const { examples: _, ...rest } = row;
  return {
    ...rest,
    messages: row.messages.map(message => (message.role === 'user' ? { ...message, content } : message)),
    instruction,
    style,
    ...(examples?.length ? { examples } : {}),
  };
}

/** Equal for two rows that ask the same question, however it is worded and laid out; where a task has few questions, wording and layout count. */
export function keyOf(row: SuiteRow, few: boolean): string {
  const question = `${row.task}/${row.parameter ?? ''}/${row.input}`;
  return few ? `${question}/${row.instruction}/${row.style}` : question;
}

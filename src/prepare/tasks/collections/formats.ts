import { contentText, type Row, type RowFormat } from '../../data/index.js';
import type { CheckerSpec, TaskRow } from '../types.js';
import { itemsOf } from './items.js';

/** One example of a collection, with what a split needs to know of it. */
export interface CollectionExample {
  row: TaskRow;
  /** Names the wording the row has: an instruction, a template. */
  wording: string;
  /** Instructions that can stand in its place. */
  otherWordings?: readonly string[];
  /** Equal for examples that ask the same, however it is worded. */
  question: string;
  /** The collection itself keeps it for testing. */
  test: boolean;
}

/** The formats {@link fromCollection} knows, and the layouts their files have. */
export const FORMATS: Readonly<Record<CollectionFormat, readonly RowFormat[]>> = {
  superni: ['superni'],
  p3: ['prompt-completion', 'inputs-targets'],
  flan: ['inputs-targets', 'prompt-completion'],
  induction: ['induction'],
  'self-instruct': ['self-instruct'],
  scan: ['text'],
};

export type CollectionFormat = 'superni' | 'p3' | 'flan' | 'induction' | 'self-instruct' | 'scan';

/** What tells the task of a row among its leftover fields, in the collections that have no field of that name. */
const TASK_KEYS = ['task', 'task_name', 'dataset', 'dataset_name', 'task_source'];
const TEMPLATE_KEYS = ['template', 'template_name', 'template_type', 'prompt_name', 'template_id', 'template_idx'];

const text = (value: unknown): string | undefined =>
  typeof value === 'number' ? String(value) : typeof value === 'string' && value !== '' ? value : undefined;

function field(row: Row, keys: readonly string[]): string | undefined {
  return keys.map(key => text(row.meta?.[key])).find(value => value !== undefined);
}

/** Rows of one layout as examples, each with its task, cluster, wording, question and checker. */
export function examplesOf(rows: readonly Row[], layout: RowFormat): CollectionExample[] {
  if (layout === 'text') return rows.map(scan);
  // They come without categories: each task is a cluster of its own.
  if (areDefined(rows, layout))
    return examplesOf(rows.map(withDefinition), 'superni').map(one => ({ ...one, row: { ...one.row, cluster: one.row.task } }));
  if (layout === 'inputs-targets' || layout === 'prompt-completion') return templated(rows);
  const instructions = new Map<string, Set<string>>();
  const taskOf = (row: Row) => row.task ?? instructionOf(row).slice(0, 60);
  for (const row of rows) instructions.set(taskOf(row), (instructions.get(taskOf(row)) ?? new Set()).add(instructionOf(row)));
  return rows.map(row => {
    const instruction = instructionOf(row);
    const task = taskOf(row);
    const [category] = Array.isArray(row.meta?.categories) ? row.meta.categories : [];
    const checker = layout === 'induction' ? inductionChecker(row) : undefined;
    return {
      row: taskRow(row, task, text(category) ?? (layout === 'superni' ? 'other' : task), checker),
      wording: instruction,
      // The instructions of a task of this collection all say the same.
      ...(layout === 'induction' ? { otherWordings: [...instructions.get(task)!] } : {}),
      question: row.messages.findLast(message => message.role === 'user')?.input?.trim() || instruction,
      test: ['test', 'execute'].includes(String(row.meta?.split)),
    };
  });
}

const DEFINITION = 'definition';

/** Whether rows of inputs and targets are Super-NaturalInstructions as data hubs have them: a row an instance, its definition beside it. */
export function areDefined(rows: readonly Row[], layout: RowFormat): boolean {
  return layout === 'inputs-targets' && rows.length > 0 && rows.every(row => typeof row.meta?.[DEFINITION] === 'string');
}

/** The definition as the instruction, the inputs as its input. */
function withDefinition(row: Row): Row {
  const { [DEFINITION]: definition, ...meta } = row.meta!;
  const task = row.task ?? field(row, TASK_KEYS);
  const messages = row.messages.map(message =>
    message.role === 'user' ? { ...message, content: String(definition).trim(), input: contentText(message) } : message,
  );
  return { ...row, messages, meta, ...(task === undefined ? {} : { task }) };
}

function taskRow(row: Row, task: string, cluster: string, checker?: CheckerSpec): TaskRow {
  return { ...(row as TaskRow), task, cluster, ...(checker ? { checker } : {}) };
}

const instructionOf = (row: Row) => contentText(row.messages.find(message => message.role === 'user') ?? { content: '' });

/**
 * FLAN and P3: a template has filled its text in. Templates of one data set begin with the same words, which name it; where there are no
 * names and several files, each file is a task.
 */
function templated(rows: readonly Row[]): CollectionExample[] {
  const template = (row: Row) => field(row, TEMPLATE_KEYS);
  const files = new Set(rows.map(row => row.source)).size;
  const fileOf = ({ source = '' }: Row) =>
    source.replace(/^.*[\\/]/, '').replace(/(?:\.(?:jsonl?|csv|tsv|txt|parquet|gz))+$/i, '');
  const datasets = commonBeginnings(rows.flatMap(row => template(row) ?? []));
  const items = itemsOf(rows, row => template(row) ?? '');
  // A number names a template among those of its data set, and no data set.
  const unnamed = (row: Row, wording: string | undefined) =>
    wording === undefined || /^\d+$/.test(wording) ? (files > 1 && fileOf(row)) || 'collection' : datasets.get(wording)!;
  return rows.map((row, i) => {
    const wording = template(row);
    const task = row.task ?? field(row, TASK_KEYS) ?? unnamed(row, wording);
    return {
      row: taskRow(row, task, field(row, ['cluster', 'category']) ?? task),
      wording: wording ?? '',
      question: String(items[i]),
      test: field(row, ['split', '_split']) === 'test',
    };
  });
}

/** Template name → the beginning, in whole words, that it shares with all names of the same first word. */
function commonBeginnings(names: readonly string[]): Map<string, string> {
  const groups = new Map<string, Set<string>>();
  for (const name of names) {
    const first = name.split('_')[0]!;
    groups.set(first, (groups.get(first) ?? new Set()).add(name));
  }
  const out = new Map<string, string>();
  for (const group of groups.values()) {
    const [first, ...rest] = [...group].map(name => name.split('_')) as [string[], ...string[][]];
    const shared = first.filter((_, i) => rest.every(words => words.slice(0, i + 1).join() === first.slice(0, i + 1).join()));
    for (const name of group) out.set(name, shared.join('_'));
  }
  return out;
}

/** Several right answers, or a list whose order does not matter, as the fields beside an example say. */
function inductionChecker({ messages, meta = {} }: Row): CheckerSpec | undefined {
  const output = contentText(messages.at(-1)!);
  if (Array.isArray(meta.category_items) && output.includes(','))
    return { kind: 'list', items: output.split(/,\s*/), ordered: false };
  const others = ['possible_translations', 'other_rhymes', 'all_common_concepts', 'other_answers'].flatMap(key =>
    Array.isArray(meta[key]) ? (meta[key] as unknown[]).filter(value => typeof value === 'string') : [],
  );
  return others.length ? { kind: 'exact', answers: [...new Set([output, ...(others as string[])])] } : undefined;
}

const SCAN = /^IN: (.+) OUT: (.+)$/;

/** A line of SCAN (Lake & Baroni 2018): `IN: walk left OUT: I_TURN_LEFT I_WALK`. */
function scan(row: Row): CollectionExample {
  const [, command, actions] = SCAN.exec(contentText(row.messages[0]!).trim())!;
  return {
    row: {
      messages: [
        { role: 'user', content: command! },
        { role: 'assistant', content: actions! },
      ],
      task: 'scan',
      cluster: 'scan',
      ...(row.source === undefined ? {} : { source: row.source }),
      ...(row.line === undefined ? {} : { line: row.line }),
    },
    wording: '',
    question: command!,
    test: false,
  };
}

/** Whether a row of plain text is a line of SCAN. */
export function isScan(row: Row): boolean {
  return SCAN.test(contentText(row.messages[0]!).trim());
}

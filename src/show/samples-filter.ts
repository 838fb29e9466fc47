import { BadInput, nearest, quote } from '../base/core/index.js';
import type { Sample } from './samples.js';
import { formatCell } from './text.js';

/** Which samples are shown. */
export interface SampleFilter {
  /** Only those of this task. */
  task?: string;
  /** Only right (true) or wrong (false) answers. */
  correct?: boolean;
  /** Only those whose prompt, expected answer or answer holds this text; case does not count. */
  search?: string;
  /** Which page, from 1; default 1. */
  page?: number;
  /** Samples of a page; default 20. */
  limit?: number;
}

/** A page of the samples that pass a filter. */
export interface SamplePage<S extends Sample> {
  shown: S[];
  /** Samples that pass. */
  passing: number;
  page: number;
  pages: number;
}

const TEXTS = ['prompt', 'expected', 'before', 'after', 'got', 'task', 'why', 'supervision'];

/** A sample whose texts are texts, as those of other tools' files need not be: 4 is "4", null is not there. */
export function worded<S extends object>(item: S): S {
  const odd = Object.entries(item).filter(([key, value]) => (TEXTS.includes(key) ? typeof value !== 'string' : value === null));
  if (odd.length === 0) return item;
  return {
    ...item,
    ...Object.fromEntries(
      odd.map(([key, value]) => [key, value === null || value === undefined ? undefined : formatCell(value)]),
    ),
  };
}

/** Tasks of the samples, in the order they first occur. */
export function tasksOf(items: readonly Sample[]): string[] {
  return [...new Set(items.map(item => item.task).filter(task => task !== undefined))];
}

/** Samples that pass, and of them one page; a page beyond the last is the last. */
export function pageOf<S extends Sample>(items: readonly S[], filter: SampleFilter): SamplePage<S> {
  const { task, correct, search = '', page = 1, limit = 20 } = filter;
  for (const [key, value] of Object.entries({ page, limit }))
    if (!(Number.isInteger(value) && value >= 1))
      throw new BadInput({
        problem: 'samples cannot be shown so',
        where: { key },
        expected: 'a whole number from 1',
        found: quote(value),
      });
  if (task !== undefined) {
    const tasks = tasksOf(items);
    const close = tasks.includes(task) ? undefined : nearest(task, tasks);
    if (!tasks.includes(task))
      throw new BadInput({
        problem: `no sample is of the task ${quote(task)}`,
        where: { key: 'task' },
        expected: tasks.slice(0, 20).join(', ') || 'samples with a task',
        ...(close ? { fix: `did you mean ${quote(close)}?` } : {}),
      });
  }
  const wanted = search.toLowerCase();
  const holds = (text: string | undefined) => text?.toLowerCase().includes(wanted) ?? false;
  const passing = items.filter(
    item =>
      (task === undefined || item.task === task) &&
      (correct === undefined || item.correct === correct) &&
      (wanted === '' || [item.prompt, item.expected, item.got ?? item.after].some(holds)),
  );
  const pages = Math.max(1, Math.ceil(passing.length / limit));
  const at = Math.min(page, pages);
  return { shown: passing.slice((at - 1) * limit, at * limit), passing: passing.length, page: at, pages };
}

import { type Figure, figure } from './figure.js';
import { htmlTable, textTable } from './table.js';
import { cut, escapeHtml, oneLine, printable } from './text.js';

/** One generation to look at. `evaluate.exactMatch` returns such samples. */
export interface Sample {
  prompt: string;
  expected?: string;
  /** What the model said before training. */
  before?: string;
  /** What it says now; `got` is another name for it. */
  after?: string;
  got?: string;
  correct?: boolean;
  task?: string;
}

export interface SamplesOptions {
  /** Defaults to `Samples`. */
  title?: string;
  /** Samples shown at most; defaults to 20. */
  limit?: number;
}

const CELL = 600;

/** What a model was asked, what was expected, and what it said: a table, with a word beside the colour for right and wrong. */
export function samples(items: readonly Sample[], options: SamplesOptions = {}): Figure {
  const { title = 'Samples', limit = 20 } = options;
  const shown = items.slice(0, limit);
  const fields = [
    { name: 'task', of: (s: Sample) => s.task },
    { name: 'prompt', of: (s: Sample) => s.prompt },
    { name: 'expected', of: (s: Sample) => s.expected },
    { name: 'before', of: (s: Sample) => s.before },
    { name: shown.some(s => s.before !== undefined) ? 'after' : 'answer', of: (s: Sample) => s.after ?? s.got },
  ].filter(f => shown.some(s => f.of(s) !== undefined));
  const judged = items.filter(s => s.correct !== undefined);
  const right = judged.filter(s => s.correct).length;
  const names = [...fields.map(f => f.name), ...(judged.length > 0 ? ['verdict'] : [])];
  const count = `${items.length.toLocaleString('en-US')} sample${items.length === 1 ? '' : 's'}`;
  const alt = judged.length > 0 ? `${right} of ${judged.length} samples are right.` : `${count}.`;
  const note = items.length > shown.length ? `${alt} The first ${shown.length} are shown.` : alt;
  const verdict = (s: Sample) => (s.correct === undefined ? '' : s.correct ? '✓ right' : '✗ wrong');
  const html = shown.map(s => [
    ...fields.map(f => escapeHtml(printable(cut(f.of(s) ?? '', CELL)))),
    ...(judged.length > 0 ? [`<span class="${s.correct ? 'tb-good' : 'tb-bad'}">${verdict(s)}</span>`] : []),
  ]);
  const text = shown.map(s => [...fields.map(f => oneLine(cut(f.of(s) ?? '', 60))), ...(judged.length > 0 ? [verdict(s)] : [])]);
  return figure({
    kind: 'samples',
    title,
    html: htmlTable({ title, note, names, cells: html }),
    text: textTable({ title, note, names, cells: text }),
    alt,
  });
}

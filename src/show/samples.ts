import { BadInput, quote, viewOf } from '../base/core/index.js';
import { type Figure, figure } from './figure.js';
import { CARDS_CSS, type CardSample, cardsHtml, cardsText } from './samples-cards.js';
import { pageOf, type SampleFilter, worded } from './samples-filter.js';
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

/** What was scored, as `evaluate.score` describes it. */
export interface ScoredSource {
  samples: readonly CardSample[];
  name?: string;
  /** Share of right answers. */
  score?: number;
  interval?: { low: number; high: number };
  /** Lines to be said with it. */
  notes?: readonly string[];
}

/** Samples, or what `evaluate.score` gave. */
export type SamplesSource = readonly Sample[] | ScoredSource;

export interface SamplesOptions extends SampleFilter {
  /** Defaults to `Samples`; of what was scored, to its name and score. */
  title?: string;
  /** A card for every sample, with the words marked in which answer and expected answer differ. Default: where what was scored is shown. */
  cards?: boolean;
}

const CELL = 600;

/**
 * What a model was asked, what was expected, and what it said. Samples are a table; what `evaluate.score` gave is cards that can be
 * filtered where they stand (right, wrong, task) and by options: `show.samples(scored, { correct: false, task: 'copy', search: 'pen', page: 2 })`.
 * In a notebook {@link browse} has the same with buttons and a search field.
 */
export function samples(source: SamplesSource, options: SamplesOptions = {}): Figure {
  const data = scoredSource(source);
  const { task, correct, search, page, limit = 20, cards = !Array.isArray(source) } = options;
  if (cards) return cardFigure(data, options);
  const items = [task, correct, search, page].every(option => option === undefined)
    ? data.samples
    : pageOf(data.samples, { ...options, limit }).shown;
  return tableFigure(items, { title: options.title ?? 'Samples', limit });
}

/** What is to be shown, whatever describes it; BadInput for anything else. */
export function scoredSource(source: unknown): ScoredSource {
  const data = viewOf(source)?.data ?? source;
  const found = Array.isArray(data) ? { samples: data } : (data as Partial<ScoredSource> | null);
  if (Array.isArray(found?.samples) && found.samples.every(item => typeof item === 'object' && item !== null))
    return { ...(found as ScoredSource), samples: found.samples.map(worded) };
  throw new BadInput({
    problem: 'there are no samples to show',
    expected: 'what evaluate.score gave, or a list of { prompt, expected, got }',
    found: quote(data),
    fix: 'show.samples(await evaluate.score({ … }))',
  });
}

/** Cards of one page of the samples that pass. */
export function cardFigure(data: ScoredSource, options: SamplesOptions): Figure {
  const { shown, passing, page, pages } = pageOf(data.samples, options);
  const title = oneLine(cut(options.title ?? heading(data), 200));
  const judged = data.samples.filter(item => item.correct !== undefined);
  const right = judged.filter(item => item.correct).length;
  const alt =
    judged.length > 0
      ? `${count(right)} of ${count(judged.length)} samples are right.`
      : `${count(data.samples.length)} samples.`;
  const passed = passing < data.samples.length ? ` ${count(passing)} pass the filter.` : '';
  const next = page < pages ? `; { page: ${page + 1} } shows the next` : '';
  const turn = pages > 1 ? ` Page ${page} of ${pages}${next}.` : '';
  const notes = [`${alt}${passed}${turn}`, ...(data.notes ?? []).map(note => oneLine(cut(note, 300)))];
  return figure({
    kind: 'samples',
    title,
    html:
      `<style>${CARDS_CSS}</style><div class="tb-figure tb-cards"><p class="tb-title">${escapeHtml(title)}</p>` +
      `${notes.map(note => `<p class="tb-note">${escapeHtml(note)}</p>`).join('')}${cardsHtml(shown)}</div>`,
    text: [`${title}   [-expected-] {+said+}`, ...cardsText(shown), ...notes].join('\n'),
    alt,
  });
}

function heading({ name, score, interval }: ScoredSource): string {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  if (score === undefined) return name ?? 'Samples';
  const range = interval ? ` (95 % interval ${percent(interval.low)} to ${percent(interval.high)})` : '';
  return `${name === undefined ? 'Score' : `${name}:`} ${percent(score)}${range}`;
}

const count = (n: number) => n.toLocaleString('en-US');

function tableFigure(items: readonly Sample[], { title, limit }: { title: string; limit: number }): Figure {
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
  const size = `${count(items.length)} sample${items.length === 1 ? '' : 's'}`;
  const alt = judged.length > 0 ? `${right} of ${judged.length} samples are right.` : `${size}.`;
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

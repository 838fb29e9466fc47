import { objects } from './check.js';
import { type Figure, figure } from './figure.js';
import { htmlTable, textTable } from './table.js';
import { cut, escapeHtml, formatNumber, oneLine, printable } from './text.js';

/** One measure of two arms, as `evaluate.compare` gives it. */
export interface ComparisonRow {
  measure: string;
  seeds: number;
  a: number;
  b: number;
  difference: number;
  low: number;
  high: number;
  method?: string;
  p: number;
  /** p corrected for the number of measures. */
  holm: number;
  /** The smallest true difference that would have been found. */
  mde: number;
}

/** What {@link comparison} shows. */
export interface ComparisonData {
  rows: readonly ComparisonRow[];
  /** Why nothing may be concluded. */
  warning?: string;
  /** Seeds below which a row concludes nothing; default 5. */
  fewest?: number;
  title?: string;
}

/** Columns that hold no numbers. */
const [VERDICT, INTERVAL] = [1, 6];

/** Error that is allowed after correction. */
const ALPHA = 0.05;

/**
 * Two arms measure by measure: the difference with its interval, p as it is and corrected, the smallest difference that could have been
 * found, and what follows: a difference, none that can be told, or too few seeds to say.
 */
export function comparison(data: ComparisonData): Figure {
  objects(data?.rows, 'what evaluate.compare gives: { rows: [{ measure, seeds, a, b, difference, low, high, p, holm, mde }] }');
  const { rows, warning, fewest = 5, title = 'Differences b − a' } = data;
  const verdict = (row: ComparisonRow) => {
    if (row.seeds < fewest) return row.seeds === 1 ? 'one seed' : 'too few seeds';
    if (!(row.holm < ALPHA)) return 'not told apart';
    return row.difference > 0 ? 'b is higher' : 'b is lower';
  };
  // What follows stands beside what was measured: in a narrow place the rest is scrolled.
  const names = ['measure', '', 'seeds', 'a', 'b', 'difference', '95 % interval', 'p', 'p (Holm)', 'detectable'];
  const missing = (value: number) => typeof value !== 'number' || Number.isNaN(value);
  const number = (value: number) => (missing(value) ? '–' : formatNumber(Number(value.toPrecision(3))));
  const chance = (p: number) => (missing(p) ? '–' : p < 0.001 ? '< 0.001' : p.toFixed(3));
  const signed = (value: number) => `${value > 0 ? '+' : ''}${number(value)}`;
  const cells = rows.map(row => [
    oneLine(cut(String(row.measure), 80)),
    verdict(row),
    String(row.seeds),
    number(row.a),
    number(row.b),
    signed(row.difference),
    `${number(row.low)} to ${number(row.high)}${row.method === 'bootstrap' ? ' (rows)' : ''}`,
    chance(row.p),
    chance(row.holm),
    number(row.mde),
  ]);
  const numeric = names.map((_, i) => i > 1 && i !== INTERVAL);
  const note = [
    'detectable: the smallest true difference that would be found with power .8.',
    ...(rows.some(row => row.method === 'bootstrap')
      ? ['(rows): one seed, so the interval knows the chance in the rows alone.']
      : []),
    ...(warning === undefined ? [] : [oneLine(cut(warning, 300))]),
  ].join(' ');
  const told = rows.filter(row => verdict(row).startsWith('b is')).length;
  const alt = `${rows.length} measure${rows.length === 1 ? '' : 's'} compared; ${told === 0 ? 'none is' : `${told} ${told === 1 ? 'is' : 'are'}`} told apart after correction.${warning ? ` ${oneLine(cut(warning, 200))}` : ''}`;
  const html = rows.map((_, r) =>
    cells[r]!.map((cell, i) => {
      const shown = escapeHtml(printable(cell));
      return i === VERDICT && cell.startsWith('b is') ? `<span class="tb-good">${shown}</span>` : shown;
    }),
  );
  return figure({
    kind: 'comparison',
    title,
    html: htmlTable({ title, note, names, cells: html, numeric }),
    text: textTable({ title, note, names, cells, numeric }),
    alt,
  });
}

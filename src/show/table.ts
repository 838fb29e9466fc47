import { BadInput, quote } from '../base/core/index.js';
import { type Figure, figure } from './figure.js';
import { cut, displayWidth, escapeHtml, formatCell, oneLine, pad, printable } from './text.js';
import { htmlVars } from './theme.js';

/** What a table can be made of: rows, columns, an arquero table or a danfo DataFrame (recognised by shape, neither is loaded). */
export type TableSource =
  | readonly object[]
  | { columns: readonly string[]; data: readonly (readonly unknown[])[] }
  | { columnNames(): string[]; numRows(): number; objects(options?: object): object[] }
  | { columns: readonly string[]; values: readonly unknown[] };

export interface TableOptions {
  title?: string;
  /** Rows shown at most; the rest is counted. Defaults to 50. */
  limit?: number;
  /** Columns shown, in this order; defaults to all. */
  columns?: readonly string[];
}

/** Characters shown of one cell at most. */
const CELL = 300;
/** Columns shown at most, unless they are named; the rest is counted. */
const COLUMNS = 100;
/** Width of the text form, in terminal columns: a line that wraps is no line of a table. */
const TEXT_WIDTH = 200;
/** Terminal columns of one cell at most. */
const TEXT_CELL = 48;

/** Rows as a table: escaped HTML, and aligned text for terminals. */
export function table(source: TableSource, options: TableOptions = {}): Figure {
  const { title, limit = 50 } = options;
  const all = grid(source, limit);
  // Columns of a data frame may share a name, so all of them are taken by their place.
  const columns = options.columns
    ? options.columns.map(name => ({ name, at: all.columns.indexOf(name) })).filter(c => c.at >= 0)
    : all.columns.slice(0, COLUMNS).map((name, at) => ({ name, at }));
  const rows = all.rows.map(row => columns.map(c => row[c.at]));
  const names = columns.map(c => c.name);
  const numeric = names.map(
    (_, i) => rows.some(r => typeof r[i] === 'number') && rows.every(r => r[i] == null || typeof r[i] === 'number'),
  );
  const more = all.total - rows.length;
  const width = options.columns ? names.length : all.columns.length;
  const size = `${all.total.toLocaleString('en-US')} row${all.total === 1 ? '' : 's'} × ${width.toLocaleString('en-US')} column${width === 1 ? '' : 's'}`;
  const said = (shown: number) => {
    const parts = [...(more > 0 ? [`the first ${rows.length}`] : []), ...(shown < width ? [`the first ${shown} columns`] : [])];
    return parts.length > 0 ? `${size}; ${parts.join(' and ')} are shown` : size;
  };

  const cells = rows.map(row =>
    row.map(value => ({ html: escapeHtml(printable(cut(formatCell(value), CELL))), text: cell(value) })),
  );
  const html = htmlTable({ title, note: said(names.length), names, cells: cells.map(r => r.map(c => c.html)), numeric });
  const texts = cells.map(r => r.map(c => c.text));
  const fitting = columnsWithin(names, texts);
  return figure({
    kind: 'table',
    ...(title === undefined ? {} : { title }),
    html,
    text: textTable({
      title,
      note: said(fitting),
      names: names.slice(0, fitting),
      cells: texts.map(r => r.slice(0, fitting)),
      numeric,
    }),
    alt: `Table of ${size}: ${names
      .slice(0, 12)
      .map(n => cut(oneLine(n), 40))
      .join(', ')}.`,
  });
}

function cell(value: unknown): string {
  return clip(oneLine(cut(formatCell(value), 4 * TEXT_CELL)), TEXT_CELL);
}

function clip(line: string, width: number): string {
  if (displayWidth(line) <= width) return line;
  let out = '';
  for (const c of line) {
    if (displayWidth(out + c) >= width) break;
    out += c;
  }
  return `${out}…`;
}

/** How many columns of a text table fit into its width, one at least. */
function columnsWithin(names: readonly string[], cells: readonly (readonly string[])[]): number {
  let used = 0;
  for (const [i, name] of names.entries()) {
    const wide = cells.reduce(
      (most, row) => Math.max(most, displayWidth(row[i] ?? '')),
      displayWidth(clip(oneLine(name), TEXT_CELL)),
    );
    used += wide + (i > 0 ? 2 : 0);
    if (used > TEXT_WIDTH && i > 0) return i;
  }
  return names.length;
}

/** A word that may be broken anywhere, lest it make its column too wide; in a narrow place others would be broken, too. */
const LONG_WORD = /\S{25}/;

/** Already escaped cells as an HTML table in our style. */
export function htmlTable(t: {
  title?: string;
  note?: string;
  names: readonly string[];
  cells: readonly (readonly string[])[];
  numeric?: readonly boolean[];
}): string {
  const align = (i: number, cell = '') => {
    const classes = [
      ...(t.numeric?.[i] ? ['tb-num'] : []),
      ...(LONG_WORD.test(cell.replace(/<[^>]*>/g, ' ')) ? ['tb-long'] : []),
    ];
    return classes.length > 0 ? ` class="${classes.join(' ')}"` : '';
  };
  const caption = t.title === undefined ? '' : `<caption>${escapeHtml(printable(cut(t.title, 200)))}</caption>`;
  const head = t.names.map((n, i) => `<th scope="col"${align(i)}>${escapeHtml(oneLine(cut(n, 80)))}</th>`).join('');
  const body = t.cells.map(row => `<tr>${row.map((c, i) => `<td dir="auto"${align(i, c)}>${c}</td>`).join('')}</tr>`).join('\n');
  const note = t.note ? `<p class="tb-note">${escapeHtml(t.note)}</p>` : '';
  return (
    `<style>${TABLE_CSS}</style><div class="tb-figure tb-table"><table>${caption}<thead><tr>${head}</tr></thead>\n` +
    `<tbody>${body}</tbody></table>${note}</div>`
  );
}

/** Printable one-line cells as an aligned text table. */
export function textTable(t: {
  title?: string;
  note?: string;
  names: readonly string[];
  cells: readonly (readonly string[])[];
  numeric?: readonly boolean[];
}): string {
  const heads = t.names.map(n => clip(oneLine(n), TEXT_CELL));
  const widths = heads.map((h, i) => t.cells.reduce((w, row) => Math.max(w, displayWidth(row[i] ?? '')), displayWidth(h)));
  const line = (row: readonly string[]) =>
    row
      .map((c, i) => pad(c, widths[i]!, t.numeric?.[i] ? 'right' : 'left'))
      .join('  ')
      .trimEnd();
  return [
    ...(t.title === undefined ? [] : [oneLine(cut(t.title, 200))]),
    line(heads),
    widths.map(w => '─'.repeat(w)).join('──'),
    ...t.cells.map(line),
    ...(t.note ? [t.note] : []),
  ].join('\n');
}

/** Style of every table of ours, scoped by class. */
export const TABLE_CSS: string =
  htmlVars('.tb-figure') +
  '.tb-figure{color:var(--tb-ink);font:14px/1.45 Inter,system-ui,sans-serif;margin:6px 0}.tb-table{overflow-x:auto}' +
  '.tb-table table{border-collapse:collapse;margin:0;border:0;font-size:13px}' +
  '.tb-table caption{caption-side:top;text-align:left;font-weight:600;font-size:15px;padding:0 0 8px;color:var(--tb-ink)}' +
  // Two classes: JupyterLab's own style of tables (right-aligned, striped) must not win.
  '.tb-figure.tb-table th,.tb-figure.tb-table td{padding:5px 14px 5px 0;text-align:left;vertical-align:top;border:0;border-bottom:1px solid var(--tb-line);' +
  'white-space:pre-wrap;overflow-wrap:break-word;min-width:3em;max-width:32em;background:none}.tb-figure.tb-table tbody tr{background:none}' +
  '.tb-figure.tb-table td.tb-long{overflow-wrap:anywhere;min-width:12em}.tb-figure.tb-table td.tb-num{white-space:nowrap}' +
  '.tb-figure.tb-table td:first-child{min-width:6em}' +
  '.tb-figure.tb-table thead th{color:var(--tb-soft);font-weight:600;border-bottom:2px solid var(--tb-line);overflow-wrap:normal}' +
  '.tb-figure.tb-table .tb-num{text-align:right;font-variant-numeric:tabular-nums}' +
  '.tb-figure.tb-table td:last-child,.tb-figure.tb-table th:last-child{padding-right:4px}' +
  '.tb-good{color:var(--tb-good);font-weight:600}.tb-bad{color:var(--tb-bad);font-weight:600}' +
  '.tb-note{color:var(--tb-faint);font-size:12px;margin:6px 0 0}';

interface Grid {
  columns: string[];
  /** The rows to show. */
  rows: unknown[][];
  /** How many there are. */
  total: number;
}

function grid(source: TableSource, limit: number): Grid {
  if (Array.isArray(source)) return fromRows(source as readonly object[], limit);
  const shape = (source ?? {}) as { columnNames?: unknown; columns?: unknown; data?: unknown; values?: unknown };
  if (typeof shape.columnNames === 'function') {
    const arquero = source as { columnNames(): string[]; numRows(): number; objects(options: { limit: number }): object[] };
    const columns = arquero.columnNames();
    const rows = arquero.objects({ limit }).map(row => columns.map(c => (row as Record<string, unknown>)[c]));
    return { columns, rows, total: arquero.numRows() };
  }
  const data = Array.isArray(shape.values) ? shape.values : shape.data;
  if (Array.isArray(shape.columns) && Array.isArray(data)) {
    return {
      columns: shape.columns.map(String),
      rows: data.slice(0, limit).map(row => (Array.isArray(row) ? [...row] : [row])),
      total: data.length,
    };
  }
  throw new BadInput({
    problem: 'a table needs rows',
    expected: 'an array of objects, {columns, data}, an arquero table or a danfo DataFrame',
    found: quote(source),
    fix: 'pass an array with one object a row',
  });
}

function fromRows(all: readonly object[], limit: number): Grid {
  const shown = all.slice(0, limit);
  const columns = [...new Set(shown.flatMap(row => (row !== null && typeof row === 'object' ? Object.keys(row) : [])))];
  return { columns, rows: shown.map(row => columns.map(c => (row as Record<string, unknown> | null)?.[c])), total: all.length };
}

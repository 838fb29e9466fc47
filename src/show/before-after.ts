import { drawable, numberAxis, shareEnds } from './axes.js';
import { objects } from './check.js';
import { type Figure, figure } from './figure.js';
import { htmlTable, textTable } from './table.js';
import { cut, escapeHtml, formatNumber, oneLine, printable, round6, textWidth } from './text.js';
import { label, PALETTE, spec, WRITTEN } from './theme.js';

/** One measure before and after. */
export interface BeforeAfterRow {
  label: string;
  before: number;
  after: number;
  /** Written behind the values. `'share'` prints a fraction as per cent. */
  unit?: string;
  /** Which way is good; without it a change is neither better nor worse. */
  better?: 'higher' | 'lower';
}

/** Measures before and after an intervention: a dumbbell chart (each unit on its own axis) and the same as a table. */
export function beforeAfter(input: { rows: readonly BeforeAfterRow[]; title?: string }): Figure {
  const given = objects(input?.rows, "{ rows: [{ label: 'accuracy', before: 0.1, after: 0.7 }] }");
  const title = input.title ?? 'Before and after';
  const rows = given.map(row => ({ ...row, label: label(row.label, 48), ...judge(row) }));
  const alt = rows.length === 0 ? 'Nothing measured.' : rows.map(sentence).join(' ');
  const names = ['measure', 'before', 'after', 'change', ''];
  const numeric = [false, true, true, true, false];
  const cells = rows.map(r => [oneLine(r.label), value(r.before, r.unit), value(r.after, r.unit), change(r), r.verdict]);
  const html = rows.map((r, i) => [
    ...cells[i]!.slice(0, 4).map(c => escapeHtml(printable(c))),
    r.verdict === '' ? '' : `<span class="${r.verdict === 'worse' ? 'tb-bad' : 'tb-good'}">${escapeHtml(r.verdict)}</span>`,
  ]);
  return figure({
    kind: 'beforeAfter',
    title,
    spec: spec({
      title,
      subtitle: '○ before   ● after',
      description: cut(`${label(title, 120)}. ${alt}`, 390),
      vconcat: rows.map((row, i) => dumbbell(row, rows, i)),
      spacing: 14,
      // Room for a value written beyond the end of its axis.
      padding: { left: 5, top: 5, right: 40, bottom: 5 },
    }),
    html: htmlTable({ names, cells: html, numeric }),
    text: textTable({ title, names, cells, numeric }),
    alt,
  });
}

type Judged = BeforeAfterRow & { verdict: '' | 'better' | 'worse' | 'same' };

function judge(row: BeforeAfterRow): { verdict: Judged['verdict'] } {
  const scale = Math.max(Math.abs(row.before), Math.abs(row.after), 1e-12);
  if (Math.abs(row.after - row.before) / scale < 1e-3) return { verdict: 'same' };
  if (!row.better || !Number.isFinite(row.after - row.before)) return { verdict: '' };
  return { verdict: row.after > row.before === (row.better === 'higher') ? 'better' : 'worse' };
}

function dumbbell(row: Judged, rows: readonly Judged[], index: number) {
  const color = { better: PALETTE.green, worse: PALETTE.vermillion, same: PALETTE.gray, '': PALETTE.blue }[row.verdict];
  // Measures in one unit share an axis, so that their lengths compare. It contains 0: a dumbbell's length should mean something.
  const peers = rows
    .filter(r => r.unit === row.unit)
    .flatMap(r => [r.before, r.after])
    .filter(value => drawable(value));
  const domain = row.unit === 'share' ? shareEnds(peers) : ends(peers);
  // One axis serves the rows above it that share it: only its grid lines run through them.
  const below = rows[index + 1];
  const shared = below !== undefined && below.unit === row.unit && axisTitle(below) === axisTitle(row);
  const axis = shared
    ? { title: null, labels: false, ticks: false, domain: false }
    : row.unit === 'share'
      ? { title: axisTitle(row), format: '.0%' }
      : numberAxis(peers, { title: axisTitle(row) });
  const x = {
    type: 'quantitative',
    scale: { domain, nice: row.unit !== 'share' },
    axis: { ...axis, tickCount: 5 },
  };
  // Left of the plot stands what is written beside a dumbbell that begins at its edge.
  const widest = rows.reduce((most, r) => Math.max(most, ...[r.before, r.after].map(v => textWidth(bare(v, r.unit), 12))), 0);
  const y = {
    field: 'label',
    type: 'nominal',
    axis: { title: null, labelFontSize: 12, labelPadding: Math.max(58, widest + 24) },
  };
  const [before, after] = [row.before, row.after].map(v => (drawable(v) ? round6(v) : null));
  const both = before !== null && after !== null;
  const points = [
    { label: row.label, x: before, text: bare(row.before, row.unit), state: 'before' },
    { label: row.label, x: after, text: bare(row.after, row.unit), state: 'after' },
  ].filter(p => p.x !== null);
  // Values stand outside the dumbbell: the smaller to its left, the greater to its right.
  const place = (state: string) => {
    const left = both && (state === 'before') === (before as number) < (after as number);
    return { dx: left ? -10 : 10, align: left ? 'right' : 'left' };
  };
  const rim =
    both && Math.abs((after as number) - (before as number)) > 0.04 * (domain[1]! - domain[0]!)
      ? (after as number) > (before as number)
        ? 6
        : -6
      : 0;
  const written = (state: string) => ({
    data: { values: points.filter(p => p.state === state) },
    mark: { ...WRITTEN, fontSize: 12, fontWeight: 600, baseline: 'middle', ...place(state) },
    encoding: { x: { field: 'x', ...x }, y, text: { field: 'text', type: 'nominal' } },
  });
  const dot = (state: string) => ({
    data: { values: points.filter(p => p.state === state) },
    mark: { type: 'point', size: 110, opacity: 1, color, filled: state === 'after', strokeWidth: 2, tooltip: true },
    encoding: { x: { field: 'x', ...x }, y },
  });
  return {
    name: `measure${index}`,
    width: 340,
    height: 30,
    layer: [
      ...(both
        ? [
            {
              data: { values: [{ label: row.label, from: before, to: after }] },
              // It ends at the rims of the dots, so that the hollow one stays hollow.
              mark: { type: 'rule', strokeWidth: 3, opacity: 0.5, color, xOffset: rim, x2Offset: 0 - rim },
              encoding: { x: { field: 'from', ...x }, x2: { field: 'to' }, y },
            },
          ]
        : []),
      dot('before'),
      dot('after'),
      written('before'),
      written('after'),
    ],
  };
}

/** An axis of values with 0 on it. */
function ends(values: readonly number[]): [number, number] {
  const [low, high] = values.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [0, 0]);
  return low === high ? [0, 1] : [low, high];
}

function axisTitle(row: Judged): string | null {
  const unit = row.unit && row.unit !== 'share' ? label(row.unit, 30) : '';
  const way = row.better ? `${row.better} is better` : '';
  return [unit, way].filter(Boolean).join(', ') || null;
}

function value(x: number, unit?: string): string {
  if (unit === 'share') return Number.isFinite(x) ? `${formatNumber(Number((100 * x).toFixed(1)))} %` : formatNumber(x);
  return unit ? `${formatNumber(x)} ${label(unit, 30)}` : formatNumber(x);
}

/** The value as it stands in the chart, whose axis names the unit. */
function bare(x: number, unit?: string): string {
  return value(x, unit === 'share' ? unit : undefined);
}

function change(row: Judged): string {
  const delta = row.unit === 'share' ? 100 * (row.after - row.before) : row.after - row.before;
  if (!Number.isFinite(delta)) return '';
  const size = formatNumber(Math.abs(row.unit === 'share' ? Number(delta.toFixed(1)) : round6(delta)));
  return `${delta > 0 ? '+' : delta < 0 ? '−' : '±'}${size}${row.unit === 'share' ? ' points' : ''}`;
}

function sentence(row: Judged): string {
  const measured = (x: number) => typeof x === 'number' && !Number.isNaN(x);
  const said = (x: number) => (measured(x) ? value(x, row.unit) : 'not measured');
  const course = [row.before, row.after].every(measured)
    ? `${row.label} goes from ${said(row.before)} to ${said(row.after)}`
    : `${row.label}: ${said(row.before)} before, ${said(row.after)} after`;
  return `${course}${row.verdict === '' ? '' : ` (${row.verdict})`}.`;
}

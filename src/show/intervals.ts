import { drawable, leftOut, numberAxis, numberScale, shareEnds } from './axes.js';
import { objects } from './check.js';
import { uniqueLabels } from './counts.js';
import { type Figure, figure } from './figure.js';
import { textTable } from './table.js';
import { formatNumber, round6 } from './text.js';
import { label, PALETTE, spec, WRITTEN } from './theme.js';

/** A value and where it may lie. */
export interface IntervalRow {
  label: string;
  value: number;
  low?: number;
  high?: number;
  /** Drawn in the colour of what is looked at, e.g. the model among its baselines. */
  strong?: boolean;
}

/** What {@link intervals} draws. */
export interface IntervalsData {
  title?: string;
  rows: readonly IntervalRow[];
  /** `share`: values from 0 to 1, written in per cent. */
  unit?: 'share';
  /** Name of the axis; without one it says, where there are intervals, what they are. */
  axis?: string;
  /** A line across: chance, no difference. */
  reference?: number;
  /** Said below the title. */
  notes?: readonly string[];
}

/** Rows drawn at most. */
const MOST = 60;

/**
 * Values with their intervals, one below the other: a score beside its baselines, the same rows asked in several ways, strengths of
 * models. `evaluate.baselines`, `sensitivity`, `choices` and `preferences` show themselves so.
 */
export function intervals(data: IntervalsData): Figure {
  objects(data?.rows, "{ rows: [{ label: 'tuned', value: 0.7, low: 0.6, high: 0.8 }] }");
  const { title = 'Values and intervals', unit, axis, reference, notes = [] } = data;
  const rows = data.rows.slice(0, MOST);
  const names = uniqueLabels(rows.map(row => label(row.label, 48)));
  const written = (value: number | null | undefined) => (typeof value === 'number' ? said(value, unit) : '');
  const range = ({ low, high }: IntervalRow) =>
    Number.isFinite(low) && Number.isFinite(high) ? `${said(low!, unit)} to ${said(high!, unit)}` : '';
  const sentences = rows.flatMap((row, i) =>
    drawable(row.value) ? [`${names[i]}: ${written(row.value)}${range(row) ? ` (${range(row)})` : ''}.`] : [],
  );
  const more = data.rows.length > rows.length ? ` ${data.rows.length - rows.length} more are not shown.` : '';
  const missing = leftOut(rows.length - sentences.length, 'row');
  const alt = `${sentences.slice(0, 8).join(' ') || 'No values.'}${sentences.length > 8 ? ' …' : ''}${more}${missing}`;
  const values = rows.flatMap(({ value, low, high, strong }, i) =>
    drawable(value)
      ? [
          {
            name: names[i]!,
            value: round6(value),
            ...(drawable(low) && drawable(high) ? { low: round6(low), high: round6(high) } : {}),
            text: written(value),
            kind: strong ? 'strong' : 'plain',
          },
        ]
      : [],
  );
  const lines = notes.map(note => label(note, 300));
  return figure({
    kind: 'intervals',
    title,
    spec: spec({
      title,
      subtitle: lines[0],
      description: `${label(title, 120)}. ${alt}`,
      data: { values },
      width: 420,
      height: { step: 26 },
      // Room for a value written beyond the end of its axis.
      padding: { left: 5, top: 5, right: 52, bottom: 5 },
      layer: layers(values, { unit, axis, reference }),
    }),
    text: [
      textTable({
        title,
        names: ['', 'value', '95 % interval'],
        cells: rows.map((row, i) => [names[i]!, written(row.value), range(row)]),
        numeric: [false, true, false],
      }),
      ...(reference === undefined ? [] : [`reference: ${said(reference, unit)}`]),
      ...lines,
    ].join('\n'),
    alt,
  });
}

function layers(
  values: readonly { value: number; low?: number; high?: number }[],
  { unit, axis, reference }: Pick<IntervalsData, 'unit' | 'axis' | 'reference'>,
): Record<string, unknown>[] {
  const ends = values.flatMap(row => [row.value, row.low ?? row.value, row.high ?? row.value]);
  if (drawable(reference)) ends.push(reference);
  const ranged = values.some(row => row.low !== undefined);
  const named = { title: axis === undefined ? (ranged ? 'value and 95 % interval' : null) : label(axis, 60) };
  const x =
    unit === 'share'
      ? { type: 'quantitative', scale: { domain: shareEnds(ends) }, axis: { ...named, tickCount: 5, format: '.0%' } }
      : { type: 'quantitative', scale: numberScale(ends, { room: 0.04 }), axis: numberAxis(ends, named) };
  const y = { field: 'name', type: 'nominal', sort: null, axis: { title: null, labelFontSize: 12, labelPadding: 10 } };
  const color = {
    field: 'kind',
    type: 'nominal',
    scale: { domain: ['strong', 'plain'], range: [PALETTE.vermillion, PALETTE.blue] },
    legend: null,
  };
  return [
    ...(drawable(reference)
      ? [
          {
            data: { values: [{ at: round6(reference) }] },
            mark: { type: 'rule', color: PALETTE.gray, strokeDash: [4, 3], tooltip: true },
            // Without a place of its own, so that it crosses all.
            encoding: { x: { field: 'at', ...x } },
          },
        ]
      : []),
    {
      transform: [{ filter: 'isValid(datum.low)' }],
      mark: { type: 'rule', strokeWidth: 3, opacity: 0.45 },
      encoding: { x: { field: 'low', ...x }, x2: { field: 'high' }, y, color },
    },
    {
      mark: { type: 'point', filled: true, size: 80, opacity: 1, tooltip: true },
      encoding: { x: { field: 'value', ...x }, y, color },
    },
    {
      // Beyond the end of the interval, where nothing is drawn.
      transform: [{ calculate: 'isValid(datum.high) ? datum.high : datum.value', as: 'end' }],
      mark: { ...WRITTEN, align: 'left', baseline: 'middle', dx: 9, fontSize: 12 },
      encoding: { x: { field: 'end', ...x }, y, text: { field: 'text', type: 'nominal' } },
    },
  ];
}

function said(value: number, unit: 'share' | undefined): string {
  if (!Number.isFinite(value)) return formatNumber(value);
  return unit === 'share' ? `${formatNumber(Number((100 * value).toFixed(1)))} %` : formatNumber(Number(value.toPrecision(3)));
}

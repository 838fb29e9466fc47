import { drawable, numberAxis, wholeTicks } from './axes.js';
import { numbers } from './check.js';
import { type Figure, figure } from './figure.js';
import { formatNumber, round6 } from './text.js';
import { label, PALETTE, spec } from './theme.js';

export interface HistogramOptions {
  title?: string;
  /** What is counted along the axis, e.g. `tokens per row`. Defaults to `value`. */
  label?: string;
  /** What one item is, e.g. `rows`. Defaults to `count`. */
  count?: string;
  /** Bins wanted; the step is rounded to 1, 2 or 5 · 10ⁿ. Defaults to 30. */
  bins?: number;
}

/** How often values of each size occur. Values that are not finite are left out and counted in the description. */
export function histogram(values: ArrayLike<number>, options: HistogramOptions = {}): Figure {
  const { title = 'Distribution', label: name = 'value', count = 'count', bins = 30 } = options;
  numbers(values, 'an array of numbers');
  const finite = Float64Array.from(Array.from(values).filter(value => drawable(value))).sort();
  const lost = values.length - finite.length;
  const counted = binned(finite, bins);
  const median = finite.length === 0 ? Number.NaN : (finite[(finite.length - 1) >> 1]! + finite[finite.length >> 1]!) / 2;
  const alt =
    finite.length === 0
      ? 'No values.'
      : `${finite.length.toLocaleString('en-US')} values from ${formatNumber(finite[0]!)} to ${formatNumber(finite.at(-1)!)}, median ${formatNumber(median)}.` +
        (lost > 0 ? ` ${lost} not finite, left out.` : '');
  // Vega cannot make an axis of nothing.
  const empty = counted.length === 0 ? { scale: { domain: [0, 1] } } : {};
  const x = {
    field: 'from',
    type: 'quantitative',
    bin: { binned: true },
    ...empty,
    axis: numberAxis(
      counted.flatMap(({ from, to }) => [from, to]),
      { title: label(name), grid: false, tickCount: 10 },
    ),
  };
  const chart = spec({
    title,
    subtitle: alt,
    description: `${label(title, 120)}. ${alt}`,
    width: 560,
    height: 200,
    layer: [
      {
        data: { values: counted },
        mark: { type: 'bar', color: PALETTE.blue, binSpacing: 1, tooltip: true },
        encoding: {
          x,
          x2: { field: 'to' },
          y: {
            field: 'count',
            type: 'quantitative',
            scale: { nice: 5 },
            ...empty,
            axis: { title: label(count), tickCount: 5, ...wholeTicks() },
          },
        },
      },
      ...(finite.length > 0
        ? [
            {
              data: { values: [{ from: round6(median) }] },
              mark: { type: 'rule', color: PALETTE.vermillion, strokeWidth: 2, strokeDash: [5, 3] },
              encoding: { x: { field: 'from', type: 'quantitative' } },
            },
          ]
        : []),
    ],
  });
  const most = counted.reduce((m, b) => Math.max(m, b.count), 1);
  const bars = counted.map(
    b => `${formatNumber(b.from).padStart(10)} ${'█'.repeat(Math.round((b.count / most) * 40))} ${b.count}`,
  );
  return figure({ kind: 'histogram', title, spec: chart, text: [label(title, 120), ...bars, alt].join('\n'), alt });
}

/** Sorted values counted in bins of a round width; of whole numbers no less than 1. */
export function binned(sorted: Float64Array, bins: number): { from: number; to: number; count: number }[] {
  if (sorted.length === 0) return [];
  const low = sorted[0]!;
  const range = sorted.at(-1)! - low;
  const wanted = (range || Math.abs(low) || 1) / Math.max(1, bins);
  // Between whole numbers lies nothing to count.
  const raw = sorted.every(Number.isInteger) ? Math.max(1, wanted) : wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(m => m * power).find(s => s >= raw)!;
  const start = Math.floor(low / step);
  const counts = new Array<number>(Math.floor(sorted.at(-1)! / step) - start + 1).fill(0);
  for (const value of sorted) counts[Math.floor(value / step) - start]! += 1;
  // Of values far from 0 the edges differ in a late digit; the last one of all is noise.
  const edge = (i: number) => Number(((start + i) * step).toPrecision(15));
  return counts.map((count, i) => ({ from: edge(i), to: edge(i + 1), count }));
}

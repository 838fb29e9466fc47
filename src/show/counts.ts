import { displayWidth, formatNumber, pad } from './text.js';
import { label, PALETTE, WRITTEN } from './theme.js';

/** One bar: a name from data and how often it occurs. */
export interface Count {
  name: string;
  count: number;
}

/** The `top` most frequent values, the rest as one `other`; equal counts in the order of their first occurrence. */
export function topCounts(values: readonly string[], top: number): Count[] {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const sorted = [...counts].map(([name, count]) => ({ name, count })).sort((a, b) => b.count - a.count);
  const named = uniqueLabels(sorted.slice(0, top).map(c => c.name)).map((name, i) => ({ name, count: sorted[i]!.count }));
  const rest = sorted.slice(top);
  if (rest.length === 0) return named;
  return [...named, { name: `other (${formatNumber(rest.length)})`, count: rest.reduce((sum, c) => sum + c.count, 0) }];
}

/** Names as a chart shows them. Those that look alike are numbered, or their bars would lie on one another. */
export function uniqueLabels(names: readonly string[], limit = 34): string[] {
  const used = new Set<string>();
  return names.map(name => {
    const short = label(name, limit) || '(empty)';
    let unique = short;
    for (let n = 2; used.has(unique); n++) unique = `${short} (${n})`;
    used.add(unique);
    return unique;
  });
}

/** Horizontal bars with their counts written at the end, as a part of a Vega-Lite spec. */
export function countBars(title: string, counts: readonly Count[], width: number): Record<string, unknown> {
  const y = { field: 'name', type: 'nominal', sort: null, axis: { title: null, labelPadding: 6 } };
  const x = { field: 'count', type: 'quantitative', axis: null };
  return {
    // Over the bars, not over their names.
    title: { text: title, fontSize: 13, frame: 'group' },
    width,
    height: { step: 20 },
    data: { values: counts.map(({ name, count }) => ({ name, count, text: formatNumber(count) })) },
    layer: [
      { mark: { type: 'bar', color: PALETTE.blue, tooltip: true }, encoding: { x, y } },
      {
        mark: { ...WRITTEN, align: 'left', baseline: 'middle', dx: 5, fontSize: 11 },
        encoding: { x, y, text: { field: 'text', type: 'nominal' } },
      },
    ],
  };
}

/** The same for a terminal. */
export function countLines(counts: readonly Count[], width = 30): string[] {
  const most = counts.reduce((m, c) => Math.max(m, c.count), 1);
  const names = counts.reduce((w, c) => Math.max(w, displayWidth(c.name)), 0);
  return counts.map(
    ({ name, count }) => `${pad(name, names)}  ${'█'.repeat(Math.round((count / most) * width))} ${formatNumber(count)}`,
  );
}

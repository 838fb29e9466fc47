import { wholeTicks } from './axes.js';
import { type Count, countBars, countLines, topCounts } from './counts.js';
import { type DatasetFacts, datasetFacts } from './dataset-facts.js';
import { type Figure, figure } from './figure.js';
import { binned } from './histogram.js';
import { formatNumber, round6 } from './text.js';
import { label, PALETTE, spec } from './theme.js';

export interface DatasetOptions {
  /** Defaults to `Data set`. */
  title?: string;
  /** Tasks and sources shown by name; the rest is one bar `other`. Defaults to 12. */
  top?: number;
  /** Bins wanted of the lengths. Defaults to 30. */
  bins?: number;
  /** The rows that encoded rows were made of, for their tasks and sources. */
  rows?: readonly unknown[];
}

/** Rows, encoded rows, or the result of `encodeRows`. */
export type DatasetSource = readonly object[] | { rows: readonly object[]; summary?: object };

/**
 * A data set at a glance: how long its rows are, which share of each is trained, how many rows each task and source has. Of
 * plain rows characters are counted and assistant messages are what is trained; of encoded rows tokens, as their labels say.
 *
 * @example
 * show.dataset(rows);
 * show.dataset(tokens.encodeRows(rows, { tokenizer, template: 'chatml' }), { rows });
 */
export function dataset(source: DatasetSource, options: DatasetOptions = {}): Figure {
  const { title = 'Data set', top = 12, bins = 30 } = options;
  const facts = datasetFacts(source, options.rows);
  const alt = describe(facts);
  const lengths = binned(Float64Array.from(facts.lengths).sort(), bins);
  const shares = shareBins(facts.shares);
  const groups = (
    [
      ['Rows by task', facts.tasks],
      ['Rows by source', facts.sources],
    ] as const
  )
    .filter(([, names]) => new Set(names).size > 1)
    .map(([name, names]) => ({
      name,
      counts: topCounts(
        names.map(n => n || '(none)'),
        top,
      ),
    }));
  return figure({
    kind: 'dataset',
    title,
    spec: spec({
      title,
      subtitle: alt,
      description: `${label(title, 120)}. ${alt}`,
      vconcat: [
        {
          hconcat: [
            bars('Length', lengths, `${facts.unit} per row`, PALETTE.blue),
            bars('Trained share', shares, `trained share of the ${facts.unit}`, PALETTE.vermillion, true),
          ],
          spacing: 36,
        },
        ...groups.map(({ name, counts }) => countBars(name, counts, 420)),
      ],
      spacing: 24,
    }),
    text: asText(title, alt, facts, lengths, shares, groups),
    alt,
  });
}

interface Bin {
  from: number;
  to: number;
  count: number;
}

/** Twentieths from 0 to 1; a share of 1 belongs to the last. */
function shareBins(shares: readonly number[]): Bin[] {
  const counts = new Array<number>(20).fill(0);
  for (const share of shares) counts[Math.max(0, Math.min(19, Math.floor(share * 20 + 1e-9)))]! += 1;
  return counts.map((count, i) => ({ from: round6(i / 20), to: round6((i + 1) / 20), count }));
}

function bars(title: string, values: readonly Bin[], name: string, color: string, share = false): Record<string, unknown> {
  return {
    title: { text: title, fontSize: 13, frame: 'group' },
    width: 225,
    height: 150,
    data: { values },
    mark: { type: 'bar', color, binSpacing: 1, tooltip: true },
    encoding: {
      x: {
        field: 'from',
        type: 'quantitative',
        bin: { binned: true },
        ...(share ? { scale: { domain: [0, 1] } } : {}),
        axis: {
          title: label(name),
          grid: false,
          ...(share ? { format: '.0%', values: [0, 0.25, 0.5, 0.75, 1] } : { tickCount: 5 }),
        },
      },
      x2: { field: 'to' },
      // To the next tick, so that both panels begin, and their titles stand, at one height.
      y: { field: 'count', type: 'quantitative', scale: { nice: 4 }, axis: { title: 'rows', tickCount: 4, ...wholeTicks() } },
    },
  };
}

function describe({ rows, unit, lengths, total, trained, tasks, sources, dropped }: DatasetFacts): string {
  if (rows === 0) return `No rows.${dropped > 0 ? ` ${formatNumber(dropped)} dropped.` : ''}`;
  const sorted = Float64Array.from(lengths).sort();
  const median = (sorted[(rows - 1) >> 1]! + sorted[rows >> 1]!) / 2;
  const share = total === 0 ? 0 : trained / total;
  const of = (what: string, names: readonly string[]) => {
    const kinds = topCounts(names.filter(Boolean), 1);
    const number = new Set(names.filter(Boolean)).size;
    if (number === 0) return '';
    return number === 1
      ? ` One ${what}: ${kinds[0]!.name}.`
      : ` ${formatNumber(number)} ${what}s, most rows in ${kinds[0]!.name} (${formatNumber(kinds[0]!.count)}).`;
  };
  return (
    `${formatNumber(rows)} row${rows === 1 ? '' : 's'} of ${formatNumber(sorted[0]!)} to ${formatNumber(sorted.at(-1)!)} ${unit} ` +
    `(median ${formatNumber(median)}), ${formatNumber(total)} in all, ${formatNumber(Number((100 * share).toFixed(1)))} % of them trained.` +
    (dropped > 0 ? ` ${formatNumber(dropped)} more were dropped.` : '') +
    of('task', tasks) +
    of('source', sources)
  );
}

function asText(
  title: string,
  alt: string,
  facts: DatasetFacts,
  lengths: readonly Bin[],
  shares: readonly Bin[],
  groups: readonly { name: string; counts: readonly Count[] }[],
): string {
  const numbers = (bins: readonly Bin[], show: (n: number) => string) =>
    countLines(bins.map(({ from, count }) => ({ name: show(from).padStart(8), count })));
  return [
    label(title, 120),
    alt,
    ...(facts.rows === 0 ? [] : ['', `Length (${facts.unit} per row, from)`, ...numbers(lengths, formatNumber)]),
    ...(facts.shares.length === 0 ? [] : ['', 'Trained share (from)', ...numbers(shares, n => `${Math.round(100 * n)} %`)]),
    ...groups.flatMap(({ name, counts }) => ['', name, ...countLines(counts)]),
  ].join('\n');
}

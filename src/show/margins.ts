import { drawable, leftOut, legendFilter, numberAxis } from './axes.js';
import { numbers, objects } from './check.js';
import { uniqueLabels } from './counts.js';
import { type Figure, figure } from './figure.js';
import { binned } from './histogram.js';
import { formatNumber, round6 } from './text.js';
import { label, PALETTE, spec } from './theme.js';

/** Margins of one model or one moment: reward of the chosen response minus that of the rejected one, for each pair. */
export interface MarginSeries {
  name: string;
  margins: ArrayLike<number>;
}

export interface MarginsOptions {
  /** Defaults to `Preference margins`. */
  title?: string;
  /** Name of the axis; defaults to `reward of chosen − rejected`. */
  label?: string;
  /** Bins wanted over all series; defaults to 40. */
  bins?: number;
  /** Width of the plot in pixels; defaults to 520. */
  width?: number;
  /** Height of the plot in pixels; defaults to 220. */
  height?: number;
}

/** Series drawn over one another at most. */
const SERIES = 6;

/**
 * How far a model puts the chosen response above the rejected one: a histogram of the margins, several on the same bins and as
 * shares of their pairs, so that before and after compare. Right of 0 the pair is ranked right. A click in the legend picks one.
 */
export function margins(given: ArrayLike<number> | readonly MarginSeries[], options: MarginsOptions = {}): Figure {
  const { title = 'Preference margins', bins = 40, width = 520, height = 220 } = options;
  const all = seriesOf(given);
  const names = uniqueLabels(all.map(({ name }) => name));
  const series = all.map(({ margins: values }, i) => {
    const finite = Array.from(values).filter(value => drawable(value));
    return { name: names[i]!, finite, lost: values.length - finite.length };
  });
  const drawn = series.slice(0, SERIES);
  const edges = binned(Float64Array.from(drawn.flatMap(({ finite }) => finite)).sort(), bins);
  const counts = drawn.flatMap(({ name, finite }) => {
    const found = edges.map(({ from, to }) => ({ series: name, from, to, pairs: 0, share: 0 }));
    const step = edges.length > 0 ? edges[0]!.to - edges[0]!.from : 1;
    for (const value of finite)
      found[Math.min(found.length - 1, Math.max(0, Math.floor((value - edges[0]!.from) / step + 1e-9)))]!.pairs++;
    for (const bin of found) bin.share = round6(bin.pairs / finite.length);
    return found;
  });
  const alt = describe(series);
  const many = drawn.length > 1;
  const filter = legendFilter('shownSeries', 'series');
  // Vega cannot make an axis of nothing.
  const empty = edges.length === 0 ? { scale: { domain: [0, 1] } } : {};
  const x = {
    field: 'from',
    type: 'quantitative',
    bin: { binned: true },
    ...empty,
    axis: numberAxis(
      edges.map(({ to }) => to),
      { title: label(options.label ?? 'reward of chosen − rejected', 60), grid: false, tickCount: 9 },
    ),
  };
  const y = {
    field: 'share',
    type: 'quantitative',
    stack: null,
    ...empty,
    axis: { title: 'share of the pairs', format: '~%', tickCount: 4 },
  };
  const color = {
    field: 'series',
    type: 'nominal',
    scale: { domain: drawn.map(({ name }) => name) },
    legend: many ? { title: null, symbolType: 'square', symbolStrokeWidth: 0, columns: 3 } : null,
  };
  return figure({
    kind: 'margins',
    title,
    spec: spec({
      title,
      subtitle: alt,
      description: `${label(title, 120)}. ${alt}`,
      width,
      height,
      layer: [
        {
          data: { values: counts },
          ...(many ? { params: [filter.param] } : {}),
          mark: { type: 'bar', binSpacing: many ? 0 : 1, tooltip: true },
          encoding: {
            x,
            x2: { field: 'to' },
            y,
            color,
            opacity: many ? { condition: { param: 'shownSeries', value: 0.6 }, value: 0.08 } : { value: 1 },
          },
        },
        ...(edges.length > 0
          ? [
              {
                data: { values: [{ from: 0 }] },
                mark: { type: 'rule', color: PALETTE.gray, strokeWidth: 2, strokeDash: [5, 3] },
                encoding: { x: { field: 'from', type: 'quantitative' } },
              },
            ]
          : []),
      ],
    }),
    text: [
      label(title, 120),
      ...drawn.flatMap(({ name }) => {
        const own = counts.filter(bin => bin.series === name);
        const most = own.reduce((largest, bin) => Math.max(largest, bin.pairs), 1);
        return [
          name,
          ...own.map(
            bin => `${formatNumber(bin.from).padStart(10)} ${'█'.repeat(Math.round((40 * bin.pairs) / most))} ${bin.pairs}`,
          ),
        ];
      }),
      alt,
    ].join('\n'),
    alt,
  });
}

function seriesOf(given: ArrayLike<number> | readonly MarginSeries[]): readonly MarginSeries[] {
  const expected = "numbers, or [{ name: 'tuned', margins: [0.3, -0.1] }]";
  const first: unknown = numbers(given as ArrayLike<number>, expected)[0];
  if (first !== null && typeof first === 'object')
    return objects(given as readonly MarginSeries[], expected, ({ margins }) => typeof margins?.length === 'number');
  return [{ name: 'margin', margins: given as ArrayLike<number> }];
}

function describe(series: readonly { name: string; finite: number[]; lost: number }[]): string {
  const lost = series.reduce((sum, each) => sum + each.lost, 0);
  const missing = leftOut(lost, 'pair');
  const some = series.filter(({ finite }) => finite.length > 0);
  if (some.length === 0) return `No pairs.${missing}`;
  const lines = some.slice(0, 4).map(({ name, finite }) => {
    const right = finite.filter(margin => margin > 0).length / finite.length;
    const mean = finite.reduce((a, b) => a + b, 0) / finite.length;
    const text = `${formatNumber(Number((100 * right).toFixed(1)))} % of ${formatNumber(finite.length)} pairs ranked right, mean margin ${formatNumber(round6(mean))}`;
    return some.length > 1 ? `${name}: ${text}` : text;
  });
  const few = series.length > SERIES ? ` The first ${SERIES} of ${formatNumber(series.length)} are drawn.` : '';
  return `${lines.join('; ')}.${few}${missing}`;
}

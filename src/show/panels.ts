import { drawable, legendFilter, logAxis, numberAxis, numberScale, stepAxis, touch } from './axes.js';
import { uniqueLabels } from './counts.js';
import { lttb } from './series.js';
import { round6 } from './text.js';
import { label, PALETTE, SERIES_COLOURS } from './theme.js';

/** One line of a panel. Values that cannot be drawn are left out. */
export interface Series {
  name: string;
  step: readonly number[];
  values: readonly (number | null | undefined)[];
  /** Half the height of a band around the line, e.g. a standard deviation. */
  spread?: readonly (number | null | undefined)[];
  /** Thin and gray, behind the others: the raw values under a moving average. */
  faint?: boolean;
  /** Measured now and then: points that a line joins. */
  points?: boolean;
}

/** One of the charts that stand above one another on a common axis of steps. */
export interface Panel {
  title: string;
  series: readonly Series[];
  height: number;
  log?: boolean;
}

export interface PanelsOptions {
  width: number;
  /** Points of one line at most. */
  maxPoints: number;
  /** Steps planned; the axis reaches to there. */
  total?: number;
  /** Title of the common axis. */
  axis?: string;
}

const DASHES: readonly number[][] = [
  [1, 0],
  [7, 3],
  [3, 2],
  [10, 3, 2, 3],
];
/** Stops of the rule that follows the pointer: one every few pixels. */
const STOPS = 160;
const AT = touch('at');
const SPAN = touch('span');

/**
 * Panels above one another, as the body of a spec. The pointer over the first one moves a rule through all of them and says
 * the values of that step; dragging over the strip at the bottom zooms all to that span; a click in a legend picks a line.
 * Lines longer than `maxPoints` are thinned by LTTB, which keeps their peaks and ends.
 */
export function panels(given: readonly Panel[], options: PanelsOptions): Record<string, unknown> {
  const { width, maxPoints, total, axis } = options;
  const all = given.filter(panel => panel.series.some(line => line.values.some(value => drawable(value, panel.log))));
  const drawn = all.length > 0 ? all : given.slice(0, 1);
  const stops = stopsOf(drawn);
  const ends = endsOf(all, total);
  const x = (last: boolean, zoomed = true) => ({
    field: 'step',
    type: 'quantitative',
    // The ends come with the brush or, without one, from the data: every panel holds both ends (see `reach`).
    scale: { nice: false, zero: false, ...(zoomed ? { domain: { param: SPAN, encoding: 'x' } } : {}) },
    axis: stepAxis(last, axis),
  });
  const views = drawn.map((panel, i) => {
    const last = i === drawn.length - 1;
    return {
      title: { text: label(panel.title), fontSize: 12, fontWeight: 'normal', frame: 'group', offset: 6 },
      width,
      height: panel.height,
      layer: [...lines(panel, i, maxPoints, x(last)), reach(ends, x(last)), rule(i, x(last), stops)],
    };
  });
  const strip = {
    name: touch('strip'),
    title: { text: 'drag here to zoom', fontSize: 11, fontWeight: 'normal', frame: 'group', offset: 4 },
    width,
    height: 30,
    data: { values: thinned(drawn[0]!.series.at(-1)!, Math.min(maxPoints, 300), drawn[0]!.log) },
    params: [{ name: SPAN, select: { type: 'interval', encodings: ['x'] } }],
    mark: { type: 'line', strokeWidth: 1, color: PALETTE.gray, clip: true },
    encoding: {
      x: x(false, false),
      y: {
        field: 'value',
        type: 'quantitative',
        scale: numberScale(drawn[0]!.series.at(-1)!.values as number[], { log: drawn[0]!.log }),
        axis: null,
      },
    },
  };
  return {
    datasets: { stops: stops.values },
    vconcat: [...views, strip],
    spacing: 12,
    resolve: { scale: { color: 'independent', strokeDash: 'independent' } },
  };
}

function lines(panel: Panel, place: number, maxPoints: number, x: object): object[] {
  const names = uniqueLabels(panel.series.map(line => line.name));
  const filter = legendFilter(touch(`shown${place}`), 'series');
  const many = names.length > 1;
  let coloured = 0;
  const range = panel.series.map(line => (line.faint ? PALETTE.gray : SERIES_COLOURS[coloured++ % SERIES_COLOURS.length]!));
  const legend = many ? { title: null, columns: Math.max(1, Math.floor(76 / longest(names))), symbolSize: 300 } : null;
  const scaled = (values: readonly unknown[]) => ({
    field: 'series',
    type: 'nominal',
    scale: { domain: names, range: values },
    legend,
  });
  // Evaluations are told apart by dashes too, for whoever does not see the colours.
  const dashed = panel.series.filter(line => !line.faint).length > 2;
  const firstStrong = panel.series.findIndex(line => !line.faint);
  const dashes = names.map((_, i) => DASHES[Math.max(0, i - firstStrong) % DASHES.length]!);
  const values = panel.series.map((line, i) =>
    thinned(line, maxPoints, panel.log).map(point => ({ ...point, series: names[i]! })),
  );
  const y = {
    field: 'value',
    type: 'quantitative',
    scale: numberScale(
      values.flat().flatMap(({ value, low = value, high = value }) => [value, low, high]),
      { log: panel.log },
    ),
    axis: (panel.log ? logAxis : numberAxis)(
      values.flat().map(point => point.value),
      { title: null, tickCount: panel.height < 90 ? 3 : 5 },
    ),
  };
  const encoding = {
    x,
    y,
    color: scaled(range),
    ...(dashed ? { strokeDash: scaled(dashes) } : {}),
    ...(many ? { opacity: filter.opacity } : {}),
  };
  const layers: object[] = [];
  for (const [i, line] of panel.series.entries()) {
    const banded = values[i]!.filter(point => point.low !== undefined);
    if (banded.length > 0)
      layers.push({
        data: { values: banded },
        mark: { type: 'area', opacity: 0.18, color: range[i]!, clip: true },
        encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' } },
      });
    layers.push({
      data: { values: values[i]!.map(({ step, value, series }) => ({ step, value, series })) },
      mark: {
        type: 'line',
        clip: true,
        strokeWidth: line.faint ? 1 : line.points ? 1.6 : 2,
        ...(line.faint ? { strokeOpacity: 0.6 } : {}),
        ...(line.points || values[i]!.length === 1 ? { point: { size: 40, filled: true }, tooltip: true } : {}),
      },
      encoding,
    });
  }
  if (many) layers[0] = { params: [filter.param], ...layers[0] };
  return layers;
}

interface Point {
  step: number;
  value: number;
  low?: number;
  high?: number;
}

/** At most `limit` points of a line that can be drawn, with their band where there is one. */
function thinned(line: Series, limit: number, log?: boolean): Point[] {
  const keep = line.step.map((_, i) => i).filter(i => drawable(line.step[i]) && drawable(line.values[i], log));
  const steps = keep.map(i => line.step[i]!);
  const values = keep.map(i => line.values[i]!);
  return lttb(steps, values, limit).map(k => {
    const value = values[k]!;
    const spread = line.spread?.[keep[k]!];
    const band =
      drawable(spread) && drawable(value - spread, log) ? { low: round6(value - spread), high: round6(value + spread) } : {};
    return { step: steps[k]!, value: round6(value), ...band };
  });
}

interface Stops {
  values: Record<string, number>[];
  fields: { field: string; title: string }[];
}

/** The steps at which the pointer's rule stops, and what each line says there: its last value until then. */
function stopsOf(panels: readonly Panel[]): Stops {
  const lines = panels.flatMap(panel => panel.series.map(line => ({ panel, line }))).slice(0, 12);
  const main = panels[0]!.series.at(-1)!;
  const steps = thinned(main, STOPS, panels[0]!.log).map(point => point.step);
  const at = lines.map(() => 0);
  const values = steps.map(step => {
    const row: Record<string, number> = { step };
    for (const [i, { line, panel }] of lines.entries()) {
      while (at[i]! + 1 < line.step.length && line.step[at[i]! + 1]! <= step) at[i]!++;
      const value = line.values[at[i]!];
      if (line.step[at[i]!]! <= step && drawable(value, panel.log)) row[`v${i}`] = round6(value);
    }
    return row;
  });
  const titles = lines.map(({ panel, line }) => (panel.series.length > 1 ? `${panel.title}: ${line.name}` : panel.title));
  return { values, fields: titles.map((title, i) => ({ field: `v${i}`, title: label(title, 50) })) };
}

/** The rule at the step that the pointer is nearest to. The first panel finds it, the others follow. */
function rule(place: number, x: object, { values, fields }: Stops): object {
  const shared = {
    name: touch(`rule${place}`),
    data: { name: 'stops' },
    mark: { type: 'rule', strokeWidth: 1, color: PALETTE.gray, clip: true },
  };
  const opacity = { condition: { param: AT, empty: false, value: 0.8 }, value: 0 };
  if (place > 0) {
    // With one stop that is always there: of no rows at all vega warns in the console.
    const filter = {
      or: [
        { param: AT, empty: false },
        { field: 'step', equal: values[0]?.step ?? 0 },
      ],
    };
    return { ...shared, transform: [{ filter }], encoding: { x, opacity } };
  }
  return {
    ...shared,
    params: [{ name: AT, select: { type: 'point', fields: ['step'], nearest: true, on: 'pointerover', clear: 'pointerout' } }],
    encoding: {
      x,
      opacity,
      tooltip: [
        { field: 'step', type: 'quantitative', title: 'step' },
        ...fields.map(({ field, title }) => ({ field, type: 'quantitative', title, format: '.4~g' })),
      ],
    },
  };
}

/** Nothing to see: it gives every panel the same ends of its axis. */
function reach(ends: readonly number[], x: object): object {
  return { data: { values: ends.map(step => ({ step })) }, mark: { type: 'rule', opacity: 0 }, encoding: { x } };
}

/** The first step of all and the last, or the last that is planned, with a little room. */
function endsOf(panels: readonly Panel[], total = 0): [number, number] {
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const { series, log } of panels)
    for (const { step, values } of series)
      for (const [i, at] of step.entries()) {
        if (!drawable(at) || !drawable(values[i], log)) continue;
        first = Math.min(first, at);
        last = Math.max(last, at);
      }
  if (first > last) return [0, Math.max(1, total)];
  last = Math.max(last, total);
  // Points of the first and the last step stand whole; a single step stands in the middle.
  const room = first === last ? 1 : 0.012 * (last - first);
  return [first - room, last + room];
}

function longest(names: readonly string[]): number {
  return Math.max(1, ...names.map(name => name.length + 5));
}

import { drawable, logAxis, numberAxis, numberScale, stepAxis, touch } from './axes.js';
import { objects } from './check.js';
import { type Figure, figure } from './figure.js';
import type { LossHistory } from './loss-curve.js';
import { type Curve, curvesOf, type RunCurves } from './runs-curves.js';
import { lttb } from './series.js';
import { formatNumber, pad, round6, sparkline } from './text.js';
import { label, SERIES_COLOURS, spec } from './theme.js';

export type { RunCurves } from './runs-curves.js';

/** What {@link runs} draws. */
export type RunsSource = readonly (RunCurves | LossHistory)[];

export interface RunsOptions {
  /** Defaults to `Training runs`. */
  title?: string;
  /** Names in place of the runs' own. */
  names?: readonly string[];
  /** Number of the evaluations that is drawn. Default 'heldOut', a loss that shares the panel of the losses; others have their own. */
  metric?: string;
  /** Span of the centred moving average in steps; `false` draws every step. Defaults to a twentieth of the longest history. */
  smooth?: number | false;
  /** Logarithmic loss axis. */
  log?: boolean;
  /** A panel with the learning rates. Defaults to whether they differ. */
  learningRate?: boolean;
  /** Steps planned; the axis reaches to there, so that a live chart does not rescale. */
  total?: number;
  /** Points drawn at most for each run; defaults to 400. */
  maxPoints?: number;
  /** Width of the plots in pixels; defaults to 560. */
  width?: number;
  /** Height of the upper plot in pixels; defaults to 260. */
  height?: number;
}

/** Lines differ in their dashes too: for whoever does not see the colours, and beyond the sixth run. */
const DASHES: readonly number[][] = [
  [1, 0],
  [8, 3],
  [4, 2],
  [10, 3, 2, 3],
  [2, 2],
  [14, 4],
];
const LEGEND = 'shownRun';

/**
 * The curves of several runs over each other: loss, evaluations and learning rate. A click on a name in the legend lets its run stand
 * out (with the shift key several). For runs that are still going on: `show.live(run, { draw: () => show.runs([before, run]) })`.
 */
export function runs(given: RunsSource, options: RunsOptions = {}): Figure {
  const { title = 'Training runs', metric = 'heldOut', log = false, width = 560, height = 260, maxPoints = 400 } = options;
  const { smooth, names } = options;
  objects(given, '[run, run]: runs, recorded runs, or { name, history, evaluations }');
  const curves = curvesOf(given, { metric, log, ...(smooth !== undefined && { smooth }), ...(names && { names }) });
  const together = metric === 'heldOut' || metric.startsWith('heldOut/');
  const evaluated = curves.some(({ evaluations }) => evaluations.length > 0);
  const rates = (options.learningRate ?? ratesDiffer(curves)) && curves.some(({ rate }) => rate !== undefined);
  const alt = describe(curves, metric);
  const last = Math.max(1, options.total ?? 0, ...curves.flatMap(ends));
  const first = Math.min(last, ...curves.flatMap(begins));
  const panels = 1 + (evaluated && !together ? 1 : 0) + (rates ? 1 : 0);
  const x = (place: number) => ({
    field: 'step',
    type: 'quantitative',
    scale: { domain: [first, last], nice: false },
    axis: stepAxis(place === panels),
  });
  const y = (field: string, values: readonly number[], axis: Record<string, unknown>, logarithmic = false) => ({
    field,
    type: 'quantitative',
    scale: numberScale(values, { log: logarithmic }),
    axis: (logarithmic ? logAxis : numberAxis)(values, axis),
  });
  const found = curves.flatMap(({ evaluations }) => evaluations.map(({ value }) => value));
  const losses = [...curves.flatMap(({ mean }) => lowAndHigh(mean)), ...(together ? found : [])];
  const lossAxis = { title: 'loss (nats per token)', tickCount: 6 };
  const loss = y('loss', losses, lossAxis, log);
  const shown = appearance(curves.map(({ name }) => name));
  const singles = curves.filter(({ mean }) => mean.length === 1);
  const points = (scaled: object) => ({
    data: { values: evaluationValues(curves) },
    // The points are what was measured; the lines say which belong together.
    mark: { type: 'line', strokeWidth: 1.2, strokeOpacity: 0.5, point: { size: 45, filled: true }, tooltip: true },
    encoding: { ...shown, y: { ...scaled, field: 'evaluation' } },
  });
  const upper = {
    width,
    height,
    data: { values: lossValues(curves, maxPoints) },
    encoding: { x: x(1) },
    layer: [
      {
        params: [{ name: LEGEND, select: { type: 'point', fields: ['run'] }, bind: 'legend' }],
        mark: { type: 'line', strokeWidth: 2.2 },
        encoding: { ...shown, y: loss },
      },
      // Of one step there is no line.
      ...(singles.length > 0
        ? [
            {
              data: { values: lossValues(singles, 1) },
              mark: { type: 'point', filled: true, size: 60, tooltip: true },
              encoding: { ...shown, y: loss },
            },
          ]
        : []),
      hover(loss),
      ...(evaluated && together ? [points(loss)] : []),
    ],
  };
  const middle = {
    width,
    height: 110,
    encoding: { x: x(2) },
    layer: [points(y('evaluation', found, { title: label(metric, 24), tickCount: 4 }))],
  };
  const lower = {
    width,
    height: 60,
    data: { values: rateValues(curves, maxPoints) },
    mark: { type: 'line', strokeWidth: 2 },
    encoding: {
      ...shown,
      x: x(panels),
      y: y(
        'rate',
        curves.flatMap(({ rate = [] }) => lowAndHigh(rate)),
        { title: 'learning rate', tickCount: 2, labelExpr: "datum.value === 0 ? '0' : format(datum.value, '~e')" },
      ),
    },
  };
  const parts = [upper, ...(evaluated && !together ? [middle] : []), ...(rates ? [lower] : [])];
  const body = parts.length > 1 ? { vconcat: parts, spacing: 8 } : upper;
  return figure({
    kind: 'runs',
    title,
    spec: spec({ title, subtitle: alt, description: `${label(title, 120)}. ${alt}`, ...body }),
    text: `${label(title, 120)}\n${sketch(curves)}${alt}`,
    alt,
  });
}

/** Colour and dashes by run, faint where the legend points at another. */
function appearance(names: string[]) {
  const scale = <T>(range: readonly T[]) => ({ domain: names, range: names.map((_, i) => range[i % range.length]!) });
  const columns = Math.max(1, Math.floor(84 / longest(names)));
  // Long enough for dashes to be seen.
  const legend = names.length > 1 ? { title: null, columns, symbolSize: 500 } : null;
  return {
    color: { field: 'run', type: 'nominal', scale: scale(SERIES_COLOURS), legend },
    // After six runs the colours come again, with other dashes.
    strokeDash: {
      field: 'run',
      type: 'nominal',
      scale: { domain: names, range: names.map((_, i) => DASHES[(i + Math.floor(i / SERIES_COLOURS.length)) % DASHES.length]!) },
      legend,
    },
    opacity: { condition: { param: LEGEND, value: 1 }, value: 0.12 },
  };
}

function longest(names: readonly string[]): number {
  return Math.max(1, ...names.map(name => name.length + 5));
}

/** The point of a curve nearest to the pointer says what it is. */
function hover(y: object) {
  return {
    name: touch('point'),
    mark: { type: 'point', filled: true, size: 70 },
    params: [
      {
        name: 'nearestPoint',
        select: { type: 'point', fields: ['run', 'step'], nearest: true, on: 'pointerover', clear: 'pointerout' },
      },
    ],
    encoding: {
      y,
      color: { field: 'run', type: 'nominal' },
      opacity: { condition: { param: 'nearestPoint', empty: false, value: 1 }, value: 0 },
      tooltip: [
        { field: 'run', type: 'nominal', title: 'run' },
        { field: 'step', type: 'quantitative', title: 'step' },
        { field: 'loss', type: 'quantitative', title: 'loss', format: '.4~f' },
      ],
    },
  };
}

function lossValues(curves: readonly Curve[], limit: number): object[] {
  return curves.flatMap(({ name, step, mean }) =>
    lttb(step, mean, limit).map(i => ({ run: name, step: step[i]!, loss: round6(mean[i]!) })),
  );
}

function evaluationValues(curves: readonly Curve[]): object[] {
  return curves.flatMap(({ name, evaluations }) =>
    evaluations.map(({ step, value }) => ({ run: name, step, evaluation: round6(value) })),
  );
}

function rateValues(curves: readonly Curve[], limit: number): object[] {
  return curves.flatMap(({ name, step, rate }) => {
    const usable = step.map((_, i) => i).filter(i => Number.isFinite(rate?.[i]));
    const values = usable.map(i => rate![i]!);
    const steps = usable.map(i => step[i]!);
    return lttb(steps, values, limit).map(i => ({ run: name, step: steps[i]!, rate: round6(values[i]!) }));
  });
}

function ratesDiffer(curves: readonly Curve[]): boolean {
  return new Set(curves.map(({ rate, step }) => JSON.stringify(rate && lttb(step, rate, 50).map(i => rate[i])))).size > 1;
}

/** The least and the largest number that can be drawn. */
function lowAndHigh(values: readonly number[]): number[] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (!drawable(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low <= high ? [low, high] : [];
}

function begins({ step, evaluations }: Curve): number[] {
  return [step[0], evaluations[0]?.step].filter(value => value !== undefined);
}

function ends({ step, evaluations }: Curve): number[] {
  return [step.at(-1), evaluations.at(-1)?.step].filter(value => value !== undefined);
}

/** Which run ends lowest, and where the others do. */
function describe(curves: readonly Curve[], metric: string): string {
  const ended = curves.filter(({ mean }) => mean.length > 0).sort((a, b) => a.mean.at(-1)! - b.mean.at(-1)!);
  const lost = curves.reduce((sum, curve) => sum + curve.lost, 0);
  const missing = lost > 0 ? ` ${lost} step${lost === 1 ? '' : 's'} without a usable loss left out.` : '';
  if (ended.length === 0) return `No finite loss yet in ${curves.length} run${curves.length === 1 ? '' : 's'}.${missing}`;
  const said = (curve: Curve) => `${curve.name} ${formatNumber(curve.mean.at(-1)!)}`;
  const [best, ...rest] = ended;
  const others = rest.length > 3 ? `, up to ${said(rest.at(-1)!)}` : rest.map(curve => `, ${said(curve)}`).join('');
  const found = curves.filter(({ evaluations }) => evaluations.length > 0);
  const name = metric === 'heldOut' ? 'held-out loss' : metric;
  const last = found.map(curve => `${curve.name} ${formatNumber(curve.evaluations.at(-1)!.value)}`);
  const listed = found.length <= 4 ? `: ${last.join(', ')}.` : '.';
  const evaluations = found.length > 0 ? ` Points: ${name}${listed}` : '';
  return curves.length === 1
    ? `Loss of ${best!.name} ends at ${formatNumber(best!.mean.at(-1)!)}.${evaluations}${missing}`
    : `Of ${curves.length} runs ${best!.name} ends lowest, at ${formatNumber(best!.mean.at(-1)!)}${others}.${evaluations}${missing}`;
}

function sketch(curves: readonly Curve[]): string {
  const width = Math.min(30, longest(curves.map(({ name }) => name)) - 3);
  return curves
    .map(({ name, mean }) => `${pad(name, width)} ${sparkline(mean, 40)} ${formatNumber(mean.at(-1) ?? Number.NaN)}\n`)
    .join('');
}

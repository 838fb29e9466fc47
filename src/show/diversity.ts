import { drawable, leftOut, legendFilter, logAxis, numberAxis, numberScale } from './axes.js';
import { objects } from './check.js';
import { uniqueLabels } from './counts.js';
import { type Figure, figure } from './figure.js';
import { textTable } from './table.js';
import { formatNumber, oneLine, round6 } from './text.js';
import { label, spec } from './theme.js';

/** One measurement: a value at a size, with the ends of its interval where there are any. */
export interface DiversityPoint {
  /** How many tasks, instructions or rows, or another setting; more than 0 on a logarithmic axis. */
  n: number;
  value: number;
  low?: number;
  high?: number;
}

/** One line: a method, a rung of the held-out ladder, a diversity measure. */
export interface DiversityCurve {
  name: string;
  points: readonly DiversityPoint[];
}

export interface DiversityOptions {
  /** Defaults to `Diversity`. */
  title?: string;
  /** What is counted along the axis; defaults to `training tasks`. */
  count?: string;
  /** What is measured; defaults to `held-out accuracy`. */
  measure?: string;
  /** Values are shares, written in per cent. */
  share?: boolean;
  /** Whether the axis is logarithmic; defaults to true. */
  log?: boolean;
  /** Width of the plot in pixels; defaults to 520. */
  width?: number;
  /** Height of the plot in pixels; defaults to 300. */
  height?: number;
}

interface Drawn {
  curve: string;
  n: number;
  value: number;
  low?: number;
  high?: number;
  /** The ends in words. */
  interval: string;
}

/** Lines drawn at most: more cannot be told apart. */
const LINES = 12;

/** How a measure moves with the number of tasks or rows (on a logarithmic axis), or with another setting, with intervals. A click in the legend picks a line. */
export function diversity(curves: readonly DiversityCurve[], options: DiversityOptions = {}): Figure {
  objects(curves, "[{ name: 'method', points: [{ n: 8, value: 0.5 }] }]", curve => Array.isArray(curve.points));
  const {
    title = 'Diversity',
    count = 'training tasks',
    measure = 'held-out accuracy',
    log = true,
    width = 520,
    height = 300,
  } = options;
  const names = uniqueLabels(curves.map(curve => curve.name));
  const say = (value: number) => said(round6(value), options.share === true);
  let lost = 0;
  const cleaned = curves.map((curve, i) => {
    const points = curve.points.filter(point => drawable(point?.n, log) && drawable(point.value)).sort((a, b) => a.n - b.n);
    lost += curve.points.length - points.length;
    return { name: names[i]!, points };
  });
  const drawn = cleaned.slice(0, LINES);
  const values: Drawn[] = drawn.flatMap(({ name, points }) =>
    points.map(({ n, value, low, high }) => ({
      curve: name,
      n: round6(n),
      value: round6(value),
      ...(drawable(low) && drawable(high)
        ? { low: round6(low), high: round6(high), interval: `${say(low)} to ${say(high)}` }
        : { interval: '–' }),
    })),
  );
  const alt = describe(cleaned, lost, options.share === true);
  const filter = legendFilter('shownCurve', 'curve');
  const many = drawn.length > 1;
  const x = {
    field: 'n',
    type: 'quantitative',
    scale: numberScale(
      values.map(({ n }) => n),
      { log, room: 0.03 },
    ),
    axis: (log ? logAxis : numberAxis)(
      values.map(({ n }) => n),
      { title: `${label(count, 50)}${log ? ' (log axis)' : ''}`, grid: false },
    ),
  };
  const axis = options.share
    ? { title: label(measure, 50), format: '~%', tickCount: 5 }
    : numberAxis(
        values.map(({ value }) => value),
        { title: label(measure, 50) },
      );
  const ends = values.flatMap(({ value, low = value, high = value }) => [value, low, high]);
  const y = { field: 'value', type: 'quantitative', scale: numberScale(ends), axis };
  const scale = { domain: drawn.map(({ name }) => name) };
  const legend = many ? { title: null, columns: 3, symbolSize: 300 } : null;
  const color = { field: 'curve', type: 'nominal', scale, legend };
  const opacity = (strength: number) =>
    many ? { condition: { param: 'shownCurve', value: strength }, value: 0.06 } : { value: strength };
  return figure({
    kind: 'diversity',
    title,
    spec: spec({
      title,
      subtitle: alt,
      description: `${label(title, 120)}. ${alt}`,
      width,
      height,
      data: { values },
      layer: [
        {
          transform: [{ filter: { field: 'low', valid: true } }],
          mark: { type: 'area' },
          encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' }, color, opacity: opacity(0.16) },
        },
        {
          ...(many ? { params: [filter.param] } : {}),
          mark: { type: 'line', strokeWidth: 2, point: { size: 50, filled: true } },
          encoding: {
            x,
            y,
            color,
            ...(many ? { strokeDash: { field: 'curve', type: 'nominal', scale, legend } } : {}),
            opacity: opacity(1),
            tooltip: [
              { field: 'curve', type: 'nominal', title: 'line' },
              { field: 'n', type: 'quantitative', title: label(count, 40), format: '.6~g' },
              { field: 'value', type: 'quantitative', format: options.share ? '.1~%' : '.4~g' },
              { field: 'interval', type: 'nominal' },
            ],
          },
        },
      ],
    }),
    text: textTable({
      title: label(title, 120),
      note: alt,
      names: ['', label(count, 30), label(measure, 30), 'interval'],
      numeric: [false, true, true, false],
      cells: values.map(value => [oneLine(value.curve), formatNumber(value.n), say(value.value), value.interval]),
    }),
    alt,
  });
}

function said(value: number, share: boolean): string {
  return share ? `${formatNumber(Number((100 * value).toFixed(1)))} %` : formatNumber(value);
}

function describe(curves: readonly DiversityCurve[], lost: number, share: boolean): string {
  const missing = leftOut(lost, 'point');
  const some = curves.filter(({ points }) => points.length > 0);
  if (some.length === 0) return `Nothing measured.${missing}`;
  const lines = some.slice(0, 3).map(({ name, points }) => {
    const [first, last] = [points[0]!, points.at(-1)!];
    const end = `${said(round6(last.value), share)} at ${formatNumber(last.n)}`;
    return points.length === 1
      ? `${name} ${end}`
      : `${name} from ${said(round6(first.value), share)} at ${formatNumber(first.n)} to ${end}`;
  });
  const rest = some.length > 3 ? `, and ${formatNumber(some.length - 3)} more` : '';
  const few = curves.length > LINES ? ` The first ${LINES} lines are drawn.` : '';
  return `${lines.join('; ')}${rest}.${few}${missing}`;
}

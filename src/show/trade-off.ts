import { drawable, leftOut, legendFilter, numberAxis, numberScale } from './axes.js';
import { objects } from './check.js';
import { uniqueLabels } from './counts.js';
import { type Figure, figure } from './figure.js';
import { type Box, namePlaces, type Place } from './name-places.js';
import { textTable } from './table.js';
import { formatNumber, oneLine, round6 } from './text.js';
import { label, PALETTE, spec, WRITTEN } from './theme.js';

/** One way to train, and what it did to the model. */
export interface TradeOffPoint {
  label: string;
  /** What was learned, e.g. accuracy gained on the new tasks; more is better. */
  learned: number;
  /** What was lost, e.g. accuracy lost on the old ones; less is better. */
  forgotten: number;
  /** Points of one group share a colour: a method at several strengths. */
  group?: string;
  /** Ends of an interval of each value, e.g. over seeds. */
  learnedInterval?: readonly [low: number, high: number];
  forgottenInterval?: readonly [low: number, high: number];
}

export interface TradeOffOptions {
  /** Defaults to `Learning and forgetting`. */
  title?: string;
  /** Name of the horizontal axis; defaults to `learned (more is better)`. */
  learned?: string;
  /** Name of the vertical axis; defaults to `forgotten (less is better)`. */
  forgotten?: string;
  /** Width of the plot in pixels; defaults to 480. */
  width?: number;
  /** Height of the plot in pixels; defaults to 320. */
  height?: number;
}

/** Points with a name beside them at most; the pointer says the names of the others. */
const NAMED = 40;

/**
 * What each way to train learned against what it forgot. A line joins the points that no other beats in both: to learn more than
 * one of these, something must be forgotten. A click in the legend picks a group.
 */
export function tradeOff(points: readonly TradeOffPoint[], options: TradeOffOptions = {}): Figure {
  const { title = 'Learning and forgetting', width = 480, height = 320 } = options;
  const { learned = 'learned (more is better)', forgotten = 'forgotten (less is better)' } = options;
  objects(points, "[{ label: 'LoRA', learned: 0.6, forgotten: 0.1 }]");
  const usable = points.filter(point => drawable(point.learned) && drawable(point.forgotten));
  const names = uniqueLabels(usable.map(point => point.label));
  const groups = [...new Set(usable.map(point => (point.group === undefined ? '' : label(point.group, 30))))];
  const grouped = groups.length > 1;
  const front = frontOf(usable);
  const values = usable.map((point, i) => ({
    name: names[i]!,
    group: point.group === undefined ? '' : label(point.group, 30),
    learned: round6(point.learned),
    forgotten: round6(point.forgotten),
    best: front.has(point) ? 'yes' : 'no',
    ...interval('learned', point.learnedInterval),
    ...interval('forgotten', point.forgottenInterval),
  }));
  const alt = describe(usable, names, front, points.length - usable.length);
  const filter = legendFilter('shownGroup', 'group');
  const scaleOf = (field: 'learned' | 'forgotten') =>
    numberScale(
      values.flatMap(value => [value[field], ...[`${field}Low`, `${field}High`].map(end => (value as Placed)[end] as number)]),
      { room: 0.08 },
    );
  const scales = { learned: scaleOf('learned'), forgotten: scaleOf('forgotten') };
  const domains = { learned: scales.learned.domain, forgotten: scales.forgotten.domain } as Domains;
  const named = namesBeside(values, domains, { width, height });
  const axis = (name: string, field: 'learned' | 'forgotten') =>
    numberAxis(
      values.map(value => value[field]),
      { title: label(name, 60), tickCount: 6 },
    );
  const x = {
    field: 'learned',
    type: 'quantitative',
    scale: scales.learned,
    axis: axis(learned, 'learned'),
  };
  const y = {
    field: 'forgotten',
    type: 'quantitative',
    scale: scales.forgotten,
    axis: axis(forgotten, 'forgotten'),
  };
  const color = grouped
    ? {
        field: 'group',
        type: 'nominal',
        scale: { domain: groups },
        legend: { title: null, symbolType: 'circle', columns: 4 },
      }
    : { value: PALETTE.blue };
  const opacity = grouped ? filter.opacity : { value: 1 };
  const bar = (field: 'learned' | 'forgotten') => ({
    data: { values: values.filter(value => `${field}Low` in value) },
    mark: { type: 'rule', strokeWidth: 1.5 },
    encoding:
      field === 'learned'
        ? { x: { ...x, field: 'learnedLow' }, x2: { field: 'learnedHigh' }, y, color, opacity }
        : { x, y: { ...y, field: 'forgottenLow' }, y2: { field: 'forgottenHigh' }, color, opacity },
  });
  return figure({
    kind: 'tradeOff',
    title,
    spec: spec({
      title,
      subtitle: alt,
      description: `${label(title, 120)}. ${alt}`,
      width,
      height,
      layer: [
        {
          data: { values: values.filter(value => value.best === 'yes').sort((a, b) => a.learned - b.learned) },
          mark: { type: 'line', interpolate: 'step-before', strokeWidth: 1.5, strokeDash: [5, 4], color: PALETTE.gray },
          encoding: { x, y },
        },
        ...(['learned', 'forgotten'] as const).filter(field => values.some(value => `${field}Low` in value)).map(bar),
        ...named.flatMap(({ place: { line }, points: beside }) =>
          line
            ? [
                {
                  data: { values: beside },
                  mark: { type: 'rule', strokeWidth: 0.8, color: PALETTE.gray, x2Offset: line.dx, y2Offset: line.dy },
                  encoding: { x, y, x2: { field: 'learned' }, y2: { field: 'forgotten' }, opacity },
                },
              ]
            : [],
        ),
        {
          data: { values },
          ...(grouped ? { params: [filter.param] } : {}),
          mark: { type: 'point', filled: true, size: 90, opacity: 1 },
          encoding: {
            x,
            y,
            color,
            opacity,
            ...(grouped ? { shape: { field: 'group', type: 'nominal', scale: { domain: groups }, legend: color.legend } } : {}),
            tooltip: ['name', ...(grouped ? ['group'] : [])]
              .map(field => ({ field, type: 'nominal' }) as object)
              .concat(['learned', 'forgotten'].map(field => ({ field, type: 'quantitative', format: '.4~g' }))),
          },
        },
        // Names stand beside their points, or where a thin line leads to them.
        ...named.map(({ place: { align, dx, dy }, points: beside }) => ({
          data: { values: beside },
          mark: { ...WRITTEN, align, dx, dy, baseline: 'middle', fontSize: 11 },
          encoding: { x, y, text: { field: 'name', type: 'nominal' }, opacity },
        })),
      ],
    }),
    text: textTable({
      title: label(title, 120),
      note: alt,
      names: ['', ...(grouped ? ['group'] : []), 'learned', 'forgotten', ''],
      numeric: [false, ...(grouped ? [false] : []), true, true, false],
      cells: values.map(value => [
        oneLine(value.name),
        ...(grouped ? [value.group] : []),
        formatNumber(value.learned),
        formatNumber(value.forgotten),
        value.best === 'yes' ? 'on the front' : '',
      ]),
    }),
    alt,
  });
}

interface Placed {
  name: string;
  learned: number;
  forgotten: number;
  [more: string]: unknown;
}

type Domains = Record<'learned' | 'forgotten', [number, number]>;

/** Names beside their points, in groups of those that stand on the same side; where there is no room for one, the pointer says it. */
function namesBeside(values: readonly Placed[], domains: Domains, size: { width: number; height: number }) {
  const x = (value: number) => (size.width * (value - domains.learned[0])) / (domains.learned[1] - domains.learned[0]);
  const y = (value: number) =>
    size.height - (size.height * (value - domains.forgotten[0])) / (domains.forgotten[1] - domains.forgotten[0]);
  const line = (x1: number, y1: number, x2: number, y2: number): Box => ({
    left: Math.min(x1, x2),
    right: Math.max(x1, x2),
    top: Math.min(y1, y2),
    bottom: Math.max(y1, y2),
  });
  const points = values.map(value => ({ name: value.name, x: x(value.learned), y: y(value.forgotten) }));
  const front = points.filter((_, i) => values[i]!.best === 'yes').sort((a, b) => a.x - b.x);
  const lines = [
    ...points.flatMap((point, i) => {
      const { learnedLow, learnedHigh, forgottenLow, forgottenHigh } = values[i]! as Partial<Record<string, number>>;
      return [
        ...(learnedLow === undefined ? [] : [line(x(learnedLow), point.y, x(learnedHigh!), point.y)]),
        ...(forgottenLow === undefined ? [] : [line(point.x, y(forgottenLow), point.x, y(forgottenHigh!))]),
      ];
    }),
    // The steps that join the points of the front.
    ...front.slice(1).flatMap((point, i) => {
      const { x, y } = front[i]!;
      return [line(x, y, x, point.y), line(x, point.y, point.x, point.y)];
    }),
  ];
  const sides = new Map<string, { place: Place; points: Placed[] }>();
  for (const [i, place] of namePlaces(points, lines, { ...size, names: NAMED }).entries()) {
    if (!place) continue;
    const side = `${place.dx} ${place.dy}`;
    if (!sides.has(side)) sides.set(side, { place, points: [] });
    sides.get(side)!.points.push(values[i]!);
  }
  return [...sides.values()];
}

function interval(field: string, ends: readonly [number, number] | undefined): Record<string, number> {
  return ends && drawable(ends[0]) && drawable(ends[1])
    ? { [`${field}Low`]: round6(ends[0]), [`${field}High`]: round6(ends[1]) }
    : {};
}

/** The points that no other beats: learned at least as much and forgot at most as much, one of them strictly. O(n log n). */
function frontOf(points: readonly TradeOffPoint[]): Set<TradeOffPoint> {
  const front = new Set<TradeOffPoint>();
  let least = Number.POSITIVE_INFINITY;
  let at = Number.NaN;
  for (const point of [...points].sort((a, b) => b.learned - a.learned || a.forgotten - b.forgotten)) {
    if (point.forgotten > least || (point.forgotten === least && point.learned < at)) continue;
    front.add(point);
    least = point.forgotten;
    at = point.learned;
  }
  return front;
}

function describe(
  points: readonly TradeOffPoint[],
  names: readonly string[],
  front: ReadonlySet<TradeOffPoint>,
  lost: number,
): string {
  const missing = leftOut(lost, 'point');
  if (points.length === 0) return `Nothing measured.${missing}`;
  const said = (point: TradeOffPoint, i: number) =>
    `${names[i]!} (learned ${formatNumber(round6(point.learned))}, forgot ${formatNumber(round6(point.forgotten))})`;
  const best = points.map((point, i) => ({ point, text: said(point, i) })).filter(({ point }) => front.has(point));
  best.sort((a, b) => b.point.learned - a.point.learned);
  const listed = best
    .slice(0, 3)
    .map(({ text }) => text)
    .join(', ');
  return `${formatNumber(points.length)} way${points.length === 1 ? '' : 's'} to train. Not beaten by any other: ${listed}${best.length > 3 ? ', …' : '.'}${missing}`;
}

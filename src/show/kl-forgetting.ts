import { polynomialFit, spearman } from '../base/core/index.js';
import { drawable, leftOut, legendFilter, logAxis, numberAxis, numberScale } from './axes.js';
import { objects } from './check.js';
import { uniqueLabels } from './counts.js';
import { type Figure, figure } from './figure.js';
import { textTable } from './table.js';
import { formatNumber, oneLine, round6 } from './text.js';
import { label, PALETTE, spec } from './theme.js';

/** A state of a model: how far it is from its base, and what it has forgotten. */
export interface KlPoint {
  /** Points of one run are joined in their order. */
  run?: string;
  /** Divergence from the base on the new task, in nats per token. */
  kl: number;
  /** What was lost on the old tasks. */
  forgotten: number;
  /** Step of the run at which this was measured. */
  step?: number;
}

export interface KlForgettingOptions {
  /** Defaults to `Divergence and forgetting`. */
  title?: string;
  /** Logarithmic axis of the divergence. Defaults to whether all are positive and the largest is over a hundred times the smallest. */
  log?: boolean;
  /** Name of the vertical axis; defaults to `forgotten`. */
  forgotten?: string;
  /** Draw the curve of this degree that fits all points best, and say its R². Defaults to none. */
  fit?: 1 | 2;
  /** Join the points of a run; defaults to true. Without it `run` is just the group of a point. */
  join?: boolean;
  /** Width of the plot in pixels; defaults to 480. */
  width?: number;
  /** Height of the plot in pixels; defaults to 300. */
  height?: number;
}

/**
 * Forgetting against the KL divergence from the base model, with Spearman's rank correlation: where it is close to 1 the distance
 * alone says what is forgotten, whatever the way to get there (Shenfeld, Pari & Agrawal 2025). A click in the legend picks a run.
 */
export function klForgetting(points: readonly KlPoint[], options: KlForgettingOptions = {}): Figure {
  const { title = 'Divergence and forgetting', forgotten = 'forgotten', join = true, width = 480, height = 300 } = options;
  objects(points, "[{ run: 'full', kl: 0.3, forgotten: 0.1 }]");
  const log = options.log ?? spansDecades(points.map(point => point.kl));
  const usable = points.filter(point => drawable(point.kl, log) && drawable(point.forgotten));
  const given = [...new Set(usable.map(point => point.run ?? ''))];
  const shortened = uniqueLabels(given.map(name => name || 'run'));
  const nameOf = new Map(given.map((name, i) => [name, shortened[i]!]));
  const names = shortened.slice(0, RUNS);
  const values = usable
    .map((point, i) => ({
      run: nameOf.get(point.run ?? '')!,
      kl: round6(point.kl),
      forgotten: round6(point.forgotten),
      order: point.step ?? i,
    }))
    .filter(({ run }) => names.includes(run));
  const [kls, losses] = [usable.map(point => point.kl), usable.map(point => point.forgotten)];
  const rank = spearman(kls, losses);
  const fit = options.fit && polynomialFit(kls, losses, options.fit);
  const fitted =
    fit && Number.isFinite(fit.r2) ? { r2: fit.r2, degree: options.fit!, curve: curveOf(fit.at, kls, log) } : undefined;
  const alt = describe(usable, given.length, { rank, fitted, lost: points.length - usable.length, log });
  const many = names.length > 1;
  const filter = legendFilter('shownRun', 'run');
  const x = {
    field: 'kl',
    type: 'quantitative',
    scale: numberScale(log ? kls : [0, ...kls], { log }),
    axis: (log ? logAxis : numberAxis)(
      values.map(value => value.kl),
      { title: `KL from the base (nats per token${log ? ', log axis' : ''})`, tickCount: 6 },
    ),
  };
  const y = {
    field: 'forgotten',
    type: 'quantitative',
    scale: numberScale([...losses, ...(fitted?.curve ?? []).map(point => point.forgotten)]),
    axis: numberAxis(
      values.map(value => value.forgotten),
      { title: label(forgotten, 60) },
    ),
  };
  const legend = { title: null, symbolType: 'circle', columns: 3 };
  const color = many ? { field: 'run', type: 'nominal', scale: { domain: names }, legend } : { value: PALETTE.blue };
  const opacity = many ? filter.opacity : { value: 1 };
  return figure({
    kind: 'klForgetting',
    title,
    spec: spec({
      title,
      subtitle: alt,
      description: `${label(title, 120)}. ${alt}`,
      width,
      height,
      data: { values },
      layer: [
        ...(fitted
          ? [
              {
                data: { values: fitted.curve },
                mark: { type: 'line', strokeWidth: 1.5, strokeDash: [5, 4], color: PALETTE.gray },
                encoding: { x, y },
              },
            ]
          : []),
        ...(join
          ? [
              {
                mark: { type: 'line', strokeWidth: 1.3, strokeOpacity: 0.55 },
                encoding: { x, y, color, opacity, order: { field: 'order', type: 'quantitative' } },
              },
            ]
          : []),
        {
          ...(many ? { params: [filter.param] } : {}),
          mark: { type: 'point', filled: true, size: 60, opacity: 1 },
          encoding: {
            x,
            y,
            color,
            opacity,
            ...(many ? { shape: { field: 'run', type: 'nominal', scale: { domain: names }, legend } } : {}),
            tooltip: [
              { field: 'run', type: 'nominal' },
              { field: 'kl', type: 'quantitative', title: 'KL', format: '.4~g' },
              { field: 'forgotten', type: 'quantitative', format: '.4~g' },
              ...(usable.some(point => point.step !== undefined)
                ? [{ field: 'order', type: 'quantitative', title: 'step' }]
                : []),
            ],
          },
        },
      ],
    }),
    text: textTable({
      title: label(title, 120),
      note: alt,
      names: ['run', 'KL', 'forgotten'],
      numeric: [false, true, true],
      cells: values.slice(0, 60).map(value => [oneLine(value.run), formatNumber(value.kl), formatNumber(value.forgotten)]),
    }),
    alt,
  });
}

/** Runs drawn at most: more colours and shapes cannot be told apart. */
const RUNS = 24;

function spansDecades(values: readonly number[]): boolean {
  const finite = values.filter(Number.isFinite);
  const least = finite.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  return least > 0 && finite.length > 0 && finite.reduce((a, b) => Math.max(a, b)) / least > 100;
}

/** Points of a drawn curve. */
const CURVE = 60;

/** A fitted curve from the least divergence to the largest, in steps that look equal on the axis. */
function curveOf(at: (kl: number) => number, kls: readonly number[], log: boolean): { kl: number; forgotten: number }[] {
  const [from, to] = [kls.reduce((a, b) => Math.min(a, b)), kls.reduce((a, b) => Math.max(a, b))];
  return Array.from({ length: CURVE + 1 }, (_, i) => {
    const kl = log ? from * (to / from) ** (i / CURVE) : from + ((to - from) * i) / CURVE;
    return { kl: round6(kl), forgotten: round6(at(kl)) };
  });
}

interface Relation {
  rank: number;
  fitted: { r2: number; degree: number } | undefined;
  /** Points that cannot be drawn. */
  lost: number;
  log: boolean;
}

function describe(points: readonly KlPoint[], runs: number, { rank, fitted, lost, log }: Relation): string {
  const missing = leftOut(lost, 'point', log);
  if (points.length === 0) return `Nothing measured.${missing}`;
  const most = points.reduce((a, b) => (b.kl > a.kl ? b : a));
  const correlation = Number.isNaN(rank) ? '' : ` Rank correlation of the two: ${formatNumber(Number(rank.toFixed(2)))}.`;
  const curve = fitted
    ? ` R² of the ${fitted.degree === 1 ? 'line' : 'quadratic curve'}: ${formatNumber(Number(fitted.r2.toFixed(2)))}.`
    : '';
  const few = runs > RUNS ? ` The first ${RUNS} of ${formatNumber(runs)} runs are drawn.` : '';
  return `${formatNumber(points.length)} state${points.length === 1 ? '' : 's'}, farthest at a KL of ${formatNumber(round6(most.kl))} with ${formatNumber(round6(most.forgotten))} forgotten.${correlation}${curve}${few}${missing}`;
}

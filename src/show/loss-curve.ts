import { BadInput, quote } from '../base/core/index.js';
import { drawable, logAxis, numberAxis, numberScale, stepAxis, touch } from './axes.js';
import { objects } from './check.js';
import { type Figure, figure } from './figure.js';
import { lttb, smoothed } from './series.js';
import { formatNumber, round6, sparkline } from './text.js';
import { label, PALETTE, spec } from './theme.js';

/** A training history by column. Without `step` the values are numbered from 1. */
export interface LossColumns {
  step?: ArrayLike<number>;
  /** Nats per token. */
  loss: ArrayLike<number>;
  learningRate?: ArrayLike<number>;
}

/** One row of a history. */
export interface LossPoint {
  step: number;
  loss: number;
  learningRate?: number;
}

/** `run.history`, or its rows. */
export type LossHistory = LossColumns | readonly LossPoint[];

export interface LossCurveOptions {
  /** Defaults to `Training loss`. */
  title?: string;
  /** Span of the centred moving average in steps; `false` draws none. Defaults to a twentieth of the history. */
  smooth?: number | false;
  /** Held-out losses, drawn as points. */
  evalPoints?: readonly { step: number; loss: number }[];
  /** Logarithmic loss axis. */
  log?: boolean;
  /** Adds a small panel with the learning rate. */
  learningRate?: boolean;
  /** Steps planned; the axis reaches to there, so that a live chart does not rescale. */
  total?: number;
  /** Points drawn at most (the rest is thinned without losing the shape); defaults to 1,000. */
  maxPoints?: number;
  /** Width of the plot in pixels; defaults to 560. */
  width?: number;
  /** Height of the plot in pixels; defaults to 260. */
  height?: number;
}

const EACH = 'each step';
const SMOOTH = 'smoothed';
const HELD_OUT = 'held out';

/** The loss of a training run over its steps: every step light, a moving average strong, held-out losses as points. */
export function lossCurve(history: LossHistory, options: LossCurveOptions = {}): Figure {
  const { title = 'Training loss', log = false, evalPoints = [], width = 560, height = 260, maxPoints = 1000 } = options;
  const all = columns(history);
  const usable = (loss: number) => drawable(loss, log);
  const keep = all.step.map((_, i) => i).filter(i => Number.isFinite(all.step[i]!) && usable(all.loss[i]!));
  const steps = keep.map(i => all.step[i]!);
  const losses = keep.map(i => all.loss[i]!);
  const lost = all.step.length - keep.length;
  const span = options.smooth === false ? 1 : (options.smooth ?? (steps.length < 20 ? 1 : Math.max(5, steps.length / 20)));
  const means = smoothed(losses, span);
  const drawMeans = span >= 3;

  const withRate = options.learningRate === true && all.learningRate !== undefined;
  const values = lttb(steps, losses, maxPoints).map(i => ({
    step: steps[i]!,
    loss: round6(losses[i]!),
    ...(drawMeans ? { smooth: round6(means[i]!) } : {}),
    ...(withRate ? { rate: round6(all.learningRate![keep[i]!] ?? 0) } : {}),
  }));
  const evals = evalPoints.filter(p => usable(p.loss)).map(p => ({ step: p.step, loss: round6(p.loss) }));

  const alt = describe(steps, means, evals, lost);
  const names = [EACH, ...(drawMeans ? [SMOOTH] : []), ...(evals.length > 0 ? [HELD_OUT] : [])];
  const ends = [steps[0] ?? 0, Math.max(options.total ?? 0, steps.at(-1) ?? 1, ...evals.map(p => p.step))];
  const drawn = [...values.flatMap(({ loss, smooth = loss }) => [loss, smooth]), ...evals.map(p => p.loss)];
  const x = (shown: boolean) => ({
    field: 'step',
    type: 'quantitative',
    scale: { domain: ends, nice: false },
    axis: stepAxis(shown),
  });
  const y = (field: string) => ({
    field,
    type: 'quantitative',
    scale: numberScale(drawn, { log }),
    axis: (log ? logAxis : numberAxis)(drawn, { title: 'loss (nats per token)', tickCount: 6 }),
  });
  // Each layer is one series; its name is written into its rows, since the schema knows no scale beside a constant.
  const named = (name: string) => [{ calculate: `'${name}'`, as: 'series' }];
  const color = {
    field: 'series',
    type: 'nominal',
    scale: {
      domain: names,
      range: names.map(n => (n === EACH && drawMeans ? PALETTE.gray : n === HELD_OUT ? PALETTE.vermillion : PALETTE.blue)),
    },
    legend: names.length > 1 ? { title: null } : null,
  };
  const loss = {
    width,
    height,
    encoding: { x: x(!withRate) },
    layer: [
      {
        transform: named(EACH),
        mark: { type: 'line', strokeWidth: drawMeans ? 1 : 2.2, opacity: drawMeans ? 0.55 : 1, point: steps.length <= 30 },
        encoding: { y: y('loss'), color },
      },
      ...(drawMeans
        ? [{ transform: named(SMOOTH), mark: { type: 'line', strokeWidth: 2.4 }, encoding: { y: y('smooth'), color } }]
        : []),
      hover(drawMeans, withRate),
      ...(evals.length > 0
        ? [
            {
              data: { values: evals },
              transform: named(HELD_OUT),
              mark: { type: 'line', strokeWidth: 1.5, strokeDash: [4, 3], point: { size: 60, filled: true }, tooltip: true },
              encoding: { y: y('loss'), color },
            },
          ]
        : []),
    ],
  };
  const rate = {
    width,
    height: 60,
    mark: { type: 'line', strokeWidth: 2, color: PALETTE.green },
    encoding: {
      x: x(true),
      y: {
        field: 'rate',
        type: 'quantitative',
        axis: { title: 'learning rate', tickCount: 2, labelExpr: "datum.value === 0 ? '0' : format(datum.value, '~e')" },
      },
    },
  };
  const body = withRate ? { vconcat: [loss, rate], spacing: 8 } : loss;
  return figure({
    kind: 'lossCurve',
    title,
    spec: spec({ title, subtitle: alt, description: `${label(title, 120)}. ${alt}`, data: { values }, ...body }),
    text: `${label(title, 120)}\n${sparkline(means, 60)}\n${alt}`,
    alt,
  });
}

/** A rule that follows the pointer to the nearest step and says its values. */
function hover(drawMeans: boolean, withRate: boolean) {
  return {
    name: touch('rule'),
    mark: { type: 'rule', strokeWidth: 1, color: PALETTE.gray },
    params: [
      { name: 'nearestStep', select: { type: 'point', fields: ['step'], nearest: true, on: 'pointerover', clear: 'pointerout' } },
    ],
    encoding: {
      opacity: { condition: { param: 'nearestStep', empty: false, value: 0.7 }, value: 0 },
      tooltip: [
        { field: 'step', type: 'quantitative', title: 'step' },
        { field: 'loss', type: 'quantitative', title: 'loss', format: '.4~f' },
        ...(drawMeans ? [{ field: 'smooth', type: 'quantitative', title: 'smoothed', format: '.4~f' }] : []),
        ...(withRate ? [{ field: 'rate', type: 'quantitative', title: 'learning rate', format: '.2e' }] : []),
      ],
    },
  };
}

function describe(steps: number[], means: number[], evals: { step: number; loss: number }[], lost: number): string {
  const missing = lost > 0 ? ` ${lost} step${lost === 1 ? '' : 's'} without a usable loss left out.` : '';
  if (steps.length === 0) return `No finite loss yet.${missing}`;
  const first = means[0]!;
  const last = means.at(-1)!;
  const spread = Math.max(Math.abs(first), Math.abs(last), 1e-12);
  const held = evals.length > 0 ? ` Held-out loss ${formatNumber(evals[0]!.loss)} → ${formatNumber(evals.at(-1)!.loss)}.` : '';
  if (steps.length === 1) return `Loss is ${formatNumber(last)} after one step.${held}${missing}`;
  const verb = Math.abs(last - first) / spread < 0.01 ? 'stays near' : last < first ? 'falls from' : 'rises from';
  const course = verb === 'stays near' ? formatNumber(last) : `${formatNumber(first)} to ${formatNumber(last)}`;
  const over = Math.round(steps.at(-1)! - steps[0]! + 1).toLocaleString('en-US');
  return `Loss ${verb} ${course} over ${over} steps.${held}${missing}`;
}

/** A history by column, as plain arrays. @throws BadInput where it has no losses */
export function columns(history: LossHistory): { step: number[]; loss: number[]; learningRate?: number[] } {
  if (isRows(history)) {
    objects(history, '[{ step: 1, loss: 3.2 }]');
    const rates = history.map(row => row.learningRate ?? Number.NaN);
    return {
      step: history.map((row, i) => row.step ?? i + 1),
      loss: history.map(row => row.loss),
      ...(history.some(row => row.learningRate !== undefined) ? { learningRate: rates } : {}),
    };
  }
  if (typeof history?.loss?.length !== 'number') {
    throw new BadInput({
      problem: 'a loss curve needs losses',
      expected: 'run.history, or rows of {step, loss}',
      found: quote(history),
      fix: 'pass run.history',
    });
  }
  const loss = Array.from(history.loss);
  return {
    step: history.step ? Array.from(history.step) : loss.map((_, i) => i + 1),
    loss,
    ...(history.learningRate ? { learningRate: Array.from(history.learningRate) } : {}),
  };
}

function isRows(history: LossHistory): history is readonly LossPoint[] {
  return Array.isArray(history);
}

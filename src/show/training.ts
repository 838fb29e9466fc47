import { BadInput, quote, viewOf } from '../base/core/index.js';
import { drawable, leftOut } from './axes.js';
import { type Figure, figure } from './figure.js';
import { type Panel, panels, type Series } from './panels.js';
import { smoothed } from './series.js';
import { formatNumber, sparkline } from './text.js';
import { label, spec } from './theme.js';

/** One column of a history; steps without a value hold null. */
export type Column = ArrayLike<number | null>;

/** A training history by column, as `run.history` is. Columns that are absent have no panel. */
export interface TrainingHistory {
  /** Numbered from 1 where absent. */
  step?: ArrayLike<number>;
  /** Nats per token. */
  loss: Column;
  learningRate?: Column;
  /** Global gradient norm before clipping. */
  gradNorm?: Column;
  tokensPerSecond?: Column;
}

/** What evaluations found, with their steps: `run.evaluations`. A number that begins with `heldOut` is a loss. */
export type TrainingEvaluation = { readonly step: number } & { readonly [metric: string]: number };

/** A run (`train.sft`, `train.readRecord`), the data of its view, or a history alone. */
export type TrainingSource =
  | TrainingHistory
  | { name?: string; total?: number; history: TrainingHistory; evaluations?: readonly TrainingEvaluation[] };

export interface TrainingOptions {
  /** Defaults to the name of the run, else `Training`. */
  title?: string;
  /** In place of the run's own. */
  evaluations?: readonly TrainingEvaluation[];
  /** Evaluations drawn at most, those that moved most; with more a line shows the mean of all. Defaults to 6. */
  top?: number;
  /** Span of the centred moving average in steps; `false` draws none. Defaults to a twentieth of the history. */
  smooth?: number | false;
  /** Logarithmic loss axis. */
  log?: boolean;
  /** Steps planned; the axis reaches to there. Defaults to the run's own. */
  total?: number;
  /** Points of one line at most; defaults to 1,000, two for each pixel. */
  maxPoints?: number;
  /** Width of the plots in pixels; defaults to 560. */
  width?: number;
}

/**
 * A training run at a glance, on one axis of steps: loss (every step, its moving average, held-out losses), evaluations by task,
 * learning rate, gradient norm, throughput. The pointer over the loss reads all of them; dragging over the strip below zooms.
 *
 * Long histories are thinned to `maxPoints` by LTTB (Steinarsson 2013) after smoothing: of every bucket of steps the one point
 * that shapes the line most is drawn as it was measured, so that spikes and ends stay and no value is made up.
 *
 * @throws BadInput where there are no losses.
 */
export function training(source: TrainingSource, options: TrainingOptions = {}): Figure {
  const run = runOf(source);
  const { log = false, maxPoints = 1000, width = 560, top = 6, smooth, evaluations = run.evaluations ?? [] } = options;
  const title = options.title ?? run.name ?? 'Training';
  const total = options.total ?? run.total;
  const { history } = run;
  const step = history.step ? Array.from(history.step) : Array.from(history.loss, (_, i) => i + 1);
  const loss = lossSeries(step, history.loss, smooth, log);
  const metrics = metricsOf(evaluations.filter(found => found !== null && typeof found === 'object'));
  const [heldOut, scores] = [metrics.filter(isLoss), metrics.filter(metric => !isLoss(metric))];
  const all: Panel[] = [
    { title: 'loss (nats per token)', height: 190, log, series: [...loss.series, ...shorten(heldOut, top, 'held out')] },
    { title: 'evaluations', height: 110, series: shorten(scores, top, 'evaluations') },
    ...(
      [
        ['learning rate', history.learningRate],
        ['gradient norm', history.gradNorm],
        ['tokens per second', history.tokensPerSecond],
      ] as const
    ).map(([name, values]) => ({ title: name, height: 56, series: values ? [{ name, step, values: Array.from(values) }] : [] })),
  ];
  const alt = describe(loss, all, scores, log);
  return figure({
    kind: 'training',
    title,
    spec: spec({
      title,
      subtitle: alt,
      description: `${label(title, 120)}. ${alt}`,
      ...panels(all, { width, maxPoints, ...(total ? { total } : {}) }),
    }),
    text: [label(title, 120), ...all.flatMap(sketch), alt].join('\n'),
    alt,
  });
}

function runOf(source: TrainingSource): {
  name?: string;
  total?: number;
  history: TrainingHistory;
  evaluations?: readonly TrainingEvaluation[];
} {
  const view = viewOf(source);
  const data = (view?.kind === 'run' ? view.data : source) as { history?: TrainingHistory; loss?: unknown } | undefined;
  const evaluations = (source as { evaluations?: readonly TrainingEvaluation[] } | undefined)?.evaluations;
  const history = data?.history ?? (data as TrainingHistory | undefined);
  if (typeof history?.loss?.length !== 'number')
    throw new BadInput({
      problem: 'a training panel needs losses',
      expected: 'a run, or run.history: columns with loss, and step, learningRate, gradNorm, tokensPerSecond where there are any',
      found: quote(source),
      fix: 'show.training(run)',
    });
  return { ...(data?.history ? data : {}), ...(evaluations ? { evaluations } : {}), history };
}

interface Losses {
  series: Series[];
  /** What is described: the average where one is drawn. */
  means: number[];
  lost: number;
}

function lossSeries(step: number[], column: Column, smooth: number | false | undefined, log: boolean): Losses {
  const values = Array.from(column);
  const keep = values.map((_, i) => i).filter(i => drawable(values[i], log) && drawable(step[i]));
  const steps = keep.map(i => step[i]!);
  const losses = keep.map(i => values[i]!);
  const lost = values.length - keep.length;
  const span = smooth === false ? 1 : (smooth ?? (losses.length < 20 ? 1 : Math.max(5, losses.length / 20)));
  if (!(span >= 3)) return { series: [{ name: 'training', step: steps, values: losses }], means: losses, lost };
  const means = smoothed(losses, span);
  return {
    series: [
      { name: 'each step', step: steps, values: losses, faint: true },
      { name: 'smoothed', step: steps, values: means },
    ],
    means,
    lost,
  };
}

function metricsOf(evaluations: readonly TrainingEvaluation[]): Series[] {
  const names = [...new Set(evaluations.flatMap(found => Object.keys(found)))].filter(name => name !== 'step');
  return names.map(name => {
    const rows = evaluations.filter(found => Number.isFinite(found[name]));
    return { name, step: rows.map(row => row.step), values: rows.map(row => row[name]!), points: true };
  });
}

function isLoss({ name }: Series): boolean {
  return name === 'heldOut' || name.startsWith('heldOut/') || name === 'loss';
}

/** `heldOut/sort` is the held-out loss of the task `sort`. */
function spoken(name: string): string {
  return name.replace(/^heldOut\/?/, all => (all.endsWith('/') ? 'held out: ' : 'held out'));
}

/** All lines, or the `top` that moved most and the mean of all. */
function shorten(lines: Series[], top: number, what: string): Series[] {
  if (lines.length <= top) return lines.map(line => ({ ...line, name: spoken(line.name) }));
  const range = ({ values }: Series) => Math.abs((values.at(-1) ?? 0) - (values[0] ?? 0));
  const kept = [...lines].sort((a, b) => range(b) - range(a)).slice(0, top - 1);
  const sums = new Map<number, { sum: number; count: number }>();
  for (const { step, values } of lines)
    for (const [i, at] of step.entries()) {
      const cell = sums.get(at) ?? { sum: 0, count: 0 };
      sums.set(at, { sum: cell.sum + values[i]!, count: cell.count + 1 });
    }
  const steps = [...sums.keys()].sort((a, b) => a - b);
  const mean = steps.map(at => sums.get(at)!.sum / sums.get(at)!.count);
  return [{ name: `mean of ${formatNumber(lines.length)} ${what}`, step: steps, values: mean, points: true }, ...kept];
}

function finite(values: Series['values']): number[] {
  return values.filter((value): value is number => Number.isFinite(value));
}

function sketch({ title, series }: Panel): string[] {
  return series
    .filter(line => !line.faint)
    .flatMap(({ name, values }) => {
      const all = finite(values);
      const head = series.length > 1 ? `${title}: ${label(name, 24)}` : title;
      return all.length === 0 ? [] : [`${head.padEnd(34)} ${sparkline(all, 40)} ${formatNumber(all.at(-1)!)}`];
    });
}

function describe({ means, lost }: Losses, all: readonly Panel[], scores: readonly Series[], log: boolean): string {
  const missing = leftOut(lost, 'step', log);
  if (means.length === 0) return `No finite loss yet.${missing}`;
  const [first, last] = [means[0]!, means.at(-1)!];
  const verb =
    means.length === 1 ? 'is' : last < first ? `falls from ${formatNumber(first)} to` : `goes from ${formatNumber(first)} to`;
  const parts = [`Loss ${verb} ${formatNumber(last)} in ${formatNumber(means.length)} step${means.length === 1 ? '' : 's'}.`];
  const moved = scores.map(line => ({ name: line.name, values: finite(line.values) })).filter(line => line.values.length > 0);
  if (moved.length > 0) {
    const said = moved.slice(0, 2).map(({ name, values }) => `${label(name, 24)} ${formatNumber(values.at(-1)!)}`);
    parts.push(`Last evaluation: ${said.join(', ')}${moved.length > 2 ? ` and ${moved.length - 2} more` : ''}.`);
  }
  const norms = finite(all.find(panel => panel.title === 'gradient norm')!.series[0]?.values ?? []);
  if (norms.length > 0) parts.push(`Largest gradient norm ${formatNumber(norms.reduce((a, b) => Math.max(a, b)))}.`);
  const speeds = finite(all.find(panel => panel.title === 'tokens per second')!.series[0]?.values ?? []);
  if (speeds.length > 0)
    parts.push(`${formatNumber(Math.round(speeds.reduce((a, b) => a + b) / speeds.length))} tokens a second.`);
  return parts.join(' ') + missing;
}

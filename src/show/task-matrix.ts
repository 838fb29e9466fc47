import { BadInput, quote } from '../base/core/index.js';
import { drawable } from './axes.js';
import { uniqueLabels } from './counts.js';
import { type Figure, figure } from './figure.js';
import { type HeatCell, heatMap } from './heat.js';
import { textTable } from './table.js';
import { formatNumber, round6 } from './text.js';
import { label, spec } from './theme.js';

/** Scores of every task at every moment, as `forgetting` measures them. */
export interface TaskMatrix {
  tasks: readonly string[];
  /** Names of the moments: the task just trained, or a step. */
  times: readonly (string | number)[];
  /** `scores[time][task]`; not finite where a task was not measured then. */
  scores: readonly ArrayLike<number>[];
}

export interface TaskMatrixOptions {
  /** Defaults to `Accuracy by task over time`. */
  title?: string;
  /** Tasks shown at most: those that fell most from their best. Defaults to 40. */
  top?: number;
  /** Moments shown at most, evenly spaced with the last among them. Defaults to 40. */
  maxTimes?: number;
  /** Title of the axis of moments; defaults to `after training on`. */
  axis?: string;
  /** Name of the scores; defaults to `accuracy`. */
  measure?: string;
  /** Scores are shares, written in per cent. Default: whether all lie between 0 and 1. */
  share?: boolean;
}

/**
 * What a model can do at every moment of training on one task after another: the matrix of Lopez-Paz & Ranzato (2017), tasks in
 * rows. Read along a row: where it darkens, the task is being forgotten. Forgetting is each task's best score before the last
 * moment minus its last (Chaudhry et al. 2018), averaged over the tasks.
 *
 * @throws BadInput where the scores are not one row for each moment with one number for each task.
 */
export function taskMatrix(matrix: TaskMatrix, options: TaskMatrixOptions = {}): Figure {
  check(matrix);
  const {
    title = 'Accuracy by task over time',
    top = 40,
    maxTimes = 40,
    axis = 'after training on',
    measure = 'accuracy',
  } = options;
  const { tasks, times, scores } = matrix;
  const rows = tasks.map((task, i) => summary(task, i, scores));
  const finite = scores.flatMap(row => Array.from(row).filter(value => drawable(value)));
  const [low, high] = finite.reduce(
    ([a, b], value) => [Math.min(a, value), Math.max(b, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
  const share = options.share ?? (finite.length > 0 && low >= 0 && high <= 1);
  const kept = new Set([...rows].sort((a, b) => b.forgotten - a.forgotten || a.at - b.at).slice(0, top));
  const shown = rows.filter(row => kept.has(row));
  const moments = spaced(times.length, maxTimes);
  const rowNames = uniqueLabels(shown.map(row => row.task));
  const columnNames = uniqueLabels(
    moments.map(i => String(times[i])),
    24,
  );
  const write = (value: number) => (share ? `${Math.round(100 * value)}` : formatNumber(Number(value.toPrecision(2))));
  const cells: HeatCell[] = shown.flatMap((row, r) =>
    moments.flatMap((time, c) => {
      const value = scores[time]![row.at]!;
      return drawable(value) ? [{ row: rowNames[r]!, column: columnNames[c]!, value: round6(value), text: write(value) }] : [];
    }),
  );
  const alt = describe(rows, shown.length, share, measure);
  const domain: [number, number] = share ? [0, 1] : finite.length === 0 ? [0, 1] : [low, high > low ? high : low + 1];
  const body = heatMap(cells, {
    rows: rowNames,
    columns: columnNames,
    rowTitle: null,
    columnTitle: label(axis, 60),
    valueTitle: measure,
    domain,
    format: share ? '.0%' : '.3~g',
  });
  return figure({
    kind: 'taskMatrix',
    title,
    spec: spec({ title, subtitle: alt, description: `${label(title, 120)}. ${alt}`, ...body }),
    text: textTable({
      title: label(title, 120),
      note: alt,
      names: [label(axis, 30), ...columnNames.slice(0, 12)],
      numeric: [false, ...columnNames.slice(0, 12).map(() => true)],
      cells: rowNames.map((name, r) => [
        name,
        ...moments.slice(0, 12).map(time => {
          const value = scores[time]![shown[r]!.at]!;
          return drawable(value) ? write(value) : '·';
        }),
      ]),
    }),
    alt,
  });
}

interface TaskRow {
  task: string;
  at: number;
  last: number;
  /** Best earlier score minus the last; NaN where there is no earlier one. */
  forgotten: number;
}

function summary(task: string, at: number, scores: readonly ArrayLike<number>[]): TaskRow {
  const values = scores.map(row => row[at]!);
  const last = values.at(-1) ?? Number.NaN;
  const before = values.slice(0, -1).filter(value => drawable(value));
  const best = before.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const forgotten = before.length > 0 && drawable(last) ? best - last : Number.NaN;
  return { task, at, last, forgotten: Number.isNaN(forgotten) ? Number.NEGATIVE_INFINITY : forgotten };
}

/** Evenly spaced indices with the first and the last. */
function spaced(length: number, limit: number): number[] {
  const count = Math.min(length, Math.max(1, limit));
  if (count <= 1) return length === 0 ? [] : [length - 1];
  return Array.from({ length: count }, (_, i) => Math.round((i * (length - 1)) / (count - 1)));
}

function describe(rows: readonly TaskRow[], shown: number, share: boolean, measure: string): string {
  const ended = rows.filter(row => drawable(row.last));
  if (ended.length === 0) return 'No scores at the last moment.';
  const said = (value: number) => (share ? `${formatNumber(Number((100 * value).toFixed(1)))} %` : formatNumber(round6(value)));
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const fell = ended.filter(row => drawable(row.forgotten));
  const worst = fell.reduce<TaskRow | undefined>((a, b) => (a && a.forgotten >= b.forgotten ? a : b), undefined);
  const forgetting = worst
    ? ` Mean forgetting ${said(mean(fell.map(row => row.forgotten)))}, most in ${label(worst.task, 30)} (${said(worst.forgotten)}).`
    : '';
  const few =
    shown < rows.length ? ` The ${formatNumber(shown)} of ${formatNumber(rows.length)} tasks that fell most are shown.` : '';
  return `Mean ${label(measure, 40)} at the end ${said(mean(ended.map(row => row.last)))} over ${formatNumber(ended.length)} task${ended.length === 1 ? '' : 's'}.${forgetting}${few}`;
}

function check(matrix: TaskMatrix): void {
  const { tasks, times, scores } = matrix ?? {};
  const shaped =
    Array.isArray(tasks) &&
    Array.isArray(times) &&
    Array.isArray(scores) &&
    scores.length === times.length &&
    scores.every(row => row?.length === tasks.length);
  if (shaped) return;
  throw new BadInput({
    problem: 'the matrix does not fit its names',
    expected:
      '{ tasks: string[], times: string[], scores: number[][] } with one row of scores for each time, one number for each task',
    found: quote(matrix),
  });
}

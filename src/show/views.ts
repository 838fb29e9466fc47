import {
  host,
  isConversationRow,
  isMessages,
  isRowMap,
  isRows,
  isTableLike,
  isTensorLike,
  isViewable,
  type MimeBundle,
  setRenderer,
  type TensorLike,
  type View,
  viewOf,
} from '../base/core/index.js';
import { type AttentionData, attention } from './attention.js';
import { type BeforeAfterRow, beforeAfter } from './before-after.js';
import { type ComparisonData, comparison } from './comparison.js';
import { type ConversationData, conversation } from './conversation.js';
import { type DiversityCurve, type DiversityOptions, diversity } from './diversity.js';
import { type DriftRow, drift } from './drift.js';
import { errorView, isTeachingError } from './error-view.js';
import { type Figure, isFigure, JUPYTER_DISPLAY } from './figure.js';
import { type ForgettingReportData, forgettingReport } from './forgetting-report.js';
import { generations } from './generations.js';
import { type IntervalsData, intervals } from './intervals.js';
import { type KlPoint, klForgetting } from './kl-forgetting.js';
import { type LossHistory, lossCurve } from './loss-curve.js';
import { type MarginSeries, margins } from './margins.js';
import { type MixtureSource, mixture } from './mixture.js';
import { parameters } from './parameters.js';
import { type PairData, pair } from './rate-figure.js';
import { loadAhead } from './render.js';
import { type RewardHistory, rewards } from './rewards.js';
import { type RunsSource, runs } from './runs.js';
import { type Sample, type ScoredSource, samples } from './samples.js';
import { type TableSource, table } from './table.js';
import { type TaskMatrix, taskMatrix } from './task-matrix.js';
import { type TemplateLine, templateComparison } from './template-comparison.js';
import { peekTensor, readTensor } from './tensor.js';
import { formatCell } from './text.js';
import type { TokenView } from './token-cells.js';
import { tokens } from './tokens.js';
import { type TradeOffPoint, tradeOff } from './trade-off.js';
import { type TrainingSource, training } from './training.js';

/** What a run's view holds. */
export interface RunData {
  name?: string;
  /** Steps planned. */
  total?: number;
  history: LossHistory;
}

const KINDS: Record<string, (data: never) => Figure> = {
  run: ({ name, total, history }: RunData) =>
    lossCurve(history, { ...(name ? { title: name } : {}), ...(total ? { total } : {}) }),
  runs: (data: RunsSource) => runs(data),
  tokens: (data: TokenView | TokenView[]) => tokens(data),
  table: (data: TableSource) => table(data),
  samples: (data: Sample[]) => samples(data),
  beforeAfter: (data: { rows: BeforeAfterRow[]; title?: string }) => beforeAfter(data),
  // A score is its number, its parts by task, and what was said: the samples are the part worth reading.
  scores: (data: Partial<ScoredSource> & { metrics?: unknown }) => {
    if (!data.samples) return properties(data, 'Scores');
    if (data.metrics) return samples(data as ScoredSource);
    return samples(data.samples, data.score === undefined ? {} : { title: `Score ${(100 * data.score).toFixed(1)} %` });
  },
  intervals: (data: IntervalsData) => intervals(data),
  comparison: (data: ComparisonData) => comparison(data),
  pair: (data: PairData) => pair(data),
  training: (data: TrainingSource) => training(data),
  rewards: (data: RewardHistory) => rewards(data),
  attention: (data: AttentionData) => attention(data),
  taskMatrix: (data: TaskMatrix) => taskMatrix(data),
  tradeOff: (data: TradeOffPoint[]) => tradeOff(data),
  klForgetting: (data: KlPoint[]) => klForgetting(data),
  drift: (data: DriftRow[]) => drift(data),
  'forgetting-report': (data: ForgettingReportData) => forgettingReport(data),
  diversity: (data: DiversityCurve[]) => diversity(data),
  curves: ({ curves, ...options }: DiversityOptions & { curves: DiversityCurve[] }) => diversity(curves, options),
  margins: (data: ArrayLike<number> | MarginSeries[]) => margins(data),
  generations: (data: Sample[]) => generations(data),
  templateComparison: (data: TemplateLine[]) => templateComparison(data),
  mixture: (data: MixtureSource) => mixture(data),
  conversation: (data: ConversationData) => conversation(data),
  model: (data: object) =>
    Array.isArray((data as { weights?: unknown }).weights) ? parameters(data) : properties(data, 'Model'),
};

/** The figure of a view (contract 7). A kind that is not known here is shown as a table of its properties. */
export function figureOf(view: View): Figure {
  const make = Object.hasOwn(KINDS, view.kind) ? KINDS[view.kind] : undefined;
  return make ? make(view.data as never) : properties(view.data, view.kind);
}

function properties(data: unknown, title: string): Figure {
  if (Array.isArray(data) && data.every(row => row !== null && typeof row === 'object')) return table(data, { title });
  const entries = data !== null && typeof data === 'object' ? Object.entries(data) : [['value', data]];
  return table(
    entries.map(([property, value]) => ({ property, value: formatCell(value) })),
    { title },
  );
}

/**
 * The figure of anything that has one: a figure, an object that describes itself through `Symbol.for('tunebook.view')`, an
 * arquero table, a danfo DataFrame, a tensor, messages or a row of them, a list of flat objects, a Map of single values or of
 * flat objects, an error of ours. Undefined for all else, which is shown as text.
 */
export function toFigure(value: unknown): Figure | undefined {
  if (!askable(value)) return undefined;
  if (isTensorLike(value)) return peekTensor(value);
  return settled(value);
}

/** Like {@link toFigure}, with the values of a tensor waited for, as WebGPU needs it. */
export async function figureFor(value: unknown): Promise<Figure | undefined> {
  if (!askable(value)) return undefined;
  if (isTensorLike(value)) return readTensor(value);
  if (isParameter(value)) {
    const tensor = value.read();
    try {
      return await readTensor(tensor, { title: value.name });
    } finally {
      tensor.dispose();
    }
  }
  return settled(value);
}

/** Whether a value can be asked what it is: the getter of a proxy, or of one of the properties we look for, may throw. */
function askable(value: unknown): boolean {
  try {
    for (const looks of [isViewable, isTensorLike, isParameter, hasBundle]) looks(value);
    return true;
  } catch {
    return false;
  }
}

function settled(value: unknown): Figure | undefined {
  if (isFigure(value)) return value;
  const view = viewOf(value);
  if (view) return figureOf(view);
  if (isTeachingError(value)) return errorView(value);
  try {
    if (isTableLike(value)) return table(value as TableSource);
    if (isMessages(value) || isConversationRow(value)) return conversation(value);
    if (isRows(value)) return table(value);
    if (isRowMap(value)) return table(mapRows(value));
  } catch {
    // An object with a getter that throws: as text, for which no getter is called, it can be shown.
  }
  return undefined;
}

function mapRows(map: Map<unknown, unknown>): object[] {
  return Array.from(map, ([key, value]) =>
    value instanceof Object && !(value instanceof Date) ? { key, ...value } : { key, value },
  );
}

/** A model's weight, of which a cell wants to see the values. */
function isParameter(value: unknown): value is { name: string; read(): TensorLike & { dispose(): void } } {
  const v = value as { name?: unknown; shape?: unknown; read?: unknown; write?: unknown; trainable?: unknown } | null;
  return (
    typeof v === 'object' &&
    v !== null &&
    typeof v.name === 'string' &&
    Array.isArray(v.shape) &&
    typeof v.trainable === 'boolean' &&
    typeof v.read === 'function' &&
    typeof v.write === 'function'
  );
}

function hasBundle(value: unknown): value is { [JUPYTER_DISPLAY](): unknown } {
  return typeof (value as { [JUPYTER_DISPLAY]?: unknown } | null | undefined)?.[JUPYTER_DISPLAY] === 'function';
}

/** The MIME bundle of anything that has one; undefined for all else. */
export async function bundleOf(value: unknown): Promise<MimeBundle | undefined> {
  if (!askable(value)) return undefined;
  if (hasBundle(value)) return (await value[JUPYTER_DISPLAY]()) as MimeBundle;
  return (await figureFor(value))?.[JUPYTER_DISPLAY]();
}

// So that a kernel shows our objects without knowing of figures.
setRenderer(bundleOf);

// Our kernel says when the cell that loads this is over: in the pause after it the libraries of the first chart load. Should they
// fail to, the first chart says why.
host()?.onCellEnd?.(() => void setTimeout(() => loadAhead().catch(() => {}), 50).unref());

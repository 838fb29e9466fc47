import { type MimeBundle, setRenderer, type View, viewOf } from '../base/core/index.js';
import { type BeforeAfterRow, beforeAfter } from './before-after.js';
import { type ConversationData, conversation } from './conversation.js';
import { type Figure, isFigure, JUPYTER_DISPLAY } from './figure.js';
import { type LossHistory, lossCurve } from './loss-curve.js';
import { type MixtureSource, mixture } from './mixture.js';
import { parameters } from './parameters.js';
import { type RunsSource, runs } from './runs.js';
import { type Sample, samples } from './samples.js';
import { isTable, type TableSource, table } from './table.js';
import { formatCell } from './text.js';
import type { TokenView } from './token-cells.js';
import { tokens } from './tokens.js';

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
  scores: (data: { score?: number; samples?: Sample[] }) =>
    data.samples
      ? samples(data.samples, data.score === undefined ? {} : { title: `Score ${(100 * data.score).toFixed(1)} %` })
      : properties(data, 'Scores'),
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
  if (Array.isArray(data)) return table(data, { title });
  const entries = data !== null && typeof data === 'object' ? Object.entries(data) : [['value', data]];
  return table(
    entries.map(([property, value]) => ({ property, value: formatCell(value) })),
    { title },
  );
}

/**
 * The figure of anything that has one: a figure, an object that describes itself through `Symbol.for('tunebook.view')`, an
 * arquero table, a danfo DataFrame. Undefined for all else.
 */
export function toFigure(value: unknown): Figure | undefined {
  if (isFigure(value)) return value;
  const view = viewOf(value);
  if (view) return figureOf(view);
  return isTable(value) ? table(value) : undefined;
}

/** The MIME bundle of anything that has one; undefined for all else. */
export async function bundleOf(value: unknown): Promise<MimeBundle | undefined> {
  const own = (value as { [JUPYTER_DISPLAY]?: () => unknown } | null | undefined)?.[JUPYTER_DISPLAY];
  if (typeof own === 'function') return (await own.call(value)) as MimeBundle;
  return toFigure(value)?.[JUPYTER_DISPLAY]();
}

// So that a kernel shows our objects without knowing of figures.
setRenderer(bundleOf);

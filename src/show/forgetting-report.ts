import { BadInput, quote } from '../base/core/index.js';
import { drawable, numberAxis } from './axes.js';
import { type BeforeAfterRow, beforeAfter } from './before-after.js';
import { drift } from './drift.js';
import { type Figure, figure, type VegaLiteSpec } from './figure.js';
import { generations } from './generations.js';
import type { Sample } from './samples.js';
import { textTable } from './table.js';
import { cut, escapeHtml, formatNumber, oneLine, printable, round6 } from './text.js';
import { label, PALETTE, spec, WRITTEN } from './theme.js';

/** What tuning gave a model, what it took, and why, as `forgetting.report` measures it. */
export interface ForgettingReportData {
  title?: string;
  /** The whole in a few sentences. */
  sentences?: readonly string[];
  /** Measures of the new tasks. */
  gained: readonly BeforeAfterRow[];
  /** Measures of what was known. */
  lost: readonly BeforeAfterRow[];
  /** Divergence from the base, in nats per token. */
  kl?: readonly { on: string; kl: number }[];
  /** Drift of each weight; with the effective rank of its change and the largest it could have. */
  drift?: readonly { name: string; drift: number; rank?: number; side?: number }[];
  /** Likeness of hidden states by layer, 0 being the embeddings. */
  cka?: readonly { layer: number; cka: number }[];
  said?: readonly Sample[];
  /** What could not be measured, and why. */
  missing?: readonly string[];
}

/** Pixels of a part: as wide as the dumbbells of before and after with the values beside them. */
const WIDTH = 400;

/**
 * A report of forgetting on one page: measures before and after, divergence from the base, likeness of hidden states, drift and effective
 * rank of the weights as one chart; on a page of HTML also what it comes to in words, and what was said before and after.
 * @throws BadInput where measures are missing
 */
export function forgettingReport(report: ForgettingReportData): Figure {
  if (!Array.isArray(report?.gained) || !Array.isArray(report.lost))
    throw new BadInput({
      problem: 'this is no report of forgetting',
      expected: '{ gained: [{ label, before, after }], lost: […] }, as forgetting.report gives it',
      found: quote(report),
    });
  const { title = 'What tuning gave and took', sentences = [], gained, lost, kl = [], missing = [], said = [] } = report;
  const layers = (report.cka ?? []).filter(row => drawable(row.layer) && drawable(row.cka));
  const weights = (report.drift ?? []).filter(row => drawable(row.drift));
  const ranked = weights.filter(row => drawable(row.rank) && drawable(row.side) && row.side! > 0);
  const parts = [
    gained.length > 0 && beforeAfter({ title: 'Gained', rows: gained }),
    lost.length > 0 && beforeAfter({ title: 'Lost', rows: lost }),
    kl.some(row => drawable(row.kl)) && divergence(kl),
    layers.length > 0 && likeness(layers),
    weights.length > 0 && drift(weights, { title: 'Drift of the weights, as a share of their length', width: WIDTH }),
    ranked.length > 0 &&
      drift(
        ranked.map(row => ({ name: row.name, drift: row.rank! / row.side! })),
        { title: 'Effective rank of the change, as a share of the largest', measure: 'share', log: false, width: WIDTH },
      ),
  ].filter(part => part !== false);
  const alt = [...sentences, ...missing.map(what => `Not measured: ${what}.`)].map(text => label(text, 300)).join(' ');
  const talk = said.length > 0 ? generations(said, { title: 'What it said before, and says now', limit: 24 }) : undefined;
  const words = missing.map(what => `<p>Not measured: ${escapeHtml(printable(cut(what, 600)))}</p>`).join('');
  // What it comes to stands above the charts, since a notebook shows them without the words beside.
  const lines = sentences.slice(0, 8).flatMap(text => wrapped(label(text, 400), 105));
  const whole = spec({
    description: `${label(title, 120)}. ${alt}`,
    vconcat: parts.map((part, i) => within(part.spec!, i)),
    spacing: 30,
    // Room for a value written beyond the end of its axis.
    padding: { left: 5, top: 5, right: 40, bottom: 5 },
    resolve: { scale: { color: 'independent' }, legend: { color: 'independent' } },
  });
  return figure({
    kind: 'forgetting-report',
    title,
    ...(parts.length > 0 && {
      spec: { ...whole, title: { text: label(title, 70), ...(lines.length > 0 && { subtitle: lines }) } },
    }),
    ...((words || talk) && { html: `${words}${talk?.html ?? ''}` }),
    text: [
      oneLine(cut(title, 200)),
      ...sentences.map(text => `- ${label(text, 400)}`),
      ...parts.map(part => part.text),
      talk?.text,
    ]
      .filter(text => text !== undefined)
      .join('\n\n'),
    alt: alt || label(title, 120),
  });
}

/** Lines broken between words. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** A chart as a part of another: the names of its views and parameters are made its own, and its title begins where those of the others do. */
function within({ $schema: _s, config: _c, description: _d, padding: _p, title, ...body }: VegaLiteSpec, place: number): object {
  const renamed = (value: unknown, key?: string): unknown => {
    if (Array.isArray(value)) return value.map(item => renamed(item));
    if (value === null || typeof value !== 'object')
      return key === 'name' || key === 'param' ? `${String(value)}_${place}` : value;
    // What comes from data stays as it is.
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, key === 'data' ? inner : renamed(inner, key)]));
  };
  // Over the axes, which stand below one another; the names beside them are of different length.
  return { title: { ...(title as object), frame: 'group' }, ...(renamed(body) as object) };
}

function divergence(rows: NonNullable<ForgettingReportData['kl']>): Figure {
  const values = rows
    .filter(row => drawable(row.kl))
    .map(row => ({ on: label(row.on, 48), kl: round6(row.kl), text: formatNumber(Number(row.kl.toPrecision(3))) }));
  const y = { field: 'on', type: 'nominal', sort: null, axis: { title: null, labelFontSize: 12 } };
  const x = {
    field: 'kl',
    type: 'quantitative',
    axis: numberAxis(
      values.map(row => row.kl),
      { title: 'KL from the base (nats per token)' },
    ),
    scale: { zero: true },
  };
  const alt = values.map(row => `${row.on}: ${row.text}`).join(', ');
  return figure({
    kind: 'bars',
    title: 'Divergence from the base',
    spec: spec({
      title: 'Divergence from the base',
      description: `Divergence from the base. ${alt}`,
      width: WIDTH,
      height: { step: 28 },
      data: { values },
      layer: [
        { mark: { type: 'bar', color: PALETTE.blue, height: 14 }, encoding: { x, y } },
        {
          mark: { ...WRITTEN, align: 'left', baseline: 'middle', dx: 5, fontSize: 12, fontWeight: 600 },
          encoding: { x, y, text: { field: 'text', type: 'nominal' } },
        },
      ],
    }),
    text: textTable({
      title: 'Divergence from the base (nats per token)',
      names: ['on', 'KL'],
      numeric: [false, true],
      cells: values.map(row => [oneLine(row.on), row.text]),
    }),
    alt,
  });
}

function likeness(rows: NonNullable<ForgettingReportData['cka']>): Figure {
  const values = rows.map(row => ({ layer: row.layer, cka: round6(row.cka) }));
  const title = 'Likeness of hidden states to the base’s';
  const x = {
    field: 'layer',
    type: 'ordinal',
    axis: { title: 'after layer (0: embeddings)', labelAngle: 0, labelOverlap: true },
  };
  const y = { field: 'cka', type: 'quantitative', scale: { domain: [0, 1] }, axis: { title: 'linear CKA', tickCount: 5 } };
  const least = values.reduce((a, b) => (b.cka < a.cka ? b : a));
  const alt = `Least after layer ${least.layer}: ${formatNumber(Number(least.cka.toFixed(3)))}.`;
  return figure({
    kind: 'line',
    title,
    spec: spec({
      title,
      description: `${title}. ${alt}`,
      width: WIDTH,
      height: 130,
      data: { values },
      layer: [
        { mark: { type: 'line', color: PALETTE.blue, strokeWidth: 2 }, encoding: { x, y } },
        { mark: { type: 'point', filled: true, size: 60, opacity: 1, color: PALETTE.blue, tooltip: true }, encoding: { x, y } },
      ],
    }),
    text: textTable({
      title,
      names: ['after layer', 'CKA'],
      numeric: [true, true],
      cells: values.map(row => [String(row.layer), formatNumber(Number(row.cka.toFixed(3)))]),
    }),
    alt,
  });
}

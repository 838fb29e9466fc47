import { BadInput, quote } from '../base/core/index.js';
import { uniqueLabels } from './counts.js';
import { type Figure, figure } from './figure.js';
import { textTable } from './table.js';
import { formatNumber, oneLine, round6 } from './text.js';
import { label, PALETTE, spec, WRITTEN } from './theme.js';

/** One source of a mixture, as `data.mix` reports it. */
export interface MixtureLine {
  source: string;
  available: number;
  drawn: number;
  repeated: number;
  asked: number;
  got: number;
  trainedTokens?: number;
  tokenShare?: number;
}

/** `rows.report` of `data.mix`. */
export interface MixtureSource {
  strategy?: string;
  total?: number;
  lines: readonly MixtureLine[];
}

export interface MixtureOptions {
  title?: string;
  /** Sources shown by name; with more, the smallest become one `other`. Defaults to 20. */
  top?: number;
}

const ASKED = 'share asked';
const GOT = 'share of rows';
const TOKENS = 'share of trained tokens';

/** What a mixture is made of: for each source the share asked and the share got, and how often its rows are repeated. */
export function mixture(report: MixtureSource, options: MixtureOptions = {}): Figure {
  if (!Array.isArray(report?.lines) || report.lines.some(line => line === null || typeof line !== 'object')) {
    throw new BadInput({
      problem: 'a mixture figure needs the report of a mixture',
      expected: 'rows.report of data.mix',
      found: quote(report),
      fix: 'show.mixture(data.mix({…}).report)',
    });
  }
  const { title = 'Mixture', top = 20 } = options;
  const lines = shorten(report.lines.map(clean), top);
  const total = report.lines.reduce((sum, line) => sum + number(line.drawn), 0);
  const withTokens = lines.length > 0 && lines.every(line => line.tokenShare !== undefined);
  const series = [ASKED, GOT, ...(withTokens ? [TOKENS] : [])];
  const alt = describe(lines, total, report.strategy);
  const values = lines.flatMap(line => [
    { source: line.source, series: ASKED, share: round6(line.asked) },
    { source: line.source, series: GOT, share: round6(line.got) },
    ...(withTokens ? [{ source: line.source, series: TOKENS, share: round6(line.tokenShare!) }] : []),
  ]);
  const notes = lines.map(line => ({
    source: line.source,
    share: round6(Math.max(line.asked, line.got, withTokens ? line.tokenShare! : 0)),
    text: `${formatNumber(line.drawn)} rows, ${times(line.repeated)}`,
  }));
  const y = {
    field: 'source',
    type: 'nominal',
    sort: null,
    axis: { title: null, labelPadding: 8 },
    scale: { paddingInner: 0.3 },
  };
  const x = { field: 'share', type: 'quantitative', axis: { title: 'share of the mixture', format: '.0%', tickCount: 5 } };
  const chart = spec({
    title,
    subtitle: alt,
    description: `${label(title, 120)}. ${alt}`,
    width: 360,
    height: Math.max(1, lines.length) * (series.length * 13 + 14),
    // Room for what stands behind the longest bar.
    padding: { left: 5, top: 5, right: 110, bottom: 5 },
    layer: [
      {
        data: { values },
        mark: { type: 'bar', tooltip: true },
        encoding: {
          x: { ...x, stack: null },
          y,
          yOffset: { field: 'series', type: 'nominal', sort: series },
          color: {
            field: 'series',
            type: 'nominal',
            scale: { domain: series, range: [PALETTE.gray, PALETTE.blue, PALETTE.vermillion].slice(0, series.length) },
            legend: { title: null, symbolType: 'square', symbolStrokeWidth: 0 },
          },
        },
      },
      {
        data: { values: notes },
        mark: { ...WRITTEN, align: 'left', baseline: 'middle', dx: 6, fontSize: 11 },
        encoding: { x, y, text: { field: 'text', type: 'nominal' } },
      },
    ],
  });
  return figure({ kind: 'mixture', title, spec: chart, text: asText(title, alt, lines, withTokens), alt });
}

function clean(line: MixtureLine): MixtureLine {
  const { source, available, drawn, repeated, asked, got, trainedTokens, tokenShare } = line;
  return {
    source: String(source),
    available: number(available),
    drawn: number(drawn),
    repeated: number(repeated),
    asked: number(asked),
    got: number(got),
    ...(tokenShare === undefined ? {} : { trainedTokens: number(trainedTokens), tokenShare: number(tokenShare) }),
  };
}

function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

/** All lines in their order; with more than `top` the largest, and the others as one. */
function shorten(lines: readonly MixtureLine[], top: number): MixtureLine[] {
  const sorted = lines.length > top ? [...lines].sort((a, b) => b.got - a.got || b.asked - a.asked) : lines;
  const kept = sorted.slice(0, top);
  const names = uniqueLabels(kept.map(line => line.source));
  const shown = kept.map((line, i) => ({ ...line, source: names[i]! }));
  const rest = sorted.slice(top);
  if (rest.length === 0) return shown;
  const sum = (key: 'available' | 'drawn' | 'asked' | 'got' | 'trainedTokens' | 'tokenShare') =>
    rest.reduce((total, line) => total + (line[key] ?? 0), 0);
  const available = sum('available');
  return [
    ...shown,
    {
      source: `other (${formatNumber(rest.length)})`,
      available,
      drawn: sum('drawn'),
      repeated: available === 0 ? 0 : sum('drawn') / available,
      asked: sum('asked'),
      got: sum('got'),
      ...(rest.every(line => line.tokenShare !== undefined)
        ? { trainedTokens: sum('trainedTokens'), tokenShare: sum('tokenShare') }
        : {}),
    },
  ];
}

function describe(lines: readonly MixtureLine[], total: number, strategy: unknown): string {
  if (lines.length === 0) return 'A mixture of nothing.';
  const how = typeof strategy === 'string' && strategy !== '' ? ` (${label(strategy, 30)})` : '';
  const each = lines
    .slice(0, 4)
    .map(line => `${line.source} ${percent(line.got)}${line.repeated > 1 ? ` (${times(line.repeated)})` : ''}`);
  return `${formatNumber(total)} rows${how}: ${each.join(', ')}${lines.length > 4 ? ', …' : '.'}`;
}

function asText(title: string, alt: string, lines: readonly MixtureLine[], withTokens: boolean): string {
  const names = [
    'source',
    'available',
    'drawn',
    'repeated',
    'asked',
    'got',
    ...(withTokens ? ['trained tokens', 'of tokens'] : []),
  ];
  return textTable({
    title: label(title, 120),
    note: alt,
    names,
    numeric: names.map((_, i) => i > 0),
    cells: lines.map(line => [
      oneLine(line.source),
      formatNumber(line.available),
      formatNumber(line.drawn),
      times(line.repeated),
      percent(line.asked),
      percent(line.got),
      ...(withTokens ? [formatNumber(line.trainedTokens ?? 0), percent(line.tokenShare ?? 0)] : []),
    ]),
  });
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function times(repeated: number): string {
  return `${repeated.toFixed(2)}×`;
}

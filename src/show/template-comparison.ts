import { BadInput, quote } from '../base/core/index.js';
import { drawable, numberAxis } from './axes.js';
import { objects } from './check.js';
import { uniqueLabels } from './counts.js';
import { type Figure, figure } from './figure.js';
import { textTable } from './table.js';
import { formatNumber, oneLine, round6 } from './text.js';
import { label, PALETTE, spec, WRITTEN } from './theme.js';

/** One template, on the same conversations as the others. */
export interface TemplateLine {
  name: string;
  /** Tokens of all conversations together. */
  tokens: number;
  /** Those that carry loss. */
  trained: number;
  /** Those that the template itself wrote and that carry no loss: what it costs. Absent: not told from the text. */
  overhead?: number;
  /** Score after training with it, from 0 to 1, and its interval. */
  score?: number;
  interval?: readonly [low: number, high: number];
}

export interface TemplateComparisonOptions {
  /** Defaults to `Templates compared`. */
  title?: string;
  /** Conversations that were rendered: counts are then means for each. */
  conversations?: number;
  /** Name of the score; defaults to `held-out accuracy`. */
  measure?: string;
  /** Templates shown at most; defaults to 30. */
  top?: number;
}

const TRAINED = 'trained';
const MASKED = 'masked text';
const OVERHEAD = 'template';

/**
 * What templates make of the same conversations: how many tokens, which share of them the template itself writes, which share is
 * trained; and, where models were trained with each, how they score (with intervals, on an axis of their own).
 *
 * @throws BadInput where a template has no counts.
 */
export function templateComparison(lines: readonly TemplateLine[], options: TemplateComparisonOptions = {}): Figure {
  const { title = 'Templates compared', measure = 'held-out accuracy', top = 30 } = options;
  objects(lines, "[{ name: 'chatml', tokens: 120, trained: 40 }]");
  lines.forEach(check);
  const each = Math.max(1, options.conversations ?? 1);
  const shown = lines.slice(0, top);
  const names = uniqueLabels(shown.map(line => line.name));
  const split = shown.every(line => line.overhead !== undefined);
  const kinds = [TRAINED, MASKED, ...(split ? [OVERHEAD] : [])];
  const parts = shown.flatMap((line, i) => {
    const overhead = split ? line.overhead! : 0;
    const counts = [line.trained, Math.max(0, line.tokens - line.trained - overhead), overhead];
    return kinds.map((kind, place) => ({ template: names[i]!, kind, place, tokens: round6(counts[place]! / each) }));
  });
  const ends = shown.map((line, i) => ({
    template: names[i]!,
    tokens: round6(line.tokens / each),
    text: `${formatNumber(round6(line.tokens / each))}, ${percent(line.tokens === 0 ? 0 : line.trained / line.tokens)} trained`,
  }));
  const scores = shown.flatMap((line, i) =>
    drawable(line.score)
      ? [
          {
            template: names[i]!,
            score: round6(line.score),
            text: percent(line.score),
            ...(line.interval?.every(end => drawable(end))
              ? { low: round6(line.interval[0]), high: round6(line.interval[1]) }
              : {}),
          },
        ]
      : [],
  );
  const alt = describe(shown, names, each, measure, lines.length);
  const scale = { domain: names, paddingInner: 0.35 };
  const y = (axis: object | null) => ({ field: 'template', type: 'nominal', sort: null, scale, axis });
  const x = {
    field: 'tokens',
    type: 'quantitative',
    axis: numberAxis(
      ends.map(end => end.tokens),
      { title: options.conversations ? 'tokens of a conversation' : 'tokens' },
    ),
  };
  const bars = {
    width: 260,
    height: { step: 30 },
    layer: [
      {
        data: { values: parts },
        mark: { type: 'bar', tooltip: true },
        encoding: {
          x: { ...x, stack: 'zero' },
          y: y({ title: null, labelPadding: 8 }),
          order: { field: 'place' },
          color: {
            field: 'kind',
            type: 'nominal',
            scale: { domain: kinds, range: [PALETTE.blue, PALETTE.gray, PALETTE.purple].slice(0, kinds.length) },
            legend: { title: null, symbolType: 'square', symbolStrokeWidth: 0 },
          },
        },
      },
      {
        data: { values: ends },
        mark: { ...WRITTEN, align: 'left', baseline: 'middle', dx: 6, fontSize: 11 },
        encoding: { x, y: y({ title: null, labelPadding: 8 }), text: { field: 'text', type: 'nominal' } },
      },
    ],
  };
  const score = {
    field: 'score',
    type: 'quantitative',
    scale: { domain: [0, 1] },
    axis: { title: label(measure, 40), format: '~%', values: [0, 0.25, 0.5, 0.75, 1] },
  };
  const dots = {
    width: 150,
    height: { step: 30 },
    layer: [
      {
        data: { values: scores.filter(line => 'low' in line) },
        mark: { type: 'rule', strokeWidth: 2, color: PALETTE.green },
        encoding: { x: { ...score, field: 'low' }, x2: { field: 'high' }, y: y(null) },
      },
      {
        data: { values: scores },
        mark: { type: 'point', filled: true, size: 90, opacity: 1, color: PALETTE.green, tooltip: true },
        encoding: { x: score, y: y(null) },
      },
    ],
  };
  const body =
    scores.length > 0
      ? { hconcat: [bars, dots], spacing: 40, resolve: { scale: { y: 'independent' } } }
      : { ...bars, padding: { left: 5, top: 5, right: 110, bottom: 5 } };
  return figure({
    kind: 'templateComparison',
    title,
    spec: spec({ title, subtitle: alt, description: `${label(title, 120)}. ${alt}`, ...body }),
    text: textTable({
      title: label(title, 120),
      note: alt,
      names: [
        'template',
        'tokens',
        'trained',
        ...(split ? ['template’s own'] : []),
        ...(scores.length > 0 ? [label(measure, 24)] : []),
      ],
      numeric: [false, true, true, ...(split ? [true] : []), ...(scores.length > 0 ? [true] : [])],
      cells: shown.map((line, i) => [
        oneLine(names[i]!),
        formatNumber(round6(line.tokens / each)),
        formatNumber(round6(line.trained / each)),
        ...(split ? [formatNumber(round6(line.overhead! / each))] : []),
        ...(scores.length > 0 ? [drawable(line.score) ? percent(line.score) : ''] : []),
      ]),
    }),
    alt,
  });
}

function check(line: TemplateLine, index: number): void {
  const counted = [line?.tokens, line?.trained, line?.overhead ?? 0].every(count => drawable(count) && count >= 0);
  // A score that is no number was not measured.
  const scored = !drawable(line?.score) || (line.score >= 0 && line.score <= 1);
  if (counted && scored && typeof line.name === 'string') return;
  throw new BadInput({
    problem: `template ${index} has no name, no counts, or a score that is no share`,
    expected: "{ name: 'chatml', tokens: 120, trained: 40, overhead: 30, score: 0.7 }",
    found: quote(line),
  });
}

function percent(share: number): string {
  return `${formatNumber(Number((100 * share).toFixed(1)))} %`;
}

function describe(lines: readonly TemplateLine[], names: readonly string[], each: number, measure: string, all: number): string {
  if (lines.length === 0) return 'No templates.';
  const order = lines.map((_, i) => i).sort((a, b) => lines[a]!.tokens - lines[b]!.tokens);
  const said = (i: number) => `${names[i]!} ${formatNumber(round6(lines[i]!.tokens / each))}`;
  const lengths = lines.length === 1 ? said(0) : `${said(order[0]!)} (shortest) to ${said(order.at(-1)!)}`;
  const scored = lines.map((line, i) => ({ i, score: line.score })).filter(({ score }) => drawable(score));
  const best = scored.reduce<{ i: number; score?: number } | undefined>((a, b) => (a && a.score! >= b.score! ? a : b), undefined);
  const top = best && scored.length > 1 ? ` Best ${label(measure, 24)}: ${names[best.i]!} (${percent(best.score!)}).` : '';
  const few = lines.length < all ? ` The first ${lines.length} of ${formatNumber(all)} are shown.` : '';
  return `Tokens: ${lengths}.${top}${few}`;
}

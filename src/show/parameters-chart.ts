import { numberAxis } from './axes.js';
import type { VegaLiteSpec } from './figure.js';
import type { Configuration } from './parameters-facts.js';
import { formatNumber, round6 } from './text.js';
import { label, PALETTE, spec, WRITTEN } from './theme.js';

const FROZEN = 'frozen weights';
const TRAINED = 'trained weights';
const GRADIENTS = 'gradients';
const OPTIMIZER = 'optimizer state';
/** What memory holds, in the order of the bars. */
export const SERIES: readonly string[] = [FROZEN, TRAINED, GRADIENTS, OPTIMIZER];
const COLORS = [PALETTE.gray, PALETTE.blue, PALETTE.vermillion, PALETTE.green];

export interface Memory {
  /** Bytes of {@link SERIES}. */
  bytes: readonly number[];
  total: number;
}

/** A configuration and what it takes. */
export type Line = Configuration & Memory;

/** Memory as stacked bars, and the trained share as points on a log axis. */
export function chart(title: string, alt: string, lines: readonly Line[], unit: ByteUnit): VegaLiteSpec {
  const order = lines.map(line => line.label);
  const y = (axis: object | null) => ({
    field: 'label',
    type: 'nominal',
    sort: order,
    axis,
    scale: { type: 'band', paddingInner: 0.35 },
  });
  const axis = { title: null, labelPadding: 8 };
  const height = { step: 30 };
  const stack = lines.flatMap(line =>
    SERIES.map((series, place) => ({ label: line.label, series, place, size: round6(line.bytes[place]! / unit.size) })),
  );
  const totals = lines.map(line => ({ label: line.label, size: round6(line.total / unit.size), text: formatBytes(line.total) }));
  const shares = lines
    .filter(line => line.trainable > 0)
    .map(line => ({
      label: line.label,
      share: round6(line.trainable / line.parameters),
      trained: line.trainable,
      of: line.parameters,
      text: percent(line.trainable / line.parameters),
    }));
  const low = 10 ** Math.floor(Math.log10(shares.reduce((least, line) => Math.min(least, line.share), 0.01)));
  const sizes = totals.map(({ size }) => size);
  const x = {
    field: 'size',
    type: 'quantitative',
    // Vega cannot make an axis of nothing.
    ...(sizes.some(size => size > 0) ? {} : { scale: { domain: [0, 1] } }),
    axis: numberAxis(sizes, { title: unit.name }),
  };
  const share = {
    field: 'share',
    type: 'quantitative',
    // A share from 0.01 % to 100 % needs decades; points, because a bar on a log axis has no foot to stand on.
    scale: { type: 'log', domain: [low, 1] },
    axis: { title: 'of the parameters', format: '~%', values: decades(low) },
  };
  return spec({
    title,
    subtitle: alt,
    description: `${label(title, 120)}. ${alt}`,
    hconcat: [
      {
        title: { text: 'Memory', fontSize: 13, frame: 'group' },
        width: 300,
        height,
        layer: [
          {
            data: { values: stack },
            mark: { type: 'bar', tooltip: true },
            encoding: {
              x: { ...x, stack: 'zero' },
              y: y(axis),
              order: { field: 'place' },
              color: {
                field: 'series',
                type: 'nominal',
                scale: { domain: SERIES, range: COLORS },
                legend: { title: null, symbolType: 'square', symbolStrokeWidth: 0, offset: 14 },
              },
            },
          },
          {
            data: { values: totals },
            mark: { ...WRITTEN, align: 'left', baseline: 'middle', dx: 6, fontSize: 11 },
            encoding: { x, y: y(axis), text: { field: 'text', type: 'nominal' } },
          },
        ],
      },
      {
        title: { text: 'Trained', fontSize: 13, frame: 'group' },
        width: 150,
        height,
        layer: [
          {
            data: { values: shares },
            mark: { type: 'point', filled: true, size: 90, opacity: 1, color: PALETTE.blue, tooltip: true },
            encoding: { x: share, y: y(null) },
          },
          // Labels stand towards the middle of the panel, so that none leaves it.
          ...(['left', 'right'] as const).map(align => ({
            data: { values: shares.filter(line => line.share < Math.sqrt(low) === (align === 'left')) },
            mark: { ...WRITTEN, align, dx: align === 'left' ? 10 : -10, baseline: 'middle', fontSize: 11 },
            encoding: { x: share, y: y(null), text: { field: 'text', type: 'nominal' } },
          })),
        ],
      },
    ],
    spacing: 40,
    resolve: { scale: { y: 'independent' } },
  });
}

/** Labels of a log axis from 100 % down, at most five of them. */
function decades(low: number): number[] {
  const count = 1 - Math.round(Math.log10(low));
  const step = Math.ceil(count / 4);
  return Array.from({ length: Math.ceil(count / step) }, (_, i) => round6(10 ** (-i * step))).reverse();
}

/** A power of a thousand bytes. */
export interface ByteUnit {
  size: number;
  name: string;
}

/** The largest unit of which there is at least one. */
export function byteUnit(bytes: number): ByteUnit {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const at = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3 + 1e-12));
  return { size: 1000 ** at, name: units[at]! };
}

/** Three digits and a unit. */
export function formatBytes(bytes: number): string {
  if (bytes === 0) return '0';
  const unit = byteUnit(bytes);
  return `${formatNumber(Number((bytes / unit.size).toPrecision(3)))} ${unit.name}`;
}

/** Two digits that mean something, from 100 % down to 0.0012 %. */
export function percent(share: number): string {
  const value = 100 * share;
  return `${value === 0 || value === 100 ? value : Number(value.toPrecision(value > 99 ? 4 : 2))} %`;
}

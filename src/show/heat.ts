import { textWidth } from './text.js';
import { label, PALETTE } from './theme.js';

/** A cell of a heat map: its place by the texts of its row and column, its value, and the text written into it. */
export interface HeatCell {
  row: string;
  column: string;
  value: number;
  text: string;
  [more: string]: string | number;
}

export interface HeatOptions {
  rows: readonly string[];
  columns: readonly string[];
  /** Titles of the axes, and of the values. */
  rowTitle: string | null;
  columnTitle: string | null;
  valueTitle: string;
  /** Ends of the colours. */
  domain: readonly [number, number];
  log?: boolean;
  /** d3 format of the legend and the tooltip. */
  format: string;
  /** Fields of the tooltip after row, column and value. */
  more?: readonly { field: string; title: string }[];
  /** Largest width and height of the cells together, in pixels. */
  room?: { width: number; height: number };
  /** Column labels stand upright unless they are short. */
  upright?: boolean;
}

/** Viridis: even steps of lightness, told apart under every colour blindness, and opaque, so that it means the same on black. */
const COLOURS = 'viridis';
/** Where on it black letters become easier to read than white ones: both have a contrast of 4.5:1 or more on their side. */
const TURN = 0.44;

/** Rows and columns of coloured cells, with their values written in where there is room; the pointer outlines a cell. */
export function heatMap(cells: readonly HeatCell[], options: HeatOptions): Record<string, unknown> {
  const { rows, columns, domain, log = false, room = { width: 520, height: 460 } } = options;
  const width = Math.max(8, Math.min(64, Math.floor(room.width / Math.max(1, columns.length))));
  const height = Math.max(4, Math.min(28, Math.floor(room.height / Math.max(1, rows.length))));
  const longest = columns.reduce((most, name) => Math.max(most, name.length), 0);
  const upright = options.upright ?? longest * 6 > width;
  const axis = { labelPadding: 6, domain: false, ticks: false };
  const x = {
    field: 'column',
    type: 'nominal',
    sort: null,
    scale: { domain: columns, paddingInner: 0.04, paddingOuter: 0 },
    axis: {
      ...axis,
      labelOverlap: upright ? width < 14 : true,
      title: options.columnTitle,
      labelAngle: upright ? -45 : 0,
      ...(upright ? { labelAlign: 'right' } : {}),
    },
  };
  const y = {
    field: 'row',
    type: 'nominal',
    sort: null,
    scale: { domain: rows, paddingInner: 0.06, paddingOuter: 0 },
    axis: { ...axis, labelOverlap: height < 12, title: options.rowTitle },
  };
  const turn = log ? domain[0] * (domain[1] / domain[0]) ** TURN : domain[0] + TURN * (domain[1] - domain[0]);
  const written = width >= 30 && height >= 15 && cells.every(cell => cell.text.length * 6 <= width);
  return {
    width: width * Math.max(1, columns.length),
    height: height * Math.max(1, rows.length),
    data: { values: cells },
    layer: [
      {
        params: [{ name: 'cell', select: { type: 'point', on: 'pointerover', clear: 'pointerout' } }],
        mark: { type: 'rect', strokeWidth: 2 },
        encoding: {
          x,
          y,
          color: {
            field: 'value',
            type: 'quantitative',
            scale: { scheme: COLOURS, domain, clamp: true, ...(log ? { type: 'log' } : {}) },
            legend: {
              title: label(options.valueTitle, 40),
              orient: 'right',
              direction: 'vertical',
              // The title of the columns is centred below them, and may be wider than they are.
              offset: Math.max(18, (textWidth(options.columnTitle ?? '', 12) - width * columns.length) / 2 + 12),
              gradientLength: Math.max(60, Math.min(160, height * rows.length)),
              format: options.format,
              tickCount: 4,
            },
          },
          stroke: { condition: { param: 'cell', empty: false, value: PALETTE.vermillion }, value: null },
          tooltip: [
            { field: 'row', type: 'nominal', title: label(options.rowTitle ?? 'row', 40) },
            { field: 'column', type: 'nominal', title: label(options.columnTitle ?? 'column', 40) },
            { field: 'value', type: 'quantitative', title: label(options.valueTitle, 40), format: options.format },
            ...(options.more ?? []).map(({ field, title }) => ({ field, type: 'nominal', title })),
          ],
        },
      },
      ...(written
        ? [
            {
              mark: { type: 'text', fontSize: 11, baseline: 'middle' },
              encoding: {
                x,
                y,
                text: { field: 'text', type: 'nominal' },
                color: { condition: { test: { field: 'value', gt: turn }, value: '#000000' }, value: '#ffffff' },
              },
            },
          ]
        : []),
    ],
  };
}

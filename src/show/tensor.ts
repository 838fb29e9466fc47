import type { TensorLike } from '../base/core/index.js';
import { type Figure, figure } from './figure.js';
import { cut, formatNumber, oneLine, round6, sparkline } from './text.js';
import { label, spec } from './theme.js';

export interface TensorOptions {
  /** Name shown before the shape, e.g. a parameter's. */
  title?: string;
}

/** Values read of one tensor at most: 64 MB of float32, which is copied out of the backend. */
const READ = 1 << 24;
/** Cells of the heat map along its two sides. */
const ROWS = 24;
const COLUMNS = 48;
/** Values written out in the text form. */
const WRITTEN = 12;

/**
 * A tensor at a glance: shape, dtype, range, mean and how many values are not finite, with a small heat map. The values are
 * copied out of the backend, up to 16.8 million of them; of larger and of disposed tensors the shape is said.
 * @param values the tensor's values in row-major order, where they could be read
 */
export function tensor(
  facts: Pick<TensorLike, 'shape' | 'dtype' | 'size' | 'isDisposed'>,
  values?: ArrayLike<unknown>,
  options: TensorOptions = {},
): Figure {
  const head = heading(facts, options);
  if (facts.isDisposed) return words(head, 'disposed: its memory was freed, its values are gone');
  if (facts.size === 0) return words(head, 'empty');
  if (!values) return words(head, `${formatNumber(facts.size)} values, too many to be looked at here`);
  if (typeof values[0] === 'string')
    return words(
      head,
      written(values, text => JSON.stringify(cut(oneLine(String(text)), 60))),
    );
  // tfjs keeps a complex tensor as two, and reads them as pairs.
  if (facts.dtype === 'complex64') return words(head, `${written(values, number)} (real, imaginary, real, …)`);
  const numbers = values as ArrayLike<number>;
  if (facts.size === 1) return words(head, number(numbers[0]));
  return chart(head, facts.shape, numbers);
}

/** {@link tensor}, with the values read. */
export async function readTensor(value: TensorLike, options: TensorOptions = {}): Promise<Figure> {
  const readable = !value.isDisposed && value.size > 0 && value.size <= READ;
  return tensor(value, readable ? await value.data() : undefined, options);
}

/** {@link readTensor} without waiting; a backend that cannot read at once (WebGPU) has its shape shown. */
export function peekTensor(value: TensorLike, options: TensorOptions = {}): Figure {
  const readable = !value.isDisposed && value.size > 0 && value.size <= READ;
  let values: ArrayLike<unknown> | undefined;
  try {
    values = readable ? value.dataSync() : undefined;
  } catch {
    return words(heading(value, options), 'its values cannot be read without waiting');
  }
  return tensor(value, values, options);
}

function heading({ shape, dtype }: Pick<TensorLike, 'shape' | 'dtype'>, { title }: TensorOptions): string {
  return `${title === undefined ? 'Tensor' : label(title, 80)} [${label(shape.join(', '), 80)}] ${label(dtype, 20)}`;
}

function words(head: string, rest: string): Figure {
  const text = `${head}: ${rest}`;
  return figure({ kind: 'tensor', title: head, text, alt: `${text}.` });
}

function number(value: unknown): string {
  return typeof value === 'boolean' ? String(value) : formatNumber(Number(value));
}

function written(values: ArrayLike<unknown>, show: (value: unknown) => string): string {
  const first = Array.from({ length: Math.min(WRITTEN, values.length) }, (_, i) => show(values[i]));
  return `${first.join(', ')}${values.length > WRITTEN ? ', …' : ''}`;
}

interface Summary {
  low: number;
  high: number;
  mean: number;
  std: number;
  nan: number;
  infinite: number;
}

function summary(values: ArrayLike<number>): Summary {
  let [low, high, sum, nan, infinite, n] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0, 0, 0];
  for (let i = 0; i < values.length; i++) {
    const v = Number(values[i]);
    if (Number.isNaN(v)) nan++;
    else if (!Number.isFinite(v)) infinite++;
    else {
      n++;
      sum += v;
      if (v < low) low = v;
      if (v > high) high = v;
    }
  }
  const mean = sum / n;
  let squares = 0;
  for (let i = 0; i < values.length; i++) if (Number.isFinite(Number(values[i]))) squares += (Number(values[i]) - mean) ** 2;
  return { low, high, mean, std: Math.sqrt(squares / n), nan, infinite };
}

function describe({ low, high, mean, std, nan, infinite }: Summary): string {
  const range = low <= high ? `${number(low)} … ${number(high)}, mean ${number(mean)}, std ${number(std)}` : 'no finite value';
  const bad = [nan > 0 ? `${formatNumber(nan)} NaN` : '', infinite > 0 ? `${formatNumber(infinite)} infinite` : ''];
  return [range, ...bad.filter(Boolean)].join(', ');
}

interface Grid {
  /** Values per cell along both sides. */
  block: [rows: number, columns: number];
  cells: { row: number; column: number; value: number | null; bad: number }[];
  /** Where the matrix shown begins, when the tensor has more than two axes. */
  slice: string | undefined;
}

/** The last two axes (of the first slice) as a grid; where it is too large, a cell is the mean of a block's finite values. */
function grid(shape: readonly number[], values: ArrayLike<number>): Grid {
  const columns = shape.at(-1)!;
  const rows = shape.length > 1 ? shape.at(-2)! : 1;
  const block: [number, number] = [Math.ceil(rows / ROWS), Math.ceil(columns / COLUMNS)];
  const cells: Grid['cells'] = [];
  for (let top = 0; top < rows; top += block[0]) {
    for (let left = 0; left < columns; left += block[1]) {
      let [sum, n, bad] = [0, 0, 0];
      for (let r = top; r < Math.min(rows, top + block[0]); r++) {
        for (let c = left; c < Math.min(columns, left + block[1]); c++) {
          const v = Number(values[r * columns + c]);
          if (Number.isFinite(v)) [sum, n] = [sum + v, n + 1];
          else bad++;
        }
      }
      cells.push({ row: top, column: left, value: n > 0 ? round6(sum / n) : null, bad });
    }
  }
  const leading = shape.slice(0, -2);
  return { block, cells, slice: leading.some(n => n > 1) ? `[${leading.map(() => 0).join(', ')}]` : undefined };
}

function chart(head: string, shape: readonly number[], values: ArrayLike<number>): Figure {
  const facts = summary(values);
  const said = describe(facts);
  const { block, cells, slice } = grid(shape, values);
  const subtitle = slice === undefined ? said : `${said} – the slice ${slice}`;
  const alt = `${head}: ${said}.`;
  // A cell of a long row is small, one of a small matrix is not huge.
  const across = new Set(cells.map(cell => cell.column)).size;
  const down = cells.length / across;
  const side = Math.max(9, Math.min(26, Math.floor(430 / across), Math.floor(300 / down)));
  const axis = (name: string, count: number, size: number) => ({
    title: size > 1 ? `${name} (a cell is the mean of ${size})` : name,
    axis: {
      labelAngle: 0,
      // A round distance between labels, in whole cells so that each meets one.
      ...(count > 12 ? { labelExpr: `+datum.label % ${size * Math.ceil(count / 8)} === 0 ? datum.label : ''` } : {}),
      ticks: false,
      domain: false,
    },
  });
  const finite = facts.low <= facts.high;
  const bound = finite ? round6(Math.max(Math.abs(facts.low), Math.abs(facts.high))) || 1 : 1;
  const scale =
    facts.low < 0 && facts.high > 0
      ? { scheme: 'blueorange', domain: [-bound, bound], reverse: true }
      : { scheme: 'blues', domain: facts.low < facts.high ? [round6(facts.low), round6(facts.high)] : [0, bound] };
  const encoding = {
    x: { field: 'column', type: 'ordinal', ...axis('column', across, block[1]) },
    y: { field: 'row', type: 'ordinal', ...(shape.length > 1 ? axis('row', down, block[0]) : { axis: null }) },
    tooltip: [
      { field: 'row', type: 'ordinal' },
      { field: 'column', type: 'ordinal' },
      { field: 'value', type: 'quantitative', format: '.4g' },
      { field: 'bad', type: 'quantitative', title: 'not finite' },
    ],
  };
  return figure({
    kind: 'tensor',
    title: head,
    spec: spec({
      title: head,
      subtitle,
      description: alt,
      data: { values: cells },
      // A heading is wider than a small matrix, and its width is only estimated where no font is at hand.
      padding: { left: 10, top: 10, right: 40, bottom: 10 },
      width: side * across,
      height: side * down,
      layer: [
        {
          transform: [{ filter: 'isValid(datum.value)' }],
          mark: { type: 'rect' },
          encoding: {
            ...encoding,
            color: {
              field: 'value',
              type: 'quantitative',
              title: null,
              legend: finite
                ? { orient: 'right', direction: 'vertical', gradientLength: Math.max(50, side * down), format: '.3~g' }
                : null,
              scale,
            },
          },
        },
        {
          transform: [{ filter: 'datum.bad > 0' }],
          mark: { type: 'point', shape: 'cross', angle: 45, filled: true, size: 5 * side, color: '#d55e00' },
          encoding,
        },
      ],
    }),
    text: `${alt}\n${sketch(values)}`,
    alt,
  });
}

function sketch(values: ArrayLike<number>): string {
  const first = written(values, number);
  return values.length > WRITTEN ? `${first}\n${sparkline(Array.from(values as ArrayLike<number>).slice(0, 100_000))}` : first;
}

import { BadInput, quote } from '../base/core/index.js';
import { drawable, leftOut } from './axes.js';
import { objects } from './check.js';
import { uniqueLabels } from './counts.js';
import { type Figure, figure } from './figure.js';
import { type HeatCell, heatMap } from './heat.js';
import { textTable } from './table.js';
import { formatNumber, round6 } from './text.js';
import { label, spec } from './theme.js';

/** How far one weight went. */
export interface DriftRow {
  /** Its Hugging Face name, e.g. `model.layers.3.self_attn.q_proj.weight`. */
  name: string;
  /** E.g. the norm of the change over the norm of the weight. */
  drift: number;
}

export interface DriftOptions {
  /** Defaults to `Drift of the weights`. */
  title?: string;
  /** Name of the values; defaults to `relative change`. */
  measure?: string;
  /** Logarithmic colours; values at or below 0 are then left out. Default: where the largest is over a hundred times the smallest. */
  log?: boolean;
  /** Most pixels of a row of cells; defaults to 520. */
  width?: number;
}

const OUTSIDE = 'outside';

/**
 * How far each weight matrix went in training, by layer (rows, the first at the bottom) and matrix (columns). Weights outside the
 * layers – embeddings, the last norm, the head – have a row of their own at the top. Weights with one place, such as a matrix and
 * its bias, are shown as the larger of the two.
 *
 * @throws BadInput where a row has no name.
 */
export function drift(rows: readonly DriftRow[], options: DriftOptions = {}): Figure {
  const { title = 'Drift of the weights', measure = 'relative change' } = options;
  objects(rows, "[{ name: 'model.layers.0.self_attn.q_proj.weight', drift: 0.01 }]");
  const log = options.log ?? spans(rows.map(row => row.drift));
  const places = new Map<string, { layer: number; matrix: string; drift: number; name: string }>();
  let lost = 0;
  for (const [index, row] of rows.entries()) {
    if (typeof row?.name !== 'string')
      throw new BadInput({
        problem: `drift ${index} has no name`,
        expected: "{ name: 'model.layers.0.self_attn.q_proj.weight', drift: 0.01 }",
        found: quote(row),
      });
    if (!drawable(row.drift, log)) {
      lost++;
      continue;
    }
    const { layer, matrix } = placeOf(row.name);
    const key = `${layer}\0${matrix}`;
    const there = places.get(key);
    if (!there || there.drift < row.drift) places.set(key, { layer, matrix, drift: row.drift, name: row.name });
  }
  const all = [...places.values()];
  const layers = [...new Set(all.map(place => place.layer))].sort((a, b) => b - a);
  const nameOfLayer = (layer: number) => (layer === Number.POSITIVE_INFINITY ? OUTSIDE : `layer ${layer}`);
  const matrices = [...new Set(all.map(place => place.matrix))];
  const inside = matrices.filter(matrix =>
    all.some(place => place.matrix === matrix && place.layer !== Number.POSITIVE_INFINITY),
  );
  const ordered = [...inside, ...matrices.filter(matrix => !inside.includes(matrix))].slice(0, COLUMNS);
  const columns = uniqueLabels(ordered, 26);
  const cells: HeatCell[] = all
    .filter(place => ordered.includes(place.matrix))
    .map(place => ({
      row: nameOfLayer(place.layer),
      column: columns[ordered.indexOf(place.matrix)]!,
      value: round6(place.drift),
      text: short(place.drift),
      name: label(place.name, 90),
    }));
  const values = all.map(place => place.drift);
  const [low, high] = [
    values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY),
    values.reduce((a, b) => Math.max(a, b), 0),
  ];
  const domain: [number, number] =
    values.length === 0 ? [0.1, 1] : log ? [low, high > low ? high : low * 10] : [Math.min(0, low), high || 1];
  const alt = describe(all, measure, lost, log, matrices.length);
  return figure({
    kind: 'drift',
    title,
    spec: spec({
      title,
      subtitle: alt,
      description: `${label(title, 120)}. ${alt}`,
      ...heatMap(cells, {
        rows: layers.map(nameOfLayer),
        columns,
        rowTitle: null,
        columnTitle: null,
        valueTitle: measure,
        domain: [round6(domain[0]), round6(domain[1])],
        log,
        format: '.2~g',
        more: [{ field: 'name', title: 'weight' }],
        ...(options.width === undefined ? {} : { room: { width: options.width, height: 460 } }),
      }),
    }),
    text: textTable({
      title: label(title, 120),
      note: alt,
      names: ['weight', label(measure, 40)],
      numeric: [false, true],
      cells: [...all]
        .sort((a, b) => b.drift - a.drift)
        .slice(0, 20)
        .map(place => [label(place.name, 60), formatNumber(round6(place.drift))]),
    }),
    alt,
  });
}

/** Kinds of matrices shown at most. */
const COLUMNS = 40;

/** `model.layers.3.self_attn.q_proj.weight` is layer 3, `q_proj`; a name without a number is outside the layers. */
function placeOf(name: string): { layer: number; matrix: string } {
  const parts = name.replace(/\.(weight|bias)$/, '').split('.');
  const at = parts.findIndex((part, i) => i > 0 && /^\d{1,6}$/.test(part) && /^(layers?|h|block|blocks)$/.test(parts[i - 1]!));
  if (at < 0) return { layer: Number.POSITIVE_INFINITY, matrix: parts.at(-1) || name };
  const rest = parts.slice(at + 1).filter(part => !/^(self_attn|attn|attention|mlp|default)$/.test(part));
  return { layer: Number(parts[at]), matrix: rest.join('.') || parts.at(-1)! };
}

function short(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  const digits = size < 1e-3 || size >= 1e3 ? size.toExponential(0).replace('e+', 'e') : `${Number(size.toPrecision(2))}`;
  return value < 0 ? `−${digits}` : digits;
}

function spans(values: readonly number[]): boolean {
  const positive = values.filter(value => drawable(value, true));
  if (positive.length === 0) return false;
  return positive.reduce((a, b) => Math.max(a, b)) > 100 * positive.reduce((a, b) => Math.min(a, b));
}

function describe(
  all: readonly { matrix: string; layer: number; drift: number; name: string }[],
  measure: string,
  lost: number,
  log: boolean,
  matrices: number,
): string {
  const missing = leftOut(lost, 'weight', log);
  if (all.length === 0) return `No weights.${missing}`;
  const mean = all.reduce((sum, place) => sum + place.drift / all.length, 0);
  const most = all.reduce((a, b) => (b.drift > a.drift ? b : a));
  const few = matrices > COLUMNS ? ` The first ${COLUMNS} kinds of ${formatNumber(matrices)} are drawn.` : '';
  return `${formatNumber(all.length)} matrices, mean ${label(measure, 30)} ${formatNumber(round6(mean))}; most in ${label(most.name, 60)} (${formatNumber(round6(most.drift))}).${few}${missing}`;
}

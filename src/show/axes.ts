import { formatNumber } from './text.js';
import { label } from './theme.js';

/**
 * A quantitative axis over `values`: thousands as 12k, very small and very large ones with an exponent, so that a tick never
 * has three hundred digits. Both label expressions are constants of ours: nothing of the data is read as an expression.
 */
export function numberAxis(values: Iterable<number>, axis: Record<string, unknown> = {}): Record<string, unknown> {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) if (drawable(value)) [low, high] = [Math.min(low, value), Math.max(high, value)];
  const most = low <= high ? Math.max(-low, high) : 0;
  // Of values that differ in a late digit alone six digits would all read the same.
  const late = low < high && high - low < 1e-4 * most ? '.12' : '';
  const format = most === 0 ? '~g' : most < 1e-3 || most >= 1e15 ? `${late}~e` : late ? ',.12~g' : most >= 1e4 ? '~s' : '~g';
  // Beside thousands stand, on a logarithmic axis, parts of one: 0.01 and not 10m.
  const written =
    format === '~s' ? "format(datum.value, abs(datum.value) < 1 ? '~g' : '~s')" : `format(datum.value, '${format}')`;
  return { labelExpr: `datum.value === 0 ? '0' : ${written}`, tickCount: 5, ...axis };
}

/**
 * A logarithmic axis with ticks at 1, 2 and 5 of every decade, or at fewer where there are many decades: vega would draw a line for each
 * of 1 to 9. Within one decade it chooses well.
 */
export function logAxis(values: Iterable<number>, axis: Record<string, unknown> = {}): Record<string, unknown> {
  const all = [...values];
  const { tickCount, ...given } = { ...numberAxis(all), tickCount: 6, ...axis };
  const ticks = logTicks(all, 2 + Number(tickCount));
  // Of values that are given vega would leave some out to come near a count.
  return ticks.length >= 2 ? { ...given, values: ticks, labelOverlap: false } : { ...given, tickCount };
}

/** Round numbers between the least value and the largest, at most so many. */
function logTicks(values: readonly number[], most: number): number[] {
  let [low, high] = [Number.POSITIVE_INFINITY, 0];
  for (const value of values) if (drawable(value, true)) [low, high] = [Math.min(low, value), Math.max(high, value)];
  if (!(low < high)) return [];
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const ticks = (digits: readonly number[], every: number) =>
    Array.from({ length: last - first + 1 }, (_, i) => first + i)
      .filter(decade => decade % every === 0)
      .flatMap(decade => digits.map(digit => Number(`${digit}e${decade}`)))
      .filter(tick => tick >= low && tick <= high);
  const denser = [ticks([1, 2, 5], 1), ticks([1, 5], 1)].find(found => found.length <= most);
  if (denser) return denser;
  for (let every = 1; ; every++) {
    const found = ticks([1], every);
    if (found.length <= most) return found;
  }
}

/** An axis of optimizer steps, or of whatever else is counted along a run. */
export function stepAxis(shown: boolean, title = 'optimizer step'): Record<string, unknown> {
  return { title: shown ? label(title) : null, labels: shown, grid: false, tickCount: 8, ...wholeTicks('~s') };
}

/**
 * Ticks at whole numbers only, labelled in a d3 format of ours. Early vega-lite 5 (JupyterLab's 5.6) and 6 heed `tickMinStep`; late
 * 5 drops it, and sets it itself where the format is `d`, which the label expression then takes the place of. On an axis whose ends follow
 * a brush none does: there what stands between whole numbers has no label.
 */
export function wholeTicks(format: ',' | '~s' = ','): Record<string, unknown> {
  return { tickMinStep: 1, format: 'd', labelExpr: `datum.value % 1 === 0 ? format(datum.value, '${format}') : ''` };
}

/**
 * A quantitative scale over `values` with a little room at both ends (a share of their distance, or of a decade), so that marks at
 * the ends stand whole. Of no values it runs from 0 to 1: vega cannot make an axis of nothing.
 */
export function numberScale(values: Iterable<number>, options: { log?: boolean; room?: number } = {}): Record<string, unknown> {
  const { log = false, room = 0.05 } = options;
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    if (!drawable(value, log)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const shape = { ...(log ? { type: 'log' } : { zero: false }), nice: false };
  if (low > high) return { ...shape, domain: log ? [1, 10] : [0, 1] };
  if (log) {
    const factor = low === high ? 2 : Math.min((high / low) ** room, 10);
    return { ...shape, domain: [low / factor, high * factor] };
  }
  const margin = low === high ? Math.abs(low) / 10 || 1 : room * (high - low);
  return { ...shape, domain: [low - margin, high + margin] };
}

/** The ends of an axis of shares: 0 and 1, or farther where a value lies beyond, as a difference or a bound of an interval may. */
export function shareEnds(values: Iterable<number>): [number, number] {
  let [low, high] = [0, 1];
  for (const value of values) if (drawable(value)) [low, high] = [Math.min(low, value), Math.max(high, value)];
  return [low, high];
}

/** Numbers larger than this, and positive ones smaller than its inverse, leave no room for the arithmetic of an axis. */
const LARGEST = 1e300;

/** Whether a number can be drawn on a linear or on a logarithmic axis. */
export function drawable(value: unknown, log = false): value is number {
  return typeof value === 'number' && Math.abs(value) <= LARGEST && (!log || value >= 1 / LARGEST);
}

/** Said at the end of a description: what could not be drawn. Empty where nothing is missing. */
export function leftOut(count: number, what: string, log = false): string {
  if (count === 0) return '';
  return ` ${formatNumber(count)} ${what}${count === 1 ? '' : 's'} without a ${log ? 'positive ' : ''}value that can be drawn left out.`;
}

/** A click on a name in the legend lets its marks stand out (with the shift key several). */
export function legendFilter(name: string, field: string): { param: object; opacity: object } {
  return {
    param: { name, select: { type: 'point', fields: [field] }, bind: 'legend' },
    opacity: { condition: { param: name, value: 1 }, value: 0.12 },
  };
}

/**
 * The name of a part of a chart that answers the pointer and shows nothing without it. Pictures are drawn without such parts
 * (`withoutTouch`): a thousand invisible marks would take most of their time.
 */
export function touch(name: string): string {
  return `${TOUCH}${name}`;
}

const TOUCH = 'touch_';

/** A spec without what answers the pointer alone, and without scales that follow a brush: for pictures. The spec is left as it is. */
export function withoutTouch<T>(spec: T): T {
  if (Array.isArray(spec)) return spec.filter(part => !isTouch(part)).map(withoutTouch) as T;
  if (spec === null || typeof spec !== 'object') return spec;
  const kept: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(spec)) {
    if (key === 'values' || key === 'datasets' || key === 'config') kept[key] = value;
    else if (key === 'domain' && isObject(value) && String(value.param).startsWith(TOUCH)) continue;
    else kept[key] = withoutTouch(value);
  }
  return kept as T;
}

function isTouch(part: unknown): boolean {
  return isObject(part) && typeof part.name === 'string' && part.name.startsWith(TOUCH) && ('mark' in part || 'layer' in part);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

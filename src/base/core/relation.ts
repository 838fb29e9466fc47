/** How two measurements go together: their rank correlation, and a polynomial through them. */

/** Spearman's rank correlation, ties at their mean rank; NaN for fewer than three pairs or without any variation. */
export function spearman(a: readonly number[], b: readonly number[]): number {
  if (a.length < 3) return Number.NaN;
  const [x, y] = [ranks(a), ranks(b)];
  const mean = (a.length + 1) / 2;
  let [xy, xx, yy] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    xy += (x[i]! - mean) * (y[i]! - mean);
    xx += (x[i]! - mean) ** 2;
    yy += (y[i]! - mean) ** 2;
  }
  return xx === 0 || yy === 0 ? Number.NaN : xy / Math.sqrt(xx * yy);
}

function ranks(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((i, j) => values[i]! - values[j]!);
  const rank = new Array<number>(values.length);
  for (let start = 0; start < order.length; ) {
    let end = start;
    while (end + 1 < order.length && values[order[end + 1]!] === values[order[start]!]) end++;
    for (let k = start; k <= end; k++) rank[order[k]!] = (start + end) / 2 + 1;
    start = end + 1;
  }
  return rank;
}

/**
 * Coefficient of determination: 1 − Σ(y − predicted)² ÷ Σ(y − mean)². 1 where every prediction is right, 0 where they are no better than the
 * mean of y, below 0 where they are worse (of points that the prediction was not fitted to); NaN where y does not vary.
 */
export function rSquared(y: readonly number[], predicted: readonly number[]): number {
  const mean = y.reduce((sum, value) => sum + value, 0) / y.length;
  const total = y.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const left = y.reduce((sum, value, i) => sum + (value - predicted[i]!) ** 2, 0);
  return total === 0 ? Number.NaN : 1 - left / total;
}

/** A polynomial through points. */
export interface PolynomialFit {
  /** The curve at a place. */
  at(x: number): number;
  /** {@link rSquared} over the points it was fitted to. */
  r2: number;
}

/**
 * The polynomial of a degree with the least squared error. NaN everywhere when there are too few different x to determine it. (By polynomials
 * that are orthogonal over the points, Forsythe 1957: no system of equations to solve, and none that is nearly singular.)
 */
export function polynomialFit(x: readonly number[], y: readonly number[], degree = 1): PolynomialFit {
  const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
  const terms: { shift: number; weight: number; coefficient: number }[] = [];
  let [before, now] = [x.map(() => 0), x.map(() => 1)];
  let last = 1;
  for (let k = 0; k <= degree; k++) {
    const norm = dot(now, now);
    const enough = new Set(x).size > k;
    const times = x.map((value, i) => value * now[i]!);
    const term = {
      shift: dot(times, now) / norm,
      weight: k === 0 ? 0 : norm / last,
      coefficient: enough ? dot(y, now) / norm : Number.NaN,
    };
    terms.push(term);
    [before, now, last] = [now, x.map((value, i) => (value - term.shift) * now[i]! - term.weight * before[i]!), norm];
  }
  const at = (place: number) => {
    let [value, older, newer] = [0, 0, 1];
    for (const { shift, weight, coefficient } of terms) {
      value += coefficient * newer;
      [older, newer] = [newer, (place - shift) * newer - weight * older];
    }
    return value;
  };
  return { at, r2: rSquared(y, x.map(at)) };
}

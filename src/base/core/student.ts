import { BadInput, quote } from './errors.js';
import { incompleteBeta } from './incomplete-beta.js';

/** P(T ≤ t) of Student's distribution with `df` degrees of freedom. */
export function studentCdf(t: number, df: number): number {
  const tail = 0.5 * incompleteBeta(df / (df + t * t), df / 2, 0.5);
  return t > 0 ? 1 - tail : tail;
}

/** Two-sided p-value of a t statistic. */
export function studentP(t: number, df: number): number {
  if (Number.isNaN(t)) return Number.NaN;
  return Number.isFinite(t) ? incompleteBeta(df / (df + t * t), df / 2, 0.5) : 0;
}

/** The t below which a share `p` of Student's distribution lies; p in (0, 1). */
export function studentQuantile(p: number, df: number): number {
  if (!(p > 0 && p < 1 && df > 0))
    throw new BadInput({
      problem: 'There is no such quantile of the t distribution',
      expected: 'a share between 0 and 1 and degrees of freedom above 0',
      found: quote([p, df]),
    });
  if (p === 0.5) return 0;
  if (p < 0.5) return -studentQuantile(1 - p, df);
  // Bisection in log space: the quantile may be 1 or, with one degree of freedom, a million.
  let [low, high] = [0, 1];
  while (studentCdf(high, df) < p) [low, high] = [high, 2 * high];
  for (let i = 0; i < 200 && high - low > 1e-14 * high; i++) {
    const middle = (low + high) / 2;
    if (studentCdf(middle, df) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

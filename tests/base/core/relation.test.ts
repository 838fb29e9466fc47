import { describe, expect, test } from 'vitest';
import { polynomialFit, rSquared, spearman } from '../../../src/base/core/index.js';

describe('rank correlation', () => {
  test('is 1 for any rising curve, −1 for a falling one', () => {
    expect(spearman([1, 2, 3], [10, 100, 1000])).toBe(1);
    expect(spearman([1, 2, 3, 4], [4, 3, 2, 1])).toBe(-1);
  });

  test('gives ties their mean rank', () => {
    expect(spearman([1, 2, 2, 3], [1, 3, 2, 4])).toBeCloseTo(0.9487, 4);
  });

  test('is NaN without variation, or for two points', () => {
    expect(spearman([1, 1, 1], [1, 2, 3])).toBeNaN();
    expect(spearman([1, 2], [1, 2])).toBeNaN();
  });
});

describe('a polynomial through points', () => {
  const x = [1, 2, 4, 7, 11];
  const y = [2, 3, 3, 6, 5];

  // numpy.polyfit
  test.each([
    [1, 0.6790123456790121, 3.8],
    [2, 0.8281964948631616, 4.538461538461538],
  ])('of degree %i equals numpy', (degree, r2, at5) => {
    const fit = polynomialFit(x, y, degree);
    expect(fit.r2).toBeCloseTo(r2, 12);
    expect(fit.at(5)).toBeCloseTo(at5, 12);
  });

  test('finds a parabola far from zero', () => {
    const far = [1000, 1001, 1002, 1004];
    const fit = polynomialFit(
      far,
      far.map(value => 3 * (value - 1001) ** 2 - 2),
      2,
    );
    expect(fit.r2).toBeCloseTo(1, 10);
    expect(fit.at(1003)).toBeCloseTo(10, 6);
  });

  test('is NaN where the points do not determine it', () => {
    expect(polynomialFit([1, 1, 2], [1, 2, 3], 2).at(1)).toBeNaN();
    expect(polynomialFit([3, 3], [1, 2]).r2).toBeNaN();
  });

  test('R² of predictions from elsewhere may be below 0, and is NaN where nothing varies', () => {
    expect(rSquared([1, 2, 3], [2, 2, 2])).toBe(0);
    expect(rSquared([1, 2, 3], [3, 2, 1])).toBe(-3);
    expect(rSquared([2, 2], [1, 3])).toBeNaN();
  });
});

import { BadInput, quote, studentQuantile } from '../../../base/core/index.js';

/**
 * The smallest true mean difference that a paired t test finds: (t₁₋α⁄₂ + t_power) · sd / √n, with n − 1 degrees of freedom (Bloom
 * 1995). What is smaller may be there and still not be seen.
 * @param options.sd standard deviation of the paired differences
 * @param options.n number of pairs
 */
export function minimumDetectableEffect(options: { sd: number; n: number; level?: number; power?: number }): number {
  const { sd, n, level = 0.95, power = 0.8 } = options;
  if (!(sd >= 0 && n >= 1 && level > 0 && level < 1 && power > 0 && power < 1))
    throw new BadInput({
      problem: 'of this no detectable effect can be told',
      expected: 'sd from 0, n from 1, level and power between 0 and 1',
      found: quote(options),
    });
  if (n < 2) return Number.NaN;
  return ((studentQuantile((1 + level) / 2, n - 1) + studentQuantile(power, n - 1)) * sd) / Math.sqrt(n);
}

/** 97.5th percentile of the standard normal distribution. */
const Z = 1.959964;

/** Wilson's 95 % interval of a share: `hits` of `n` (Wilson 1927). It says how far chance in the rows alone may move a score. */
export function wilson(hits: number, n: number): { low: number; high: number } {
  const share = hits / n;
  const centre = share + Z ** 2 / (2 * n);
  const reach = Z * Math.sqrt((share * (1 - share)) / n + Z ** 2 / (4 * n ** 2));
  const scale = 1 + Z ** 2 / n;
  return { low: Math.max(0, (centre - reach) / scale), high: Math.min(1, (centre + reach) / scale) };
}
